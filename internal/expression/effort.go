package expression

import "cel.dev/cel-go/cel"

// Effort counts what it takes to look at the expressions of one rule, in steps of about a microsecond: each part of an
// expression that is looked at, and what is known there that has to be gone through or written anew. Once it is spent, nothing
// is looked at any more: what was found until then stands, and a warning says where it ended.
// The zero Effort has taken nothing. It is not safe for concurrent use.
type Effort struct{ steps int }

// MaxEffort is how many steps are taken for all expressions of a rule together.
const MaxEffort = 1_000_000

// Steps returns how many were taken.
func (e *Effort) Steps() int { return e.steps }

func (e *Effort) spent() bool { return e.steps >= MaxEffort }

// take counts what comes next, and says whether it is still to be done.
func (e *Effort) take(steps int) bool {
	if e.spent() {
		return false
	}
	e.steps += steps
	return true
}

// How many of what is done to many at once, each of which takes less than a step, are one.
const (
	factsPerStep = 16 // that are gone through, or copied
	triesPerStep = 16 // whether a function takes arguments of some types
)

const endOfEffort = "the rule's expressions take more steps to look at than are taken: what may fail from here on is not looked for; write fewer or shorter ones"

// A view is what the expressions of a rule are looked at with.
type view struct {
	schema *Schema
	given  Given
	effort *Effort
	start  *scope                 // of them all, once it was needed; nil: it was not
	typed  map[*cel.Type]*cel.Env // where the payload's fields have types, by that of their numbers; nil: none has
}

// analysis begins to look at an expression; nil: it cannot be.
func (v *view) analysis(p *Program) *analysis {
	env, err := p.rule.environment()
	if err != nil {
		return nil
	}
	return &analysis{program: p, ast: p.ast, env: env, effort: v.effort}
}

// scope is what is known where the expressions stand, which are of one rule.
func (v *view) scope(a *analysis) scope {
	if v.start == nil {
		s := a.start(v.schema, v.given)
		v.start = &s
	}
	return *v.start
}
