package condition

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A generator makes rules and events of a small world, so that they meet.
type generator struct{ *rand.Rand }

func pick[T any](g generator, from ...T) T { return from[g.IntN(len(from))] }

func (g generator) text() string {
	return pick(g, `""`, `"a"`, `"ab"`, `"abc"`, `"ABC"`, `"abd"`, `"xabc"`, `"b"`, `"10.1.2.3"`, `"1.2.3"`, `"1.3.0-rc.1"`,
		`"2026-01-31T08:00:00Z"`, `"2026-01-31T07:50:00Z"`, `"\u0061b"`, `"Straße"`, `"now"`)
}

func (g generator) number() string {
	return pick(g, `0`, `1`, `1.0`, `2`, `2.5`, `-3`, `10`, `1e1`, `9007199254740993`, `1769846400`)
}

func (g generator) value(depth int) string {
	switch n := g.IntN(12); {
	case n < 5:
		return g.text()
	case n < 8:
		return g.number()
	case n == 8:
		return pick(g, `null`, `true`, `false`)
	case depth == 0:
		return pick(g, `[]`, `{}`)
	case n == 9:
		return g.object(depth - 1)
	default:
		return g.list(depth - 1)
	}
}

func (g generator) list(depth int) string {
	parts := make([]string, g.IntN(4))
	for i := range parts {
		parts[i] = g.value(depth)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func (g generator) object(depth int) string {
	var parts []string
	for _, key := range []string{"a", "b", "n", "s", "l", "0"} {
		if g.IntN(2) == 0 {
			parts = append(parts, fmt.Sprintf("%q: %s", key, g.value(depth)))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func (g generator) event(t testing.TB) *Document {
	doc := &Document{}
	for root, text := range map[Root]string{
		Payload: g.object(3), Sensor: g.object(1), Event: `{"created": "2026-01-31T08:00:00Z", "id": ` + g.number() + `}`,
	} {
		v, err := Decode([]byte(text))
		require.NoError(t, err)
		doc[root] = v
	}
	return doc
}

func (g generator) field(root string) string {
	path := pick(g, root, root+".", root+".", root+".", root+".")
	if path == root {
		return root
	}
	path += pick(g, "a", "b", "n", "s", "l", "0", `"0"`)
	for g.IntN(3) == 0 {
		path += pick(g, ".a", ".n", ".*", "[0]", ".1", ".l")
	}
	return path
}

func (g generator) clause(depth int, roots ...string) string {
	operator := pick(g, append(Operators(), StackStormOperators()...)...)
	field, value, more := g.field(pick(g, roots...)), "", ""
	found, _ := findOperator(operator)
	switch takes := found.takes; {
	case takes.has(takesItems):
		if depth == 0 {
			return g.clause(0, roots...)
		}
		value = g.conditions(depth-1, "item")
		if takes.has(takesCondition) {
			more = fmt.Sprintf(`, "condition": %q`, pick(g, "any", "all", "any2any", "all2any"))
		}
	case !takes.has(takesValue):
	case takes.has(takesFrom) && g.IntN(8) == 0:
		return fmt.Sprintf(`{"field": %q, "operator": %q, "value_from": %q}`, field, operator, strings.ReplaceAll(g.field("payload"), ".*", ".a"))
	default:
		value = g.operand(operator)
		if takes.has(takesCase) && g.IntN(3) == 0 {
			more = `, "ignore_case": true`
		}
	}
	if value != "" {
		value = `, "value": ` + value
	}
	return fmt.Sprintf(`{"field": %q, "operator": %q%s%s}`, field, operator, value, more)
}

// operand is a value that the operator is likely to take; clauses that do not compile are made anew.
func (g generator) operand(operator string) string {
	switch {
	case strings.Contains(operator, "wildcard"):
		return pick(g, `"a*"`, `"*c"`, `"a?c"`, `"[ab]*"`, `"*b*"`, `"abc"`, `"x[!b]*c"`, `"*"`)
	case strings.Contains(operator, "regex") || strings.HasSuffix(operator, "matches"):
		return pick(g, `"^a"`, `"^ab?c$"`, `"^(a|b|xa+)"`, `"b"`, `"^(?i)ab"`, `"c$"`, `"^[ab]"`, `"^"`, `"^(ab){2}|x"`, `"^abc|^x"`)
	case operator == "between":
		return pick(g, `[0, 2]`, `[1, 1]`, `[-5, 1e2]`, `[2.1, 3]`)
	case operator == "one_of_types":
		return pick(g, `["string"]`, `["integer", "null"]`, `["list", "object"]`)
	case operator == "within":
		return pick(g, `"15m"`, `"1s"`)
	case operator == "before", operator == "after":
		return pick(g, `"now"`, `"now-5m"`, `"2026-01-31"`, `1769846400`)
	case operator == "ip_in":
		return pick(g, `"10.0.0.0/8"`, `["10.1.2.3", "::/0"]`)
	case strings.HasPrefix(operator, "semver"):
		return pick(g, `"1.2.3"`, `"1.3.0"`)
	case strings.HasPrefix(operator, "length"):
		return pick(g, `0`, `1`, `3`)
	case strings.HasPrefix(operator, "t"):
		return pick(g, `60`, `"600"`)
	case strings.HasPrefix(operator, "contains_"), strings.Contains(operator, "in") && len(operator) < 8:
		return "[" + g.value(1) + ", " + g.text() + "]"
	case strings.Contains(operator, "th"), operator == "lt", operator == "gt":
		return pick(g, g.number(), g.text())
	default:
		return pick(g, g.text(), g.text(), g.value(1))
	}
}

func (g generator) condition(depth int, roots ...string) string {
	switch n := g.IntN(10); {
	case depth > 0 && n < 2:
		return `{"any": ` + g.conditions(depth-1, roots...) + `}`
	case depth > 0 && n == 2:
		return `{"all": ` + g.conditions(depth-1, roots...) + `}`
	case depth > 0 && n == 3:
		return `{"not": ` + g.condition(depth-1, roots...) + `}`
	default:
		return g.clause(depth, roots...)
	}
}

func (g generator) conditions(depth int, roots ...string) string {
	parts := make([]string, 1+g.IntN(3))
	for i := range parts {
		parts[i] = g.condition(depth, roots...)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func (g generator) rule() (*Program, string) {
	for {
		text := g.conditions(2, "payload", "payload", "payload", "sensor", "event")
		if g.IntN(50) == 0 {
			text = "[]"
		}
		program, err := Compile(pick(g, All, All, Any), json.RawMessage(text))
		if err == nil {
			return program, text
		}
	}
}

// indexed is rules and an index of them.
type indexed struct {
	index    *Index
	programs map[uint32]*Program
	texts    map[uint32]string
	ways     map[uint32]Ways
}

func (x *indexed) change(g generator, e *Editor, number uint32) {
	if x.programs[number] != nil {
		e.Remove(number, x.ways[number])
		delete(x.programs, number)
		if g.IntN(2) == 0 {
			return
		}
	}
	x.programs[number], x.texts[number] = g.rule()
	x.ways[number] = e.Add(number, x.programs[number])
}

// requireSame holds that what the index finds has all that match, and nothing twice. It returns how many matched, and how
// many were found.
func (x *indexed) requireSame(t testing.TB, c *Candidates, doc *Document) (matched, found int) {
	t.Helper()
	numbers := slices.Clone(x.index.Find(doc, c))
	slices.Sort(numbers)
	require.Len(t, slices.Compact(slices.Clone(numbers)), len(numbers))
	for number, program := range x.programs {
		if program.Match(doc) {
			matched++
			if _, ok := slices.BinarySearch(numbers, number); !ok {
				require.Fail(t, "not found", "%s\n%s", x.texts[number], doc[Payload].raw())
			}
		}
	}
	for _, number := range numbers {
		require.NotNil(t, x.programs[number])
	}
	return matched, len(numbers)
}

// TestIndexFindsAllThatMatch compares with the loop over all rules, on a million random pairs of a rule and an event, while
// rules come, change and go.
func TestIndexFindsAllThatMatch(t *testing.T) {
	t.Parallel()
	g := generator{rand.New(rand.NewPCG(1, 2))}
	x := &indexed{index: &Index{}, programs: map[uint32]*Program{}, texts: map[uint32]string{}, ways: map[uint32]Ways{}}
	edit := x.index.Edit()
	for number := range uint32(1100) {
		x.change(g, edit, number)
	}
	x.index = edit.Index()
	var c Candidates
	pairs, matched, found := 0, 0, 0
	for pairs < 1_000_000 {
		m, f := x.requireSame(t, &c, g.event(t))
		pairs, matched, found = pairs+len(x.programs), matched+m, found+f
		edit := x.index.Edit()
		for range 5 {
			x.change(g, edit, g.Uint32N(1100))
		}
		x.index = edit.Index()
		require.Equal(t, len(x.programs), x.index.Len())
	}
	t.Logf("%d pairs, %d matched, %d found", pairs, matched, found)
	require.Greater(t, matched, pairs/20, "the rules and events are made for each other")

	edit = x.index.Edit()
	for number := range x.programs {
		edit.Remove(number, x.ways[number])
	}
	empty := edit.Index()
	require.Equal(t, &Index{}, empty, "nothing is left behind")
}

// TestIndexesAreIndependent proves that an index stays as it is, whatever is made from it.
func TestIndexesAreIndependent(t *testing.T) {
	t.Parallel()
	g := generator{rand.New(rand.NewPCG(3, 4))}
	x := &indexed{index: &Index{}, programs: map[uint32]*Program{}, texts: map[uint32]string{}, ways: map[uint32]Ways{}}
	type version struct {
		*Index
		found [][]uint32
	}
	events := make([]*Document, 50)
	for i := range events {
		events[i] = g.event(t)
	}
	var versions []version
	var c Candidates
	for range 60 {
		edit := x.index.Edit()
		for range 10 {
			x.change(g, edit, g.Uint32N(200))
		}
		x.index = edit.Index()
		v := version{Index: x.index}
		for _, doc := range events {
			numbers := slices.Clone(v.Find(doc, &c))
			slices.Sort(numbers)
			v.found = append(v.found, numbers)
		}
		versions = append(versions, v)
	}
	for _, v := range versions {
		for i, doc := range events {
			numbers := slices.Clone(v.Find(doc, &c))
			slices.Sort(numbers)
			require.Equal(t, v.found[i], numbers)
		}
	}
}

func FuzzIndex(f *testing.F) {
	f.Add(uint64(1), `[{"field": "a.*", "operator": "starts_with", "value": "x"}]`, `{"a": ["xy"]}`)
	f.Add(uint64(2), `[{"field": "a", "operator": "any", "value": {"field": "item.b", "operator": "matches", "value": "^(x|y+)"}}]`, `{"a": [{"b": "yx"}]}`)
	f.Add(uint64(3), `[{"any": [{"field": "\"0\"", "operator": "in", "value": ["A"], "ignore_case": true}, {"field": "0", "operator": "between", "value": [1, 2]}]}]`, `{"0": "a"}`)
	f.Fuzz(func(t *testing.T, seed uint64, conditions, payload string) {
		program, err := Compile(All, json.RawMessage(conditions))
		if err != nil {
			return
		}
		value, err := Decode([]byte(payload))
		if err != nil {
			return
		}
		g := generator{rand.New(rand.NewPCG(seed, seed))}
		x := &indexed{index: &Index{}, programs: map[uint32]*Program{}, texts: map[uint32]string{}, ways: map[uint32]Ways{}}
		edit := x.index.Edit()
		for number := range uint32(20) {
			x.change(g, edit, number)
		}
		x.programs[99], x.texts[99] = program, conditions
		x.ways[99] = edit.Add(99, program)
		x.index = edit.Index()
		var c Candidates
		x.requireSame(t, &c, &Document{Payload: value, Event: value, Sensor: value})
		x.requireSame(t, &c, g.event(t))
	})
}
