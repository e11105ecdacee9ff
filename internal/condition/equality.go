package condition

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

func buildEquals(o operand) (test, error) {
	if o.fold {
		want, err := textOf(o, "ignore_case compares texts")
		if err != nil {
			return test{}, err
		}
		return test{takes: setOf(kindString), check: func(v Value) bool { return fold(v.str()) == want }}, nil
	}
	want := newLiteral(o.value)
	return test{takes: setOf(want.kind), check: want.equals}, nil
}

func buildIn(o operand) (test, error) {
	items, err := listOf(o, MaxList, "to compare with a single value use equals")
	if err != nil {
		return test{}, err
	}
	wanted := newSet(items, o.fold)
	// Null satisfies no positive operator but equals, not even where the list holds it.
	takes := wanted.kinds &^ setOf(kindNull)
	if takes == 0 {
		takes = anything
	}
	return test{takes: takes, check: wanted.has}, nil
}

// buildContains tests a text for a part and a list for an element.
func buildContains(o operand) (test, error) {
	want := newSet([]literal{newLiteral(o.value)}, o.fold)
	takes := setOf(kindList)
	part := ""
	if o.value.kind() == kindString {
		takes |= setOf(kindString)
		part = folded(o.value.str(), o.fold)
	} else if o.fold {
		return test{}, fmt.Errorf("%w; ignore_case compares texts", wantKind(kindString, o.value))
	}
	return test{takes: takes, check: func(v Value) bool {
		if v.kind() == kindString {
			return strings.Contains(folded(v.str(), o.fold), part)
		}
		for e, ok := v.first(); ok; e, ok = e.after(v) {
			if want.has(e) {
				return true
			}
		}
		return false
	}}, nil
}

// MaxParts is how many values contains_any and contains_all may look for.
const MaxParts = 100

func buildContainsAny(o operand) (test, error) { return buildContainsSome(o, 1) }

func buildContainsAll(o operand) (test, error) { return buildContainsSome(o, MaxParts) }

// buildContainsSome tests whether at least as many values of the list are contained, or all of them if they are fewer.
func buildContainsSome(o operand, enough int) (test, error) {
	items, err := listOf(o, MaxParts, "to look for a single value use contains")
	if err != nil {
		return test{}, err
	}
	if len(items) == 0 {
		return test{}, errors.New("is an empty list: write what to look for")
	}
	wanted := newSet(items, o.fold)
	var parts []string
	for text := range wanted.strings {
		parts = append(parts, text)
	}
	slices.Sort(parts)
	distinct := wanted.size()
	enough = min(enough, distinct)
	takes := setOf(kindList)
	if len(parts) >= enough {
		takes |= setOf(kindString)
	}
	return test{takes: takes, check: func(v Value) bool {
		if v.kind() == kindString {
			return containsParts(folded(v.str(), o.fold), parts, enough)
		}
		return containsElements(v, wanted, enough)
	}}, nil
}

func containsParts(text string, parts []string, enough int) bool {
	for i, part := range parts {
		if strings.Contains(text, part) {
			if enough--; enough == 0 {
				return true
			}
		} else if len(parts)-i <= enough {
			return false
		}
	}
	return false
}

func containsElements(list Value, wanted *set, enough int) bool {
	var found map[int]bool
	for e, ok := list.first(); ok; e, ok = e.after(list) {
		i, is := wanted.index(e)
		switch {
		case !is:
		case enough == 1:
			return true
		case !found[i]:
			if found == nil {
				found = make(map[int]bool, enough)
			}
			if found[i] = true; len(found) == enough {
				return true
			}
		}
	}
	return false
}

// listOf returns the operand's list.
func listOf(o operand, most int, remedy string) ([]literal, error) {
	if o.value.kind() != kindList {
		return nil, fmt.Errorf("%w; %s", wantKind(kindList, o.value), remedy)
	}
	length := 0
	for e, ok := o.value.first(); ok; e, ok = e.after(o.value) {
		length++
	}
	if length > most {
		return nil, fmt.Errorf("a list of %d: at most %d are allowed", length, most)
	}
	items := newLiteral(o.value).items
	if o.fold && !slices.ContainsFunc(items, func(l literal) bool { return l.kind == kindString }) {
		return nil, errors.New("has no text that ignore_case could be about: remove ignore_case")
	}
	return items, nil
}

// textOf returns the operand's text, folded if the operand says so.
func textOf(o operand, about string) (string, error) {
	if o.value.kind() != kindString {
		err := wantKind(kindString, o.value)
		if about != "" {
			err = fmt.Errorf("%w; %s", err, about)
		}
		return "", err
	}
	return folded(o.value.str(), o.fold), nil
}

func buildStartsWith(o operand) (test, error) { return buildText(o, strings.HasPrefix) }

func buildEndsWith(o operand) (test, error) { return buildText(o, strings.HasSuffix) }

func buildText(o operand, holds func(s, want string) bool) (test, error) {
	want, err := textOf(o, "")
	if err != nil {
		return test{}, err
	}
	return test{
		takes: setOf(kindString),
		check: func(v Value) bool { return holds(folded(v.str(), o.fold), want) },
	}, nil
}
