package expression

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
)

// level says how it is known that something may fail.
type level int

const (
	unsaid  level = iota // nobody says that it does not
	content              // it depends on what the event brings, of which no more can be known
	allowed              // the schema, or the rule, allows what makes it fail
	certain              // it always does
)

// lack is what nobody says of a value.
type lack int

const (
	lackField lack = iota
	lackElement
	lackType
)

// A risk is a part of an expression that may fail.
type risk struct {
	at     ast.Expr
	level  level
	sure   bool   // it is evaluated on every event
	waived bool   // nothing is to be said of it
	about  string // the expression of which something is not said
	lack   lack
	what   string // may happen
	fix    string // what to do
	ask    string // what to do in a condition; empty: the same
}

// same says whether what one risk is about is also what the other is about.
func (r risk) same(other risk) bool { return r.what == other.what && r.level == other.level }

// String says what may happen and what to do.
func (r risk) String() string {
	if r.fix == "" {
		return r.what
	}
	return r.what + ": " + r.fix
}

// note takes a risk, unless it is known already.
func (a *analysis) note(r risk) {
	if r.waived || a.effort.spent() {
		return
	}
	r.sure = true
	a.risks = append(a.risks, r)
}

// distinct are the risks without those that are the same as others, or follow from them.
func distinct(risks []risk) []risk {
	var found []risk
	for _, r := range risks {
		i := slices.IndexFunc(found, func(f risk) bool {
			return f.same(r) || f.lack == lackField && r.lack == lackField && f.about != "" && strings.HasPrefix(r.about, f.about+".")
		})
		if i < 0 {
			found = append(found, r)
		} else if f := &found[i]; f.same(r) {
			f.sure = f.sure || r.sure
		}
	}
	return found
}

// root is the name that an expression begins at; empty: it is more than a way to a value.
func root(e ast.Expr) string {
	switch e.Kind() {
	case ast.IdentKind:
		return pathOf(e).root
	case ast.SelectKind:
		return root(e.AsSelect().Operand())
	case ast.CallKind:
		if call := e.AsCall(); len(call.Args()) == 2 && !call.IsMemberFunction() {
			if operand, _ := member(e); operand != nil {
				return root(operand)
			}
			if strings.Contains(call.FunctionName(), "[") {
				return root(call.Args()[0])
			}
		}
	}
	return ""
}

// by says whose word it is what a value may be.
func (a *analysis) by(e ast.Expr) string {
	switch root(e) {
	case "":
		return ""
	case groupName, eventsName:
		if !strings.Contains(write(a.ast, e), ".payload") {
			return " by the rule's throttle or correlation"
		}
	case "event", "trigger", "sensor", "config", ruleName:
		return ""
	}
	return " by the trigger's out_schema"
}

// sizeRemedy says how to have it said that a list has so many elements.
func (a *analysis) sizeRemedy(list ast.Expr, n int) string {
	switch root(list) {
	case groupName, eventsName:
		return "or look at payload, which is the last event's"
	case "":
		return "or make sure that it is longer"
	}
	return fmt.Sprintf("add a condition such as length_greater_or_equal %d, or say minItems: %d in the trigger's out_schema", n, n)
}

// needs notes that a value may be of other kinds than those that are taken.
func (a *analysis) needs(e, of ast.Expr, v *shape, wanted kinds, what string) {
	bad := v.kinds &^ wanted
	if bad == 0 {
		return
	}
	a.unfit(e, of, v, bad, what, bad == v.kinds)
}

// unfit notes that a value may be of kinds that are not taken; 0: of some, with some others.
func (a *analysis) unfit(e, of ast.Expr, v *shape, bad kinds, what string, always bool) {
	text := shorten(write(a.ast, of))
	r := risk{at: e, waived: v.waived, level: v.allowed(), about: text, lack: lackType}
	switch {
	case !v.stated && !always:
		r.level = unsaid
	case v.vague && !always:
		r.level = unsaid
	}
	r.what = fmt.Sprintf("%s may be %s%s, which %s does not take", text, bad, a.by(of), what)
	r.fix = fmt.Sprintf("convert it, or ask for its type, such as type(%s) == %s ? ... : ...", text, oneType(v.kinds&^bad))
	switch {
	case bad == isNull:
		at := of
		r.at = at
		r.what = fmt.Sprintf("%s may be null%s, which does not do here", text, a.by(of))
		if root(of) == "" {
			text = "(" + text + ")"
		}
		r.fix = fmt.Sprintf("write what it should be then, such as %s == null ? ... : %s, or add a condition on it", text, text)
	case bad&isOptional != 0:
		r.what = fmt.Sprintf("%s is an optional value, which %s does not take", text, what)
		r.fix = fmt.Sprintf("give it a default, %s.orValue(...)", text)
	case bad == 0 && v.kinds&^isNumber != 0:
		r.what = fmt.Sprintf("%s may be %s%s, and %s does not take all of these together", text, v.kinds, a.by(of), what)
	case bad&^isNumber == 0 && v.kinds.has(isInt|isDouble):
		r.what = fmt.Sprintf("%s may be an integer or a number with a fraction%s, and %s does not take all of these together", text, a.by(of), what)
		r.fix = fmt.Sprintf("convert it and compute with fractions, such as double(%s) and 1.0", text)
	case bad == isList:
		r.what = fmt.Sprintf("%s may have elements%s that %s does not take", text, a.by(of), what)
		r.fix = fmt.Sprintf("convert them, such as %s.map(x, string(x))", text)
		if !v.element().stated {
			r.level = unsaid
		}
	}
	if always && bad&^isNumber == 0 {
		r.fix = fmt.Sprintf("convert it, such as string(%s) or double(%s)", text, text)
	} else if always && bad != isNull && bad&isOptional == 0 {
		r.fix = "convert it"
	}
	a.note(r)
}

// oneType is the name of a type that would do.
func oneType(k kinds) string {
	if k != 0 {
		first := kinds(1) << bits.TrailingZeros16(uint16(k))
		for name, of := range typeNames {
			if of == first {
				return name
			}
		}
	}
	return "string"
}
