package rule_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// An arbitrary schema has a text in JSON Schema, makes values that it allows, and knows which ways lead into them.
type arbitrary struct {
	schema map[string]any
	value  func(*rand.Rand) any
	types  string // letters: n number, i integer, s text, b boolean, l list, o object, 0 null, d a date, g digits
	ways   []way  // below it
}

// A way leads to a part of a value.
type way struct {
	path  string
	types string
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

var words = []string{"", "a", "main", "refs/heads/main", "x=1", "ünï", "7", "-12", "2026-01-31T08:00:00Z", "[1]", "a,b,c", "true", "15m"}

// A schemer makes schemas.
type schemer struct {
	*rand.Rand
	definitions map[string]any // that they refer to
}

// any returns a schema of values. The deeper, the simpler.
func (r schemer) any(depth int) arbitrary {
	kinds := []func(int) arbitrary{r.integers, r.integers, r.numbers, r.texts, r.texts, r.texts, r.booleans, r.constants, r.nullables, r.alternatives, r.anythings}
	if depth < 3 {
		kinds = append(kinds, r.lists, r.lists, r.lists, r.objects, r.objects, r.references)
	}
	return pick(r.Rand, kinds...)(depth)
}

func (r schemer) integers(int) arbitrary {
	low, high := int64(-20), int64(20)
	schema := map[string]any{"type": "integer"}
	switch r.IntN(6) {
	case 0:
		low = int64(r.IntN(5)) - 2
		schema["minimum"] = low
	case 1:
		low = int64(r.IntN(3)) + 1
		schema["exclusiveMinimum"] = low - 1
	case 2:
		high = int64(r.IntN(6)) - 2
		schema["maximum"] = high
	case 3:
		low, high = 0, int64(r.IntN(4))
		schema["minimum"], schema["maximum"] = low, high
	}
	return arbitrary{schema: schema, types: "in", value: func(r *rand.Rand) any {
		if r.IntN(3) == 0 {
			return low
		}
		return low + r.Int64N(high-low+1)
	}}
}

func (r schemer) numbers(int) arbitrary {
	schema := map[string]any{"type": "number"}
	low := -3.0
	if r.IntN(2) == 0 {
		low = 1
		schema["minimum"] = 1
	}
	return arbitrary{schema: schema, types: "n", value: func(r *rand.Rand) any {
		return low + float64(r.IntN(12))/2
	}}
}

func (r schemer) texts(int) arbitrary {
	schema := map[string]any{"type": "string"}
	a := arbitrary{schema: schema, types: "s", value: func(r *rand.Rand) any { return pick(r, words...) }}
	switch r.IntN(5) {
	case 0:
		schema["format"], a.types = "date-time", "sd"
		a.value = func(r *rand.Rand) any { return pick(r, "2026-01-31T08:00:00Z", "1999-12-31T23:59:59.5+01:00") }
	case 1:
		schema["pattern"], a.types = pick(r.Rand, "^[0-9]{1,6}$", `^-?\d{1,18}$`), "sg"
		a.value = func(r *rand.Rand) any { return fmt.Sprint(r.IntN(1000)) }
	case 2:
		n := r.IntN(4)
		schema["minLength"] = n
		a.value = func(r *rand.Rand) any { return strings.Repeat("é", n+r.IntN(3)) }
	}
	return a
}

func (schemer) booleans(int) arbitrary {
	return arbitrary{schema: map[string]any{"type": "boolean"}, types: "b", value: func(r *rand.Rand) any { return r.IntN(2) == 0 }}
}

func (r schemer) constants(int) arbitrary {
	choice := pick(r.Rand, []any{"a", "main"}, []any{"12", "7"}, []any{1, 2, 3}, []any{0, 1}, []any{"a", 1}, []any{nil, "x"}, []any{1.5, 2})
	schema := map[string]any{"enum": choice}
	if r.IntN(4) == 0 {
		choice = choice[:1]
		schema = map[string]any{"const": choice[0]}
	}
	types := "s"
	if _, text := choice[0].(string); !text {
		types = "in"
	}
	return arbitrary{schema: schema, types: types, value: func(r *rand.Rand) any { return pick(r, choice...) }}
}

func (r schemer) nullables(int) arbitrary {
	name, types := "string", "s"
	if r.IntN(2) == 0 {
		name, types = "integer", "in"
	}
	return arbitrary{schema: map[string]any{"type": []string{name, "null"}}, types: types + "0", value: func(r *rand.Rand) any {
		switch {
		case r.IntN(2) == 0:
			return nil
		case name == "string":
			return pick(r, words...)
		}
		return r.IntN(5)
	}}
}

func (r schemer) alternatives(depth int) arbitrary {
	one, other := r.any(depth+1), r.any(depth+1)
	key := "anyOf"
	if r.IntN(6) == 0 {
		return arbitrary{schema: map[string]any{"allOf": []any{one.schema}}, types: one.types, ways: one.ways, value: one.value}
	}
	return arbitrary{schema: map[string]any{key: []any{one.schema, other.schema}}, types: one.types + other.types, ways: append(one.ways, other.ways...),
		value: func(r *rand.Rand) any {
			if r.IntN(2) == 0 {
				return one.value(r)
			}
			return other.value(r)
		}}
}

func (schemer) anythings(int) arbitrary {
	return arbitrary{schema: map[string]any{}, types: "nsb", value: func(r *rand.Rand) any {
		return pick[any](r, nil, 1, 2.5, "x", true, []any{}, map[string]any{"a": 1})
	}}
}

func (r schemer) references(depth int) arbitrary {
	a := r.objects(depth)
	name := fmt.Sprintf("d%d", r.IntN(1_000_000))
	r.definitions[name] = a.schema
	a.schema = map[string]any{"$ref": "#/$defs/" + name}
	return a
}

func (r schemer) lists(depth int) arbitrary {
	items := r.any(depth + 1)
	least, most := 0, 3
	schema := map[string]any{"type": "array", "items": items.schema}
	if r.IntN(2) == 0 {
		least = r.IntN(3)
		schema["minItems"] = least
		most += least
	}
	if r.IntN(3) == 0 {
		schema["maxItems"] = most
	}
	var first []arbitrary
	if r.IntN(5) == 0 {
		first = []arbitrary{r.any(depth + 1)}
		schema["prefixItems"] = []any{first[0].schema}
	}
	a := arbitrary{schema: schema, types: "l" + strings.ToUpper(items.types), value: func(r *rand.Rand) any {
		list := make([]any, least+r.IntN(most-least+1))
		for i := range list {
			if i < len(first) {
				list[i] = first[i].value(r)
				continue
			}
			list[i] = items.value(r)
		}
		return list
	}}
	for _, i := range []string{"[0]", "[0]", "[1]", "[?0]"} {
		a.ways = append(a.ways, items.below(i)...)
	}
	return a
}

// below are the ways to a value and into it that begin with a step.
func (a arbitrary) below(step string) []way {
	if strings.Contains(step, "?") {
		return nil
	}
	all := []way{{step, a.types}}
	for _, w := range a.ways {
		all = append(all, way{step + w.path, w.types})
	}
	return all
}

func (r schemer) objects(depth int) arbitrary {
	properties := map[string]any{}
	required := []string{}
	a := arbitrary{types: "o"}
	fields := map[string]arbitrary{}
	names := []string{"a", "b", "c", "d", "key", "n"}[:1+r.IntN(6)]
	for _, name := range names {
		f := r.any(depth + 1)
		fields[name], properties[name] = f, f.schema
		if r.IntN(4) > 0 {
			required = append(required, name)
		}
		a.ways = append(a.ways, f.below("."+name)...)
	}
	a.schema = map[string]any{"type": "object", "properties": properties}
	if r.IntN(6) > 0 {
		a.schema["required"] = required
	} else {
		required = nil
	}
	switch r.IntN(5) {
	case 0:
		a.schema["additionalProperties"] = false
	case 1:
		a.schema["additionalProperties"] = map[string]any{"type": "string"}
	}
	a.value = func(r *rand.Rand) any {
		object := map[string]any{}
		for _, name := range names {
			if r.IntN(2) == 0 || slices.Contains(required, name) {
				object[name] = fields[name].value(r)
			}
		}
		return object
	}
	return a
}

// arbitraryPayload returns a schema of payloads, also as JSON.
func arbitraryPayload(r *rand.Rand) (arbitrary, json.RawMessage) {
	of := schemer{r, map[string]any{}}
	a := of.objects(0)
	a.schema["$defs"] = of.definitions
	text, err := json.Marshal(a.schema)
	if err != nil {
		panic(err)
	}
	return a, text
}
