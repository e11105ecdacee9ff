package expression

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/attune-automation/sensors/internal/typo"
)

// Schema is what is known of the payloads that an expression will be evaluated on.
type Schema struct {
	payload *shape
	parts   map[string]*Schema // of the events of a correlation, by part; nil: not known
	source  Source             // of the events
}

// NewSchema takes from a JSON Schema of payloads what it says plainly: types, properties, items. What it says in other
// ways counts as unknown.
func NewSchema(schema json.RawMessage) *Schema {
	r := schemaReader{root: schema, room: maxShapes}
	return &Schema{payload: r.shape(schema, 0)}
}

// knownFields finds fields that no event of a rule has.
func knownFields(r Rule, a *cel.Ast) Problems {
	f := finder{ast: a, shapes: known(r)}
	f.visit()
	return f.found
}

// finder looks for fields that a shape does not have.
type finder struct {
	ast    *cel.Ast
	shapes map[string]*shape // by root
	where  string
	found  Problems
}

func (f *finder) visit() {
	f.loops()
	ast.PostOrderVisit(f.ast.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		operand, name := member(e)
		if operand == nil {
			return
		}
		s := f.shape(operand)
		if s == nil || s.fields == nil || s.more != nil || s.vague {
			return
		}
		if _, ok := s.fields[name]; !ok {
			f.report(e, operand, name, slices.Sorted(maps.Keys(s.fields)))
		}
	}))
}

// loops learns what the variables of loops are: elements of the list that it goes over. Of a name that is used for more
// than one thing, nothing is known.
func (f *finder) loops() {
	taken := map[string]bool{}
	ast.PreOrderVisit(f.ast.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.ComprehensionKind {
			return
		}
		c := e.AsComprehension()
		name := c.IterVar()
		_, isRoot := f.shapes[name]
		var element *shape
		if list := f.shape(c.IterRange()); list != nil && !c.HasIterVar2() {
			element = list.items
		}
		if taken[name] || isRoot {
			element = nil
		}
		taken[name], f.shapes[name] = true, element
	}))
}

// suggest says which of the names is meant, or which there are.
func suggest(name string, names []string) string {
	if near := typo.Closest(name, names); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	if len(names) == 0 {
		return "it has none"
	}
	return "it has " + strings.Join(names, ", ")
}

func (f *finder) report(e, operand ast.Expr, name string, names []string) {
	hint := suggest(name, names)
	has := " has no field"
	if f.where != "" {
		has += " in " + f.where + " named"
	}
	at := f.ast.NativeRep().SourceInfo().GetStartLocation(e.ID())
	f.found = append(f.found, Problem{
		Line: max(at.Line(), 1), Column: max(at.Column(), 0) + 1,
		Message: fmt.Sprintf("%s%s %q: %s", write(f.ast, operand), has, name, hint),
	})
}

// member takes the access to a field apart; nil if the expression is none.
func member(e ast.Expr) (operand ast.Expr, name string) {
	switch e.Kind() {
	case ast.SelectKind:
		return e.AsSelect().Operand(), e.AsSelect().FieldName()
	case ast.CallKind:
		call := e.AsCall()
		switch call.FunctionName() {
		case operators.Index, operators.OptSelect, operators.OptIndex:
			if key := call.Args()[1]; key.Kind() == ast.LiteralKind {
				if s, ok := key.AsLiteral().(types.String); ok {
					return call.Args()[0], string(s)
				}
			}
		}
	}
	return nil, ""
}

// shape returns what is known of the value of an expression.
func (f *finder) shape(e ast.Expr) *shape {
	if operand, name := member(e); operand != nil {
		if s := f.shape(operand); s != nil {
			return s.fields[name]
		}
		return nil
	}
	switch e.Kind() {
	case ast.IdentKind:
		return f.shapes[e.AsIdent()]
	case ast.CallKind:
		call := e.AsCall()
		if name := call.FunctionName(); name == operators.Index || name == operators.OptIndex {
			if s := f.shape(call.Args()[0]); s != nil {
				return s.items
			}
		}
	}
	return nil
}
