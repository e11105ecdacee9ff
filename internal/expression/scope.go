package expression

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/ast"

	"github.com/attune-automation/sensors/internal/condition"
)

// Given is what is known of the events that an expression is evaluated on, besides the schema of their payloads, because
// otherwise it would not come to that. The zero Given knows nothing.
type Given struct {
	facts []condition.Ensured
	cel   *Program // it is true; nil: there is none
}

// GivenBy returns what is known if a rule's conditions hold, and its expression, if it has one.
func GivenBy(conditions *condition.Program, cel *Program) Given {
	return Given{conditions.Ensured(), cel}
}

// A scope is what is known where a part of an expression stands.
type scope struct {
	names  map[string]*shape
	facts  map[string]*shape  // of parts of the expression, by their place
	memo   map[memoKey]*shape // what is known with these very facts, once it was asked for
	effort *Effort
}

// memoKey is a value at a place, of which something is known anyway.
type memoKey struct {
	place string
	value *shape
}

// knowing is the scope with a fact about the value at a place.
func (s scope) knowing(place string, fact *shape) scope {
	if s.effort.spent() {
		return s
	}
	s.effort.take(len(s.facts) / factsPerStep)
	s.memo, s.facts = map[memoKey]*shape{}, maps.Clone(s.facts)
	if s.facts == nil {
		s.facts = map[string]*shape{}
	}
	if !fact.kinds.single() && fact.stated { // what it rules out is certain, and not that all else may be
		f := *fact
		f.stated, fact = false, &f
	}
	s.facts[place] = meet(s.facts[place], fact)
	return s
}

// either is what two scopes have in common.
func (s scope) either(other scope) scope {
	s.effort.take(len(s.facts) / factsPerStep)
	both := map[string]*shape{}
	for place, fact := range s.facts {
		if f, ok := other.facts[place]; ok {
			both[place] = join(fact, f)
		}
	}
	s.facts, s.memo = both, map[memoKey]*shape{}
	return s
}

// binding is the scope in a loop, in which names are something else.
func (s scope) binding(names map[string]*shape) scope {
	s.effort.take(len(s.facts) / factsPerStep)
	facts := maps.Clone(s.facts)
	for name := range names {
		maps.DeleteFunc(facts, func(place string, _ *shape) bool { return mentions(place, name) })
	}
	all := maps.Clone(s.names)
	maps.Copy(all, names)
	return scope{all, facts, map[memoKey]*shape{}, s.effort}
}

var words = regexp.MustCompile(`[A-Za-z_@#][A-Za-z0-9_]*`)

// mentions says whether an expression that has this place may begin at the name.
func mentions(place, name string) bool {
	if strings.HasPrefix(place, "=") {
		return slices.Contains(words.FindAllString(place, -1), name)
	}
	return place == name || strings.HasPrefix(place, name+"\x00")
}

// place names what an expression yields, so that two expressions of one place yield the same: a path, or what is written.
func (a *analysis) place(e ast.Expr) string {
	if place, known := a.places[e.ID()]; known {
		return place
	}
	place := ""
	if p := pathOf(e); p != nil {
		place = placeOf(p.root, p.steps...)
	} else {
		place = "=" + write(a.ast, e)
	}
	if a.places == nil {
		a.places = map[int64]string{}
	}
	a.places[e.ID()] = place
	return place
}

func placeOf(root string, steps ...any) string {
	for _, step := range steps {
		switch step := step.(type) {
		case string:
			root += "\x00" + step
		case int:
			root += "\x00[" + strconv.Itoa(step)
		}
	}
	return root
}

// start is the scope in which the expressions of a rule stand.
func (a *analysis) start(s *Schema, given Given) scope {
	sc := s.given(given, known(a.program.rule), a.env, a.effort)
	if sc.names[eventsName] != nil {
		sc.names[eventsName] = a.program.rule.events(s, sc.known("payload", sc.names["payload"]))
	}
	return sc
}

// given is the scope of what is known of an event that a rule matches.
func (s *Schema) given(given Given, names map[string]*shape, env *environ, effort *Effort) scope {
	payload := s.payload
	if payload == nil {
		payload = unknown()
	}
	if !payload.stated { // events are objects unless somebody says otherwise
		stated := payload.fields != nil || payload.required != nil
		payload = meet(payload, anything(isMap))
		payload.stated = stated
	}
	names["payload"] = payload
	s.source.limit(names)
	sc := scope{names: names, memo: map[memoKey]*shape{}, effort: effort}
	for _, e := range given.facts {
		sc = sc.knowing(placeOf(e.Root.String(), e.Steps...), ensuredShape(e))
	}
	if given.cel != nil {
		other := analysis{program: given.cel, ast: given.cel.ast, env: env, effort: effort}
		sc = other.assume(given.cel.ast.NativeRep().Expr(), true, sc)
	}
	return sc
}

// Matched returns what is known of the payloads that a rule matches, besides what the schema says.
func (s *Schema) Matched(given Given) *Schema {
	var env *environ
	names := known(Rule{})
	if given.cel != nil {
		var err error
		if env, err = given.cel.rule.environment(); err != nil {
			return s
		}
		names = known(given.cel.rule)
	}
	effort := &Effort{}
	sc := s.given(given, names, env, effort)
	if effort.spent() { // what the rule asks for is known in part only
		return &Schema{payload: waived()}
	}
	return &Schema{payload: sc.known("payload", sc.names["payload"]), source: s.source}
}

var ensuredKinds = map[string]kinds{"null": isNull, "boolean": isBool, "number": isInt | isDouble, "string": isString, "list": isList, "object": isMap}

func ensuredShape(e condition.Ensured) *shape {
	s := anything(0)
	for _, name := range e.Types {
		s.kinds |= ensuredKinds[name]
	}
	s.stated, s.there = s.kinds.single(), e.There
	s.least, s.most, s.notZero = e.Least, e.Most, e.NotZero
	s.fewest, s.many = e.Fewest, e.Many
	if e.Many < 0 {
		s.many = unbounded
	}
	return s
}
