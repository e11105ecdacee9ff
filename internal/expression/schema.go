package expression

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/attune-automation/sensors/internal/typo"
)

// Schema is what is known of the payloads that an expression will be evaluated on.
type Schema struct{ payload *shape }

// NewSchema takes from a JSON Schema of payloads what it says plainly: types, properties, items. What it says in other
// ways counts as unknown.
func NewSchema(schema json.RawMessage) *Schema { return &Schema{payload: shapeOf(schema)} }

// A shape is what is known of a value; nil: nothing.
type shape struct {
	kind   string            // string, integer, number, boolean, array or object; empty: not known
	fields map[string]*shape // of an object; nil: not known
	items  *shape            // of a list

	null     bool            // it may be null, as its list of types says
	required map[string]bool // the fields that an object always has; nil: nobody says which
	combined bool            // more is said of it in ways that are not looked at
}

// combining are the keywords that say in other ways what there may be.
var combining = []string{"$ref", "$dynamicRef", "anyOf", "oneOf", "allOf", "if", "not", "patternProperties", "dependentSchemas"}

func shapeOf(raw json.RawMessage) *shape {
	var schema map[string]json.RawMessage
	if json.Unmarshal(raw, &schema) != nil {
		return nil
	}
	s := &shape{}
	if json.Unmarshal(schema["type"], &s.kind) != nil { // a list of types stays unknown
		var kinds []string
		_ = json.Unmarshal(schema["type"], &kinds)
		s.null = slices.Contains(kinds, "null")
	}
	s.items = shapeOf(schema["items"])
	var required []string
	if json.Unmarshal(schema["required"], &required) == nil && schema["required"] != nil {
		s.required = map[string]bool{}
		for _, name := range required {
			s.required[name] = true
		}
	}
	s.combined = slices.ContainsFunc(combining, func(key string) bool { return schema[key] != nil })
	if closed := string(schema["additionalProperties"]); s.combined || closed != "" && closed != "false" {
		return s
	}
	var properties map[string]json.RawMessage
	if json.Unmarshal(schema["properties"], &properties) == nil && len(properties) > 0 {
		s.fields = map[string]*shape{}
		for name, property := range properties {
			s.fields[name] = shapeOf(property)
		}
	}
	return s
}

// object is the shape of an object that has these fields.
func object(fields ...string) *shape {
	s := &shape{kind: "object", fields: map[string]*shape{}}
	for _, f := range fields {
		s.fields[f] = nil
	}
	return s
}

// known are the shapes of what is the same for every event of a rule.
func known(r Rule) map[string]*shape {
	trigger, sensor := object("ref", "label"), object("ref", "label", "runtime", "entrypoint", "version", "config")
	config := object("trigger", "sensor")
	config.fields["trigger"], config.fields["sensor"] = trigger, sensor
	group := object("id", "by", "count", "since", "until")
	if r.GroupBy != nil {
		group.fields["by"] = object(r.GroupBy...)
	}
	event := object("id", "trigger_ref", "created", "payload")
	if r.Parts {
		event.fields["part"] = nil
	}
	return map[string]*shape{
		"event":   object("id", "trigger_ref", "source_ref", "created", "occurred_at"),
		"trigger": trigger, "sensor": sensor, "config": config, ruleName: object("ref", "label"),
		groupName: group, eventsName: {kind: "array", items: event},
	}
}

// knownFields finds fields that no event of a rule has.
func knownFields(r Rule, a *cel.Ast) Problems {
	f := finder{ast: a, shapes: known(r)}
	f.visit()
	return f.found
}

// Check compares the expression with what payloads are like. Problems are certain: no payload of that schema could do.
// Warnings are probably slips, such as a field that the schema does not have.
func (p *Program) Check(s *Schema) (problems, warnings Problems) {
	if s.payload == nil {
		return nil, nil
	}
	f := finder{ast: p.ast, shapes: map[string]*shape{"payload": s.payload}, where: "the trigger's out_schema"}
	f.visit()
	return p.checkTypes(s), f.found
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
		if s == nil || s.fields == nil {
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

func (f *finder) report(e, operand ast.Expr, name string, names []string) {
	hint := "it has " + strings.Join(names, ", ")
	if near := typo.Closest(name, names); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	} else if len(names) == 0 {
		hint = "it has none"
	}
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

// checkTypes compiles the expression anew for payloads of that schema. A number of JSON is one or the other of CEL's
// types, as it happens to be written; what is wrong is certain only if it is wrong with both.
func (p *Program) checkTypes(s *Schema) Problems {
	env, err := p.rule.environment()
	if err != nil {
		return nil
	}
	whole := env.compileFor(p.text, s, cel.IntType)
	if len(whole) == 0 {
		return nil
	}
	broken := env.compileFor(p.text, s, cel.DoubleType)
	return slices.DeleteFunc(whole, func(w Problem) bool {
		return !slices.ContainsFunc(broken, func(b Problem) bool { return b.Line == w.Line && b.Column == w.Column })
	})
}

func (e *environ) compileFor(text string, s *Schema, number *cel.Type) Problems {
	var options []cel.EnvOption
	declare(s.payload, "payload", number, &options)
	if len(options) == 0 {
		return nil
	}
	env, err := e.cel.Extend(options...)
	if err != nil {
		return nil
	}
	_, issues := env.Compile(text)
	if issues.Err() == nil {
		return nil
	}
	return e.problems(issues)
}

var (
	simpleName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	reserved   = []string{"as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let",
		"loop", "namespace", "null", "package", "return", "true", "var", "void", "while"}
)

// maxDeclared is how many fields of a payload are looked at for their types.
const maxDeclared = 500

// declare makes each field whose type is known a variable of its own, payload.user.name: CEL resolves such a name before
// it looks into payload, which itself stays what it is.
func declare(s *shape, path string, number *cel.Type, options *[]cel.EnvOption) {
	for _, name := range slices.Sorted(maps.Keys(s.fields)) {
		field := s.fields[name]
		if field == nil || !simpleName.MatchString(name) || slices.Contains(reserved, name) || len(*options) >= maxDeclared {
			continue
		}
		below := path + "." + name
		if t := field.celType(number); t != nil {
			*options = append(*options, cel.Variable(below, t))
		} else if field.kind == "object" {
			declare(field, below, number, options)
		}
	}
}

// celType returns nil unless the type of the value is certain.
func (s *shape) celType(number *cel.Type) *cel.Type {
	switch s.kind {
	case "string":
		return cel.StringType
	case "boolean":
		return cel.BoolType
	case "integer", "number":
		return number
	case "array":
		if s.items != nil {
			if t := s.items.celType(number); t != nil {
				return cel.ListType(t)
			}
		}
		return cel.ListType(cel.DynType)
	}
	return nil
}
