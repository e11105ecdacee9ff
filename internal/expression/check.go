package expression

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// CheckCondition is Check for the condition of a rule, which does not hold where a field is missing that it asks for: that
// is a warning where the schema says that the field may be.
func (p *Program) CheckCondition(s *Schema, given Given) (problems, warnings Problems) {
	problems, warnings = p.Check(s)
	for _, a := range p.absences(s.payload, given) {
		if a.known {
			warnings = append(warnings, p.problemAt(a.access,
				"%s may be missing by the trigger's out_schema, and then the expression does not hold: ask for it by has(...), or write %s",
				write(p.ast, a.access), withDefault(write(p.ast, a.access))))
		}
	}
	return problems, append(warnings, p.checkNull(s.payload, given)...)
}

// Check compares the expressions with what payloads are like, see Program.Check. Beyond that, it is a problem if one is
// certain to fail on a payload that the schema allows: because it needs a field that may be missing, or null. Where nobody
// says whether a field is there, one warning for all of them says so.
func (t *Template) Check(s *Schema, given Given) (problems, warnings PathProblems) {
	var unsaid unsaidFields
	for _, p := range t.programs {
		bad, odd := p.Program.Check(s)
		needed := evaluated(p.ast.NativeRep().Expr(), false)
		for _, a := range p.absences(s.payload, given) {
			text := write(p.ast, a.access)
			key, _ := fieldOf(a.access)
			switch found := p.problemAt(a.access, "%s may be missing by the trigger's out_schema: write %s, or add a condition on it", text, withDefault(text)); {
			case !a.known:
				unsaid.add(p, a.access)
			case needed[key]:
				bad = append(bad, found)
			default:
				odd = append(odd, found)
			}
		}
		null := p.checkNull(s.payload, given)
		if p.part {
			null = append(null, p.nullInText(s.payload, given)...)
		}
		if p.branches() {
			odd = append(odd, null...)
		} else {
			bad = append(bad, null...)
		}
		problems, warnings = append(problems, p.at(bad)...), append(warnings, p.at(odd)...)
	}
	return problems, append(warnings, unsaid.warning()...)
}

// unsaidFields are fields of which nobody says whether they are there.
type unsaidFields struct {
	names []string
	first *located
	at    ast.Expr
}

func (u *unsaidFields) add(p *located, access ast.Expr) {
	if u.first == nil {
		u.first, u.at = p, access
	}
	if name := write(p.ast, access); !slices.Contains(u.names, name) {
		u.names = append(u.names, name)
	}
}

// maxUnsaid is how many of them are named.
const maxUnsaid = 5

func (u *unsaidFields) warning() PathProblems {
	if u.first == nil {
		return nil
	}
	names, more := u.names, ""
	if len(names) > maxUnsaid {
		names, more = names[:maxUnsaid], fmt.Sprintf(" and %d more", len(u.names)-maxUnsaid)
	}
	return u.first.at(Problems{u.first.problemAt(u.at, "nothing says that an event has %s%s, and without it there are no parameters: "+
		"list it as required in the trigger's out_schema, add a condition on it, or write a default, such as %s",
		strings.Join(names, ", "), more, withDefault(names[0]))})
}

// branches says whether some part of the expression may not be evaluated.
func (p *Program) branches() (found bool) {
	ast.PostOrderVisit(p.ast.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		found = found || e.Kind() == ast.ComprehensionKind || e.Kind() == ast.CallKind && slices.Contains(
			[]string{operators.Conditional, operators.LogicalAnd, operators.LogicalOr}, e.AsCall().FunctionName())
	}))
	return found
}

// withDefault writes an access to a field as it is written with a default.
func withDefault(text string) string {
	if i := strings.LastIndexByte(text, '['); i > 0 && strings.HasSuffix(text, "]") {
		return text[:i] + "[?" + text[i+1:] + ".orValue(...)"
	}
	i := strings.LastIndexByte(text, '.')
	return text[:i+1] + "?" + text[i+1:] + ".orValue(...)"
}

func (p *Program) problemAt(e ast.Expr, format string, args ...any) Problem {
	at := p.ast.NativeRep().SourceInfo().GetStartLocation(e.ID())
	return Problem{Line: max(at.Line(), 1), Column: max(at.Column(), 0) + 1, Message: fmt.Sprintf(format, args...)}
}

// checkNull compiles the expression with each field that may be null by the schema as if it were, unless the expression
// compares it with null, or asks for its type.
func (p *Program) checkNull(s *shape, given Given) Problems {
	env, err := p.rule.environment()
	if err != nil {
		return nil
	}
	f := finder{ast: p.ast, shapes: map[string]*shape{"payload": s}}
	careful := comparedWithNull(p.ast.NativeRep().Expr())
	var found Problems
	ast.PostOrderVisit(p.ast.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		key, ok := fieldOf(e)
		if !ok || given.notNull[key] || careful[key] {
			return
		}
		careful[key] = true
		if s := f.shape(e); s == nil || !s.null {
			return
		}
		name := write(p.ast, e)
		null, err := env.cel.Extend(cel.Variable(name, cel.NullType))
		if err != nil {
			return // a name that CEL does not take for a variable's
		}
		if _, issues := null.Compile(p.text); issues.Err() != nil {
			found = append(found, p.problemAt(e, nullMessage, name))
		}
	}))
	return found
}

// nullInText finds a field that may be null and becomes a part of a text as it is: null has none.
func (p *located) nullInText(s *shape, given Given) Problems {
	e := p.ast.NativeRep().Expr()
	f := finder{ast: p.ast, shapes: map[string]*shape{"payload": s}}
	key, ok := fieldOf(e)
	if field := f.shape(e); !ok || field == nil || !field.null || given.notNull[key] {
		return nil
	}
	return Problems{p.problemAt(e, nullMessage, write(p.ast, e))}
}

const nullMessage = "%s may be null by the trigger's out_schema, which does not do here: " +
	"write what it should be then, such as %[1]s == null ? ... : %[1]s, or add a condition on it"
