package condition

import (
	"fmt"
	"unicode/utf8"
)

// An order is which outcomes of a comparison an operator takes.
type order struct{ less, equal, greater bool }

var (
	isLess           = order{less: true}
	isLessOrEqual    = order{less: true, equal: true}
	isEqual          = order{equal: true}
	isGreaterOrEqual = order{equal: true, greater: true}
	isGreater        = order{greater: true}
)

// takes reports whether the operator holds for the outcome, which is negative, zero or positive.
func (o order) takes(outcome int) bool {
	switch {
	case outcome < 0:
		return o.less
	case outcome > 0:
		return o.greater
	default:
		return o.equal
	}
}

func buildGreaterThan(o operand) (test, error)    { return buildOrder(o, isGreater) }
func buildGreaterOrEqual(o operand) (test, error) { return buildOrder(o, isGreaterOrEqual) }
func buildLessThan(o operand) (test, error)       { return buildOrder(o, isLess) }
func buildLessOrEqual(o operand) (test, error)    { return buildOrder(o, isLessOrEqual) }

func buildOrder(o operand, wanted order) (test, error) {
	want, err := numberOf(o.value)
	if err != nil {
		return test{}, err
	}
	return test{
		takes: setOf(kindNumber),
		check: func(v Value) bool { return wanted.takes(compareNumbers(parseNumber(v.raw()), want)) },
	}, nil
}

func numberOf(v Value) (number, error) {
	switch v.kind() {
	case kindNumber:
		return parseNumber(v.raw()), nil
	case kindString:
		return number{}, fmt.Errorf("%w; write a number without quotes", wantKind(kindNumber, v))
	default:
		return number{}, wantKind(kindNumber, v)
	}
}

// buildBetween tests for a number from the first to the second of a list of two, both included.
func buildBetween(o operand) (test, error) {
	low, high, err := rangeOf(o.value)
	if err != nil {
		return test{}, err
	}
	return test{
		takes: setOf(kindNumber),
		check: func(v Value) bool {
			n := parseNumber(v.raw())
			return compareNumbers(n, low) >= 0 && compareNumbers(n, high) <= 0
		},
	}, nil
}

func rangeOf(v Value) (low, high number, err error) {
	const shape = "write the least and the greatest number, such as [1, 10]"
	if v.kind() != kindList {
		return low, high, fmt.Errorf("%w; %s", wantKind(kindList, v), shape)
	}
	var bounds []number
	for e, ok := v.first(); ok; e, ok = e.after(v) {
		if e.kind() != kindNumber {
			return low, high, fmt.Errorf("%w in the list; %s", wantKind(kindNumber, e), shape)
		}
		bounds = append(bounds, parseNumber(e.raw()))
	}
	if len(bounds) != 2 {
		return low, high, fmt.Errorf("a list of %d: %s", len(bounds), shape)
	}
	if compareNumbers(bounds[0], bounds[1]) > 0 {
		return low, high, fmt.Errorf("%s has no number in it: write the smaller one first", shorten(v.raw()))
	}
	return bounds[0], bounds[1], nil
}

func buildLengthEquals(o operand) (test, error)         { return buildLength(o, isEqual) }
func buildLengthGreaterThan(o operand) (test, error)    { return buildLength(o, isGreater) }
func buildLengthGreaterOrEqual(o operand) (test, error) { return buildLength(o, isGreaterOrEqual) }
func buildLengthLessThan(o operand) (test, error)       { return buildLength(o, isLess) }
func buildLengthLessOrEqual(o operand) (test, error)    { return buildLength(o, isLessOrEqual) }

// buildLength compares how many characters a text has, elements a list, members an object.
func buildLength(o operand, wanted order) (test, error) {
	want, err := numberOf(o.value)
	if err != nil {
		return test{}, err
	}
	if !o.ofEvent && (want.negative || !want.whole()) {
		return test{}, fmt.Errorf("want a whole number from 0 on, got %s: no length is anything else", shorten(o.value.raw()))
	}
	return test{
		takes: setOf(kindString, kindList, kindObject),
		check: func(v Value) bool { return wanted.takes(compareNumbers(wholeNumber(v.length()), want)) },
	}, nil
}

// length is how many characters a text has, elements a list or different keys an object.
func (v Value) length() int {
	switch v.kind() {
	case kindString:
		return utf8.RuneCountInString(v.str())
	case kindList:
		n := 0
		for e, ok := v.first(); ok; e, ok = e.after(v) {
			n++
		}
		return n
	default:
		keys := map[string]bool{}
		for key, ok := v.first(); ok; {
			keys[key.str()] = true
			key, ok = key.value().after(v)
		}
		return len(keys)
	}
}
