package condition

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Limits of one rule's condition. Those of regular expressions are with MatchBudget.
const (
	// MaxSize is the longest condition, in bytes of JSON.
	MaxSize = 1 << 20
	// MaxConditions is how many clauses and groups a rule may have, nested ones included.
	MaxConditions = 1_000
	// MaxDepth is how deep groups may nest, and likewise the lists and objects of a value.
	MaxDepth = 32
	// MaxList is how many values in and not_in may choose from.
	MaxList = 10_000
	// MaxProblems is how many problems are reported at once.
	MaxProblems = 100
)

// Compile checks and prepares a rule's conditions, a JSON list, for the mode that combines
// them; an empty mode is All. Its error is Problems, with everything that is wrong.
func Compile(mode Mode, conditions json.RawMessage) (*Program, error) {
	var c compiler
	switch mode {
	case All, Any:
	case "":
		mode = All
	default:
		c.report("condition", "unknown mode %s: use all or any", abbreviate(string(mode)))
	}
	compiled := c.rule(conditions)
	if c.instructions > MaxInstructions {
		c.report("conditions", "the regular expressions compile to %d instructions together: at most %d are allowed; use fewer or smaller repetitions, or several rules",
			c.instructions, MaxInstructions)
	}
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	for _, clause := range c.matching {
		clause.maxText = MatchBudget / c.instructions
	}
	return &Program{rule: group{mode: mode, conditions: compiled}, uses: c.uses}, nil
}

// A compiler collects what concerns the rule as a whole.
type compiler struct {
	problems     Problems
	uses         [roots]bool
	count        int // clauses and groups
	matching     []*clause
	instructions int    // of the regular expressions of matching
	label        string // the clause that is compiled, for problems: its field and operator, as far as they are known
	inside       int    // how many quantifiers what is compiled is inside of
	outer        bool   // whether a condition inside compares with a field that is not the element's
}

func (c *compiler) report(path, format string, args ...any) {
	switch n := len(c.problems); {
	case n < MaxProblems:
		message := fmt.Sprintf(format, args...)
		if c.label != "" && path != "conditions" {
			message = c.label + ": " + message
		}
		c.problems = append(c.problems, Problem{Path: path, Message: message})
	case n == MaxProblems:
		c.problems = append(c.problems, Problem{Path: "conditions", Message: "more problems follow: they are listed once these are solved"})
	}
}

func (c *compiler) rule(conditions json.RawMessage) []condition {
	const path = "conditions"
	if len(conditions) > MaxSize {
		c.report(path, "%d bytes long: at most %d are allowed", len(conditions), MaxSize)
		return nil
	}
	list, err := Decode(conditions)
	if err != nil {
		c.report(path, "%v", err)
		return nil
	}
	list.doc.nodes = slices.Clone(list.doc.nodes) // a rule lives long: the room for more is not worth its memory
	if list.kind() != kindList {
		c.report(path, "%v; put the conditions in [ ], of which an empty one matches every event", wantKind(kindList, list))
		return nil
	}
	return c.list(path, list, 0)
}

// list compiles the conditions of a list.
func (c *compiler) list(path string, list Value, depth int) []condition {
	length := 0
	for e, ok := list.first(); ok; e, ok = e.after(list) {
		length++
	}
	if !c.admit(length) {
		return nil
	}
	compiled := make([]condition, 0, length)
	for e, ok := list.first(); ok; e, ok = e.after(list) {
		compiled = append(compiled, c.condition(fmt.Sprintf("%s[%d]", path, len(compiled)), e, depth))
	}
	return compiled
}

// admit counts n more conditions and reports whether the rule may have them.
func (c *compiler) admit(n int) bool {
	within := c.count <= MaxConditions
	c.count += n
	if within && c.count > MaxConditions {
		c.report("conditions", "more than %d conditions in one rule: use in for a list of values, or several rules", MaxConditions)
	}
	return c.count <= MaxConditions
}

const shape = "a clause has field, operator and value; a group has one of all, any and not"

// clauseKeys are the keys of a clause; condition is for StackStorm's search.
var clauseKeys = []string{"field", "operator", "value", "value_from", "ignore_case", "condition"}

func isClause(key string) bool { return slices.Contains(clauseKeys, key) }

func isGroup(key string) bool { return key == "all" || key == "any" || key == "not" }

func (c *compiler) condition(path string, v Value, depth int) condition {
	if v.kind() != kindObject {
		c.report(path, "%v; %s", wantKind(kindObject, v), shape)
		return nil
	}
	keys, values := c.members(path, v)
	if slices.ContainsFunc(keys, isGroup) {
		if len(keys) > 1 {
			c.report(path, "all, any and not stand alone, but here are %s: make each condition an object of its own",
				shorten(strings.Join(keys, ", ")))
		}
		var compiled condition
		for _, key := range slices.DeleteFunc(keys, func(key string) bool { return !isGroup(key) }) {
			compiled = c.group(key, path, values[key], depth+1)
		}
		return compiled
	}
	for _, key := range keys {
		if !isClause(key) {
			hint := suggest(key, append([]string{"all", "any", "not"}, clauseKeys[:5]...))
			c.report(childPath(path, key), "unknown key: %s%s", hint, shape)
		}
	}
	if len(keys) == 0 {
		c.report(path, "is empty: %s", shape)
	}
	if !slices.ContainsFunc(keys, isClause) {
		return nil
	}
	return c.clause(path, values, depth)
}

func (c *compiler) group(key, path string, v Value, depth int) condition {
	path = childPath(path, key)
	if depth > MaxDepth {
		c.report(path, "nested deeper than %d", MaxDepth)
		return nil
	}
	if key == "not" {
		if v.kind() == kindList {
			c.report(path, `want one condition, got a list; write {"not": {"any": [...]}} or {"not": {"all": [...]}}`)
			return nil
		}
		if !c.admit(1) {
			return nil
		}
		return negation{c.condition(path, v, depth)}
	}
	if v.kind() != kindList {
		c.report(path, "%v; put the conditions in [ ]", wantKind(kindList, v))
		return nil
	}
	if _, some := v.first(); !some {
		c.report(path, "is empty: add a condition or remove the group")
		return nil
	}
	return group{mode: Mode(key), conditions: c.list(path, v, depth)}
}
