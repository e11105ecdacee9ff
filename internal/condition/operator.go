package condition

import (
	"fmt"
	"strings"
)

// An operator is a row of the language's table.
type operator struct {
	name string
	// negative makes it the exact negation of the positive operator that build belongs to.
	negative bool
	// build prepares the positive operator's test for the clause's value.
	build func(value Value) (test, error)
	// holds and fails say in a verdict how the positive test went.
	holds, fails string
}

// A test is a positive operator with the value that it compares with.
type test struct {
	// takes are the kinds of value that check is asked about; it is false for all others.
	takes kinds
	check func(Value) bool
	// program is the size of the test's regular expression in instructions, else 0.
	program int
}

// operators is the whole language; it is never changed.
var operators = []operator{
	{"equals", false, buildEquals, "value is equal", "value is different"},
	{"not_equals", true, buildEquals, "value is equal", "value is different"},
	{"contains", false, buildContains, "value contains it", "value does not contain it"},
	{"starts_with", false, buildStartsWith, "value starts with it", "value does not start with it"},
	{"ends_with", false, buildEndsWith, "value ends with it", "value does not end with it"},
	{"greater_than", false, buildGreaterThan, "value is greater", "value is not greater"},
	{"less_than", false, buildLessThan, "value is less", "value is not less"},
	{"in", false, buildIn, "value is in the list", "value is not in the list"},
	{"not_in", true, buildIn, "value is in the list", "value is not in the list"},
	{"matches", false, buildMatches, "value matches", "value does not match"},
}

// Operators returns the names of all operators.
func Operators() []string {
	names := make([]string, len(operators))
	for i, op := range operators {
		names[i] = op.name
	}
	return names
}

func findOperator(name string) (*operator, error) {
	for i := range operators {
		if operators[i].name == name {
			return &operators[i], nil
		}
	}
	names := Operators()
	return nil, fmt.Errorf("unknown operator %s: %sthe operators are %s",
		abbreviate(name), suggest(name, names), strings.Join(names, ", "))
}

func buildEquals(value Value) (test, error) {
	want := newLiteral(value)
	return test{takes: setOf(want.kind), check: want.equals}, nil
}

func buildContains(value Value) (test, error) {
	want := newLiteral(value)
	takes := setOf(kindList)
	if want.kind == kindString {
		takes |= setOf(kindString)
	}
	return test{takes: takes, check: func(v Value) bool {
		if v.kind() == kindString {
			return strings.Contains(v.str(), want.text)
		}
		for e, ok := v.first(); ok; e, ok = e.after(v) {
			if want.equals(e) {
				return true
			}
		}
		return false
	}}, nil
}

func buildStartsWith(value Value) (test, error) {
	return buildString(value, strings.HasPrefix)
}

func buildEndsWith(value Value) (test, error) {
	return buildString(value, strings.HasSuffix)
}

func buildString(value Value, holds func(s, want string) bool) (test, error) {
	if value.kind() != kindString {
		return test{}, wantKind(kindString, value)
	}
	want := value.str()
	return test{
		takes: setOf(kindString),
		check: func(v Value) bool { return holds(v.str(), want) },
	}, nil
}

func buildGreaterThan(value Value) (test, error) {
	return buildOrder(value, 1)
}

func buildLessThan(value Value) (test, error) {
	return buildOrder(value, -1)
}

func buildOrder(value Value, order int) (test, error) {
	if value.kind() != kindNumber {
		err := wantKind(kindNumber, value)
		if value.kind() == kindString {
			err = fmt.Errorf("%w; write a number without quotes", err)
		}
		return test{}, err
	}
	want := parseNumber(value.raw())
	return test{
		takes: setOf(kindNumber),
		check: func(v Value) bool { return compareNumbers(parseNumber(v.raw()), want) == order },
	}, nil
}

func buildIn(value Value) (test, error) {
	if value.kind() != kindList {
		return test{}, fmt.Errorf("%w; to compare with a single value use equals", wantKind(kindList, value))
	}
	items := newLiteral(value).items
	if len(items) > MaxList {
		return test{}, fmt.Errorf("a list of %d: at most %d are allowed", len(items), MaxList)
	}
	wanted := newSet(items)
	// Null satisfies no positive operator but equals, not even where the list holds it.
	takes := wanted.kinds &^ setOf(kindNull)
	if takes == 0 {
		takes = setOf(kindBoolean, kindNumber, kindString, kindList, kindObject)
	}
	return test{takes: takes, check: wanted.has}, nil
}

func wantKind(want kind, got Value) error {
	switch got.kind() {
	case kindNull:
		return fmt.Errorf("want %s, got null", want)
	case kindString:
		return fmt.Errorf("want %s, got the string %s", want, abbreviate(got.str()))
	default:
		return fmt.Errorf("want %s, got %s: %s", want, got.kind(), shorten(got.raw()))
	}
}
