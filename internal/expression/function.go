package expression

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/decls"
)

// function is what a function yields of its arguments, and whether it takes them.
func (a *analysis) function(e ast.Expr, s scope) *shape {
	call := e.AsCall()
	args := call.Args()
	if call.IsMemberFunction() {
		args = append([]ast.Expr{call.Target()}, args...)
	}
	values := make([]*shape, len(args))
	name := call.FunctionName()
	for i, arg := range args {
		if i == 1 && (name == "or" || name == "orValue") { // which is evaluated only if there is no value
			a.branch(func() { values[i] = a.value(arg, s) })
			continue
		}
		values[i] = a.value(arg, s)
	}
	overloads := a.overloads(name, call.IsMemberFunction(), len(values))
	tries := len(overloads)
	for _, v := range values {
		tries *= bits.OnesCount16(uint16(v.kinds))
	}
	if !a.effort.take(tries / triesPerStep) {
		return waived()
	}
	fit := fitting(overloads, values)
	a.mismatch(e, name, args, values, fit)
	if chosen := a.chosen(e, overloads); chosen != nil && !fit.fails && fitting(chosen, values).fails {
		a.misjudged(e, name, args, values, chosen[0])
	}
	if a.partial(e, name, args, values); fit.result == 0 {
		return sure(0)
	}
	return a.result(name, args, values, fit.result)
}

// overloads are those of a function for so many arguments.
func (a *analysis) overloads(name string, member bool, args int) (found []*decls.OverloadDecl) {
	function, ok := a.env.cel.Functions()[name]
	if !ok {
		return nil
	}
	for _, o := range function.OverloadDecls() {
		if o.IsMemberFunction() == member && len(o.ArgTypes()) == args {
			found = append(found, o)
		}
	}
	return found
}

// chosen is the one overload that CEL has chosen for a call when it was compiled, if that is the only one that it calls then;
// nil: it chooses when it knows the arguments.
func (a *analysis) chosen(e ast.Expr, overloads []*decls.OverloadDecl) []*decls.OverloadDecl {
	name := e.AsCall().FunctionName()
	reference := a.ast.NativeRep().GetOverloadIDs(e.ID())
	if len(reference) != 1 || operatorName.MatchString(name) || a.env.cel.Functions()[name].HasSingletonBinding() {
		return nil
	}
	if i := slices.IndexFunc(overloads, func(o *decls.OverloadDecl) bool { return o.ID() == reference[0] }); i >= 0 {
		return overloads[i : i+1]
	}
	return nil
}

// misjudged notes an argument that CEL takes to be of the type of its default.
func (a *analysis) misjudged(e ast.Expr, name string, args []ast.Expr, values []*shape, chosen *decls.OverloadDecl) {
	for i, v := range values {
		if bad := v.kinds &^ kindsOf(chosen.ArgTypes()[i]); bad != 0 {
			text := shorten(write(a.ast, args[i]))
			r := risk{at: e, level: allowed, waived: v.waived, about: text, lack: lackType,
				what: fmt.Sprintf("%s may be %s, and %s takes it to be %s, as its default is", text, bad, name, kindsOf(chosen.ArgTypes()[i])),
				fix:  fmt.Sprintf("write dyn(%s)", text)}
			if !v.stated {
				r.level = unsaid
			}
			a.note(r)
			return
		}
	}
}

// A fit says which kinds of arguments the overloads of a function take.
type fit struct {
	taken  []kinds // of each argument, with some kinds of the others
	result kinds
	fails  bool // with some kinds of the arguments
}

// fitting tries all kinds that the arguments may be of. What has no overloads takes anything.
func fitting(overloads []*decls.OverloadDecl, values []*shape) fit {
	f := fit{taken: make([]kinds, len(values))}
	if len(overloads) == 0 {
		f.result = isAny
		return f
	}
	chosen := make([]kinds, len(values))
	var try func(i int)
	try = func(i int) {
		if i < len(values) {
			values[i].kinds.each(func(k kinds) {
				chosen[i] = k
				try(i + 1)
			})
			return
		}
		found := false
		for _, o := range overloads {
			if !takes(o.ArgTypes(), chosen, values) {
				continue
			}
			found = true
			f.result |= kindsOf(o.ResultType())
			for i, k := range chosen {
				f.taken[i] |= k
			}
		}
		f.fails = f.fails || !found
	}
	try(0)
	return f
}

func takes(wanted []*cel.Type, chosen []kinds, values []*shape) bool {
	for i, t := range wanted {
		k := kindsOf(t)
		if k&chosen[i] == 0 {
			return false
		}
		if k == isList && values[i].many > 0 {
			if inside := kindsOf(t.Parameters()[0]); inside != isList && !inside.has(values[i].element().kinds) {
				return false
			}
		}
	}
	return true
}

// taken are the kinds that the arguments of a function are of if it has a result; nil: not known.
func (a *analysis) taken(name string, args []ast.Expr, s scope) []kinds {
	function, ok := a.env.cel.Functions()[name]
	if !ok {
		return nil
	}
	taken := make([]kinds, len(args))
	for _, o := range function.OverloadDecls() {
		for i, t := range o.ArgTypes() {
			if len(o.ArgTypes()) == len(args) {
				taken[i] |= kindsOf(t)
			}
		}
	}
	return taken
}

// mismatch notes arguments of kinds that a function does not take.
func (a *analysis) mismatch(e ast.Expr, name string, args []ast.Expr, values []*shape, f fit) {
	if !f.fails {
		return
	}
	blamed := -1
	for i, v := range values {
		if v.kinds&^f.taken[i] != 0 && (blamed < 0 || !v.stated && values[blamed].stated) {
			blamed = i
		}
	}
	if blamed < 0 { // each kind is taken with some kinds of the others
		blamed = max(0, slices.IndexFunc(values, func(v *shape) bool { return !v.kinds.single() }))
	}
	v := values[blamed]
	bad := v.kinds &^ f.taken[blamed]
	if !v.stated && v.kinds == isJSON && bad.has(isNull) && bad != isNull {
		bad = 0
	}
	a.unfit(e, args[blamed], v, bad, operatorText(name), f.result == 0)
}

func operatorText(name string) string {
	if m := operatorName.FindStringSubmatch(name); m != nil {
		return m[1]
	}
	return strings.TrimSuffix(strings.TrimPrefix(name, "@"), "()")
}
