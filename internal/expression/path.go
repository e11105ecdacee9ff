package expression

import (
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/parser"
)

// A path is an expression that only leads somewhere, such as payload.commits[0].author. It says how to get there
// without CEL, whose numbers have no more digits than a float64.
type path struct {
	root  string
	steps []any // a string is a key, an int an index
}

// pathOf returns nil if the expression is more than a path.
func pathOf(e ast.Expr) *path {
	switch e.Kind() {
	case ast.IdentKind:
		return &path{root: strings.TrimPrefix(e.AsIdent(), ".")}
	case ast.SelectKind:
		if s := e.AsSelect(); !s.IsTestOnly() {
			return pathOf(s.Operand()).then(s.FieldName())
		}
	case ast.CallKind:
		call := e.AsCall()
		if call.FunctionName() != operators.Index || call.Args()[1].Kind() != ast.LiteralKind {
			return nil
		}
		switch key := call.Args()[1].AsLiteral().(type) {
		case types.String:
			return pathOf(call.Args()[0]).then(string(key))
		case types.Int:
			return pathOf(call.Args()[0]).then(int(key))
		}
	}
	return nil
}

func (p *path) then(step any) *path {
	if p != nil {
		p.steps = append(p.steps, step)
	}
	return p
}

// find returns what the path leads to; false if that is nothing.
func (p *path) find(in *Input, rule Rule) (any, bool) {
	v, ok := activation{in, rule}.ResolveName(p.root)
	for _, step := range p.steps {
		switch step := step.(type) {
		case string:
			object, _ := v.(map[string]any)
			v, ok = object[step]
		case int:
			list, _ := v.([]any)
			if ok = 0 <= step && step < len(list); ok {
				v = list[step]
			}
		}
		if !ok {
			return nil, false
		}
	}
	return v, ok
}

// usedRoots returns the roots that an expression begins at.
func usedRoots(a *cel.Ast) (uses [roots]bool) {
	ast.PostOrderVisit(a.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.IdentKind {
			return
		}
		for i, root := range documentRoots {
			uses[root] = uses[root] || e.AsIdent() == rootNames[i]
		}
	}))
	return uses
}

// partText returns the part of an expression that has the ID, as it could be written; empty if there is none.
func partText(a *cel.Ast, id int64) string {
	var found ast.Expr
	ast.PostOrderVisit(a.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.ID() == id && id != 0 {
			found = e
		}
	}))
	if found == nil {
		return ""
	}
	return write(a, found)
}

// write returns a part of an expression as it could be written.
func write(a *cel.Ast, part ast.Expr) string {
	text, err := parser.Unparse(part, a.NativeRep().SourceInfo())
	if err != nil {
		return ""
	}
	return text
}
