package expression

import (
	"math/bits"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

// kinds is a set of CEL's types.
type kinds uint16

const (
	isNull kinds = 1 << iota
	isBool
	isInt
	isUint
	isDouble
	isString
	isBytes
	isList
	isMap
	isTime
	isDuration
	isType
	isOptional

	isNumber = isInt | isUint | isDouble
	isJSON   = isNull | isBool | isInt | isDouble | isString | isList | isMap
	isSized  = isString | isBytes | isList | isMap | isOptional
	isAny    = isOptional<<1 - 1
)

// has says whether all of the others are in the set.
func (k kinds) has(others kinds) bool { return k&others == others }

// single says whether there is at most one.
func (k kinds) single() bool { return bits.OnesCount16(uint16(k)) <= 1 }

// each calls f with each single kind.
func (k kinds) each(f func(kinds)) {
	for rest := k; rest != 0; rest &= rest - 1 {
		f(rest & -rest)
	}
}

var kindNames = []string{"null", "true or false", "an integer", "an unsigned integer", "a number with a fraction", "a text", "bytes", "a list",
	"an object", "a time", "a duration", "a type", "an optional value"}

// String lists the kinds as alternatives: a text or a list.
func (k kinds) String() string {
	var names []string
	k.each(func(one kinds) { names = append(names, kindNames[bits.TrailingZeros16(uint16(one))]) })
	return strings.Join(names, " or ")
}

// kindsOf returns the kinds that values of a declared type have.
func kindsOf(t *cel.Type) kinds {
	switch t.Kind() {
	case types.NullTypeKind:
		return isNull
	case types.BoolKind:
		return isBool
	case types.IntKind:
		return isInt
	case types.UintKind:
		return isUint
	case types.DoubleKind:
		return isDouble
	case types.StringKind:
		return isString
	case types.BytesKind:
		return isBytes
	case types.ListKind:
		return isList
	case types.MapKind:
		return isMap
	case types.TimestampKind:
		return isTime
	case types.DurationKind:
		return isDuration
	case types.TypeKind:
		return isType
	case types.OpaqueKind:
		return isOptional
	}
	return isAny
}

// typeNames are the kinds by the names that expressions have for them.
var typeNames = map[string]kinds{
	"null_type": isNull, "bool": isBool, "int": isInt, "uint": isUint, "double": isDouble, "string": isString, "bytes": isBytes,
	"list": isList, "map": isMap, "google.protobuf.Timestamp": isTime, "google.protobuf.Duration": isDuration,
}
