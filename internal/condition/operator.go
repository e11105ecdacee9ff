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
	// build prepares the positive operator's test.
	build func(operand) (test, error)
	// takes is what a clause may or must have beside field and operator.
	takes takes
	// holds and fails say in a verdict how the positive test went.
	holds, fails string
}

// takes are the keys of a clause that an operator takes.
type takes uint8

const (
	takesValue     takes = 1 << iota // value; without this bit the operator stands alone
	takesFrom                        // value_from in the place of value
	takesReference                   // value_from beside value
	takesCase                        // ignore_case
	takesItems                       // value is conditions on item
	takesCondition                   // condition, as StackStorm's search has it
)

func (t takes) has(bit takes) bool { return t&bit != 0 }

// An operand is what the field's value is compared with.
type operand struct {
	value Value
	// reference is the value of another field where value is something else, a duration.
	reference Value
	// fold asks for texts to be compared without regard to case.
	fold bool
	// ofEvent says that value was read from the event, and not written in the rule.
	ofEvent bool
}

// A test is a positive operator with the value that it compares with.
type test struct {
	// takes are the kinds of value that are asked about; the test is false for all others.
	takes kinds
	// check is what the test is, unless judge or each is.
	check func(Value) bool
	// judge is check for a test that knows more than yes and no, or that looks at the event.
	judge func(Value, *Document) outcome
	// each is the test of a list's elements.
	each *quantifier
	// program is the size of the test's regular expressions in instructions, else 0.
	program int
	// needsNow says that the test compares with the event's time.
	needsNow bool
	// malformed says in a verdict what a value that has the form of none that judge knows lacks.
	malformed string
}

// operators is the whole language; it is never changed.
var operators = []operator{
	{"equals", false, buildEquals, takesValue | takesFrom | takesCase, "value is equal", "value is different"},
	{"not_equals", true, buildEquals, takesValue | takesFrom | takesCase, "value is equal", "value is different"},
	{"contains", false, buildContains, takesValue | takesFrom | takesCase, "value contains it", "value does not contain it"},
	{"not_contains", true, buildContains, takesValue | takesFrom | takesCase, "value contains it", "value does not contain it"},
	{"contains_any", false, buildContainsAny, takesValue | takesFrom | takesCase, "value contains one of the list", "value contains none of the list"},
	{"contains_all", false, buildContainsAll, takesValue | takesFrom | takesCase, "value contains all of the list", "value does not contain all of the list"},
	{"starts_with", false, buildStartsWith, takesValue | takesFrom | takesCase, "value starts with it", "value does not start with it"},
	{"not_starts_with", true, buildStartsWith, takesValue | takesFrom | takesCase, "value starts with it", "value does not start with it"},
	{"ends_with", false, buildEndsWith, takesValue | takesFrom | takesCase, "value ends with it", "value does not end with it"},
	{"not_ends_with", true, buildEndsWith, takesValue | takesFrom | takesCase, "value ends with it", "value does not end with it"},
	{"wildcard", false, buildWildcard, takesValue | takesCase, "value matches", "value does not match"},
	{"not_wildcard", true, buildWildcard, takesValue | takesCase, "value matches", "value does not match"},
	{"matches", false, buildMatches, takesValue | takesCase, "value matches", "value does not match"},
	{"not_matches", true, buildMatches, takesValue | takesCase, "value matches", "value does not match"},
	{"in", false, buildIn, takesValue | takesFrom | takesCase, "value is in the list", "value is not in the list"},
	{"not_in", true, buildIn, takesValue | takesFrom | takesCase, "value is in the list", "value is not in the list"},

	{"greater_than", false, buildGreaterThan, takesValue | takesFrom, "value is greater", "value is not greater"},
	{"greater_or_equal", false, buildGreaterOrEqual, takesValue | takesFrom, "value is not less", "value is less"},
	{"less_than", false, buildLessThan, takesValue | takesFrom, "value is less", "value is not less"},
	{"less_or_equal", false, buildLessOrEqual, takesValue | takesFrom, "value is not greater", "value is greater"},
	{"between", false, buildBetween, takesValue, "value is in the range", "value is out of the range"},

	{"exists", false, buildExists, 0, "field is there", ""},
	{"not_exists", true, buildExists, 0, "field is there", ""},
	{"is_null", false, buildIsNull, 0, "value is null", ""},
	{"is_empty", false, buildIsEmpty, 0, "value is empty", "value is not empty"},
	{"one_of_types", false, buildOneOfTypes, takesValue, "value is of such a type", "value is of another type"},

	{"length_equals", false, buildLengthEquals, takesValue | takesFrom, "length is equal", "length is different"},
	{"length_greater_than", false, buildLengthGreaterThan, takesValue | takesFrom, "length is greater", "length is not greater"},
	{"length_greater_or_equal", false, buildLengthGreaterOrEqual, takesValue | takesFrom, "length is not less", "length is less"},
	{"length_less_than", false, buildLengthLessThan, takesValue | takesFrom, "length is less", "length is not less"},
	{"length_less_or_equal", false, buildLengthLessOrEqual, takesValue | takesFrom, "length is not greater", "length is greater"},

	{"before", false, buildBefore, takesValue | takesFrom, "time is before", "time is not before"},
	{"after", false, buildAfter, takesValue | takesFrom, "time is after", "time is not after"},
	{"within", false, buildWithin, takesValue | takesReference, "time is within", "time is further away"},

	{"ip_in", false, buildIPIn, takesValue | takesFrom, "address is in the network", "address is in none of the networks"},

	{"semver_equals", false, buildVersionEquals, takesValue | takesFrom, "version is equal", "version is different"},
	{"semver_greater_than", false, buildVersionGreaterThan, takesValue | takesFrom, "version is greater", "version is not greater"},
	{"semver_greater_or_equal", false, buildVersionGreaterOrEqual, takesValue | takesFrom, "version is not less", "version is less"},
	{"semver_less_than", false, buildVersionLessThan, takesValue | takesFrom, "version is less", "version is not less"},
	{"semver_less_or_equal", false, buildVersionLessOrEqual, takesValue | takesFrom, "version is not greater", "version is greater"},

	{"any", false, nil, takesItems, "an element satisfies it", "no element satisfies it"},
	{"all", false, nil, takesItems, "all elements satisfy it", "an element does not satisfy it"},
	{"none", true, nil, takesItems, "an element satisfies it", "no element satisfies it"},
}

// Operators returns the names of all operators, without those that are StackStorm's.
func Operators() []string { return names(operators) }

// StackStormOperators returns the names that StackStorm has for operators and that are no operators of this language
// already.
func StackStormOperators() []string { return names(stackStorm) }

func names(table []operator) []string {
	names := make([]string, len(table))
	for i, op := range table {
		names[i] = op.name
	}
	return names
}

// common is a selection of operators, for messages.
const common = "common ones are equals, in, contains, starts_with, matches, greater_than, exists and any"

// foreign are what other languages call an operator, for suggestions.
var foreign = map[string]string{
	"=": "equals", "==": "equals", "!=": "not_equals", "<>": "not_equals", ">": "greater_than", ">=": "greater_or_equal",
	"<": "less_than", "<=": "less_or_equal", "=~": "matches", "!~": "not_matches", "gte": "greater_or_equal",
	"ge": "greater_or_equal", "lte": "less_or_equal", "le": "less_or_equal", "ne": "not_equals", "like": "wildcard",
	"glob": "wildcard", "cidr": "ip_in", "type": "one_of_types", "is": "equals", "missing": "not_exists", "empty": "is_empty",
	"null": "is_null", "prefix": "starts_with", "suffix": "ends_with", "has": "contains",
}

func findOperator(name string) (*operator, error) {
	for _, table := range [][]operator{operators, stackStorm} {
		for i := range table {
			if table[i].name == name {
				return &table[i], nil
			}
		}
	}
	all := Operators()
	if known, ok := foreign[strings.ToLower(name)]; ok {
		return nil, fmt.Errorf("unknown operator %s: did you mean %q?", abbreviate(name), known)
	}
	if hint := suggest(name, append(all, StackStormOperators()...)); hint != "" {
		return nil, fmt.Errorf("unknown operator %s: %s", abbreviate(name), strings.TrimSpace(hint))
	}
	return nil, fmt.Errorf("unknown operator %s: %s; docs/rules.md has them all", abbreviate(name), common)
}

func wantKind(want kind, got Value) error {
	switch got.kind() {
	case kindMissing:
		return fmt.Errorf("want %s, got nothing", want)
	case kindNull:
		return fmt.Errorf("want %s, got null", want)
	case kindString:
		return fmt.Errorf("want %s, got the string %s", want, abbreviate(got.str()))
	default:
		return fmt.Errorf("want %s, got %s: %s", want, got.kind(), shorten(got.raw()))
	}
}
