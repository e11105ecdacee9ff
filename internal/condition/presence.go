package condition

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// anything is every kind of value but null, which satisfies only what asks for it.
var anything = setOf(kindBoolean, kindNumber, kindString, kindList, kindObject)

func always(Value) bool { return true }

// buildExists holds on what is there, null too.
func buildExists(operand) (test, error) {
	return test{takes: anything | setOf(kindNull), check: always}, nil
}

func buildIsNull(operand) (test, error) {
	return test{takes: setOf(kindNull), check: always}, nil
}

// buildIsEmpty holds on "", [] and {}.
func buildIsEmpty(operand) (test, error) {
	return test{takes: setOf(kindString, kindList, kindObject), check: func(v Value) bool {
		if v.kind() == kindString {
			return v.is("")
		}
		_, some := v.first()
		return !some
	}}, nil
}

// types are the names of JSON's types, with those of JSON Schema.
var types = map[string]kind{
	"null": kindNull, "boolean": kindBoolean, "number": kindNumber, "integer": kindNumber, "string": kindString,
	"list": kindList, "array": kindList, "object": kindObject,
}

func buildOneOfTypes(o operand) (test, error) {
	const shape = `write a list of types, such as ["string", "null"]`
	if o.value.kind() != kindList {
		return test{}, fmt.Errorf("%w; %s", wantKind(kindList, o.value), shape)
	}
	var wanted kinds
	integer, number := false, false
	for e, ok := o.value.first(); ok; e, ok = e.after(o.value) {
		if e.kind() != kindString {
			return test{}, fmt.Errorf("%w in the list; %s", wantKind(kindString, e), shape)
		}
		name := e.str()
		k, known := types[name]
		if !known {
			return test{}, unknownType(name)
		}
		wanted |= setOf(k)
		integer, number = integer || name == "integer", number || name == "number"
	}
	if wanted == 0 {
		return test{}, errors.New("is an empty list: " + shape)
	}
	return test{takes: anything | setOf(kindNull), check: func(v Value) bool {
		k := v.kind()
		if k == kindNumber && integer && !number {
			n := parseNumber(v.raw())
			return n.whole()
		}
		return wanted.has(k)
	}}, nil
}

func unknownType(name string) error {
	var all []string
	for known := range types {
		all = append(all, known)
	}
	slices.Sort(all)
	return fmt.Errorf("unknown type %s: %sthe types are %s", abbreviate(name), suggest(name, all), strings.Join(all, ", "))
}
