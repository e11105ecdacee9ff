package expression

import (
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
	fit := a.fit(name, call.IsMemberFunction(), values)
	a.mismatch(e, name, args, values, fit)
	if a.partial(e, name, args, values); fit.result == 0 {
		return sure(0)
	}
	return a.result(name, args, values, fit.result)
}

// A fit says which kinds of arguments the overloads of a function take.
type fit struct {
	taken  []kinds // of each argument, with some kinds of the others
	result kinds
	fails  bool // with some kinds of the arguments
	known  bool // the function
}

// fit tries all kinds that the arguments may be of.
func (a *analysis) fit(name string, member bool, values []*shape) fit {
	function, ok := a.env.cel.Functions()[name]
	f := fit{taken: make([]kinds, len(values)), known: ok}
	if !ok {
		f.result = isAny
		return f
	}
	var overloads []*decls.OverloadDecl
	for _, o := range function.OverloadDecls() {
		if o.IsMemberFunction() == member && len(o.ArgTypes()) == len(values) {
			overloads = append(overloads, o)
		}
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
