package condition

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// stackStorm are the names that StackStorm has for operators, with the meaning that they have there: its negative ones are
// false, not true, on a value that they do not take. docs/rules-stackstorm.md says what differs nevertheless.
var stackStorm = []operator{
	{"eq", false, notNull(buildEquals), takesValue | takesFrom, "value is equal", "value is different"},
	{"neq", true, buildDifferent, takesValue | takesFrom, "value is equal", "value is different"},
	{"nequals", true, buildDifferent, takesValue | takesFrom, "value is equal", "value is different"},
	{"ieq", false, ignoringCase(buildEquals), takesValue | takesFrom, "value is equal", "value is different"},
	{"iequals", false, ignoringCase(buildEquals), takesValue | takesFrom, "value is equal", "value is different"},
	{"ncontains", false, inverted(notNull(buildContains)), takesValue | takesFrom, "value does not contain it", "value contains it"},
	{"icontains", false, textOnly(ignoringCase(buildContains)), takesValue | takesFrom, "value contains it", "value does not contain it"},
	{"incontains", false, inverted(textOnly(ignoringCase(buildContains))), takesValue | takesFrom, "value does not contain it", "value contains it"},
	{"startswith", false, buildStartsWith, takesValue | takesFrom, "value starts with it", "value does not start with it"},
	{"istartswith", false, ignoringCase(buildStartsWith), takesValue | takesFrom, "value starts with it", "value does not start with it"},
	{"endswith", false, buildEndsWith, takesValue | takesFrom, "value ends with it", "value does not end with it"},
	{"iendswith", false, ignoringCase(buildEndsWith), takesValue | takesFrom, "value ends with it", "value does not end with it"},
	{"lt", false, buildStackStormLess, takesValue | takesFrom, "value is less", "value is not less"},
	{"lessthan", false, buildStackStormLess, takesValue | takesFrom, "value is less", "value is not less"},
	{"gt", false, buildStackStormGreater, takesValue | takesFrom, "value is greater", "value is not greater"},
	{"greaterthan", false, buildStackStormGreater, takesValue | takesFrom, "value is greater", "value is not greater"},
	{"matchwildcard", false, buildWildcard, takesValue, "value matches", "value does not match"},
	{"matchregex", false, buildMatchRegex, takesValue, "value matches", "value does not match"},
	{"regex", false, buildMatches, takesValue, "value matches", "value does not match"},
	{"iregex", false, ignoringCase(buildMatches), takesValue, "value matches", "value does not match"},
	{"td_lt", false, buildTimeDiffLess, takesValue, "time is after that many seconds ago", "time is not after that many seconds ago"},
	{"timediff_lt", false, buildTimeDiffLess, takesValue, "time is after that many seconds ago", "time is not after that many seconds ago"},
	{"td_gt", false, buildTimeDiffGreater, takesValue, "time is before that many seconds ago", "time is not before that many seconds ago"},
	{"timediff_gt", false, buildTimeDiffGreater, takesValue, "time is before that many seconds ago", "time is not before that many seconds ago"},
	{"nexists", true, buildIsSomething, 0, "value is not null", ""},
	{"inside", false, buildInside, takesValue | takesFrom, "value is in it", "value is not in it"},
	{"nin", true, buildInside, takesValue | takesFrom, "value is in it", "value is not in it"},
	{"ninside", true, buildInside, takesValue | takesFrom, "value is in it", "value is not in it"},
	{"search", false, nil, takesItems | takesCondition, "the elements satisfy it", "the elements do not satisfy it"},
}

type builder = func(operand) (test, error)

var errNeverHolds = errors.New("is null, with which StackStorm's operator never holds: write the value to compare with, or use is_null")

// notNull refuses null.
func notNull(build builder) builder {
	return func(o operand) (test, error) {
		if o.value.kind() == kindNull {
			return test{}, errNeverHolds
		}
		return build(o)
	}
}

// ignoringCase compares without regard to case.
func ignoringCase(build builder) builder {
	return func(o operand) (test, error) {
		o.fold = true
		return build(o)
	}
}

// textOnly narrows a test to texts.
func textOnly(build builder) builder {
	return func(o operand) (test, error) {
		t, err := build(o)
		t.takes &= setOf(kindString)
		return t, err
	}
}

// inverted holds where the test does not, among the values that it takes.
func inverted(build builder) builder {
	return func(o operand) (test, error) {
		t, err := build(o)
		if check := t.check; check != nil {
			t.check = func(v Value) bool { return !check(v) }
		}
		return t, err
	}
}

// buildDifferent is what neq is the negation of: a missing field is as null.
func buildDifferent(o operand) (test, error) {
	if o.value.kind() == kindNull {
		return test{}, errors.New("is null: to ask for a value that is there and not null, write {\"not\": {\"field\": ..., \"operator\": \"nexists\"}}")
	}
	return buildEquals(o)
}

// buildIsSomething is what nexists is the negation of.
func buildIsSomething(operand) (test, error) {
	return test{takes: anything, check: always}, nil
}

func buildStackStormLess(o operand) (test, error)    { return buildTextOrder(o, isLess) }
func buildStackStormGreater(o operand) (test, error) { return buildTextOrder(o, isGreater) }

// buildTextOrder compares numbers with a number and texts with a text, by their characters' code points.
func buildTextOrder(o operand, wanted order) (test, error) {
	if o.value.kind() != kindString {
		return buildOrder(o, wanted)
	}
	want := o.value.str()
	return test{
		takes: setOf(kindString),
		check: func(v Value) bool { return wanted.takes(strings.Compare(v.str(), want)) },
	}, nil
}

// buildMatchRegex is anchored at the beginning, and its dot is any character.
func buildMatchRegex(o operand) (test, error) {
	pattern, err := textOf(operand{value: o.value}, "matchregex takes a regular expression")
	if err != nil {
		return test{}, err
	}
	if len(pattern) > MaxPattern {
		return test{}, fmt.Errorf("a regular expression of %d bytes: at most %d are allowed", len(pattern), MaxPattern)
	}
	if t, err := expressionTest(pattern, pattern, false); err != nil {
		return t, err
	}
	return expressionTest(pattern, `(?s)\A(?:`+pattern+`)`, false)
}

// buildTimeDiffLess holds on a time that is less than that many seconds ago, or to come.
func buildTimeDiffLess(o operand) (test, error) { return buildTimeDiff(o, isGreater) }

func buildTimeDiffGreater(o operand) (test, error) { return buildTimeDiff(o, isLess) }

func buildTimeDiff(o operand, wanted order) (test, error) {
	text := o.value.raw()
	if o.value.kind() == kindString {
		text = o.value.str()
	}
	seconds, err := strconv.ParseFloat(text, 64)
	const most = 100 * 365 * 24 * 3600
	if err != nil || math.IsNaN(seconds) || math.Abs(seconds) > most {
		return test{}, fmt.Errorf("%s is not a number of seconds, of at most 100 years", shorten(o.value.raw()))
	}
	m := moment{relative: true, offset: -time.Duration(seconds * float64(time.Second))}
	return timeTest(m, wanted.takesTimes), nil
}

func buildInside(o operand) (test, error) {
	switch o.value.kind() {
	case kindString:
		whole := o.value.str()
		return test{
			takes: setOf(kindString),
			check: func(v Value) bool { return strings.Contains(whole, v.str()) },
		}, nil
	case kindList:
		items, err := listOf(o, MaxList, "")
		if err != nil {
			return test{}, err
		}
		if slices.ContainsFunc(items, func(l literal) bool { return l.kind == kindNull }) {
			return test{}, errors.New("has a null in the list: put nexists beside it in an any instead")
		}
		return buildIn(o)
	default:
		return test{}, fmt.Errorf("%w; write the list, or the text, that holds the field's value", wantKind(kindList, o.value))
	}
}

// searchModes are StackStorm's: which elements have to satisfy the patterns, and how many of these.
var searchModes = map[string]struct {
	every bool
	mode  Mode
}{
	"any": {false, All}, "all": {true, All}, "any2any": {false, Any}, "all2any": {true, Any},
}

// search reads the condition of StackStorm's search.
func (c *compiler) search(path string, values map[string]Value) (name string, every bool, mode Mode) {
	name, ok := c.text(path, "condition", "write any, all, any2any or all2any", values)
	if !ok {
		return name, false, All
	}
	found, known := searchModes[name]
	if !known {
		c.report(childPath(path, "condition"), "unknown condition %s: write any, all, any2any or all2any", abbreviate(name))
		return name, false, All
	}
	return name, found.every, found.mode
}

// patterns compiles what StackStorm's search has for conditions: {"item.name#1": {"type": ..., "pattern": ...}}.
func (c *compiler) patterns(place string, v Value, depth int) []condition {
	keys, values := c.members(place, v)
	if len(keys) == 0 {
		c.report(place, "is empty: write a condition for an element, such as %s", itemShape)
	}
	if !c.admit(len(keys)) {
		return nil
	}
	var compiled []condition
	for _, key := range keys {
		path := childPath(place, key)
		if values[key].kind() != kindObject {
			c.report(path, "%v; write {\"type\": ..., \"pattern\": ...}", wantKind(kindObject, values[key]))
			continue
		}
		names, parts := c.members(path, values[key])
		field, _, _ := strings.Cut(key, "#")
		clause := map[string]Value{"field": quoted(field)}
		for _, name := range names {
			switch name {
			case "type":
				clause["operator"] = parts[name]
			case "pattern":
				clause["value"] = parts[name]
			case "condition":
				clause["condition"] = parts[name]
			default:
				c.report(childPath(path, name), "unknown key: %sa pattern has type and pattern", suggest(name, []string{"type", "pattern", "condition"}))
			}
		}
		compiled = append(compiled, c.clause(path, clause, depth))
	}
	return compiled
}
