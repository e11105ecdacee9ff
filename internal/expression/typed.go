package expression

import (
	"maps"
	"regexp"
	"slices"

	"cel.dev/cel-go/cel"
)

// checkTypes compiles the expression anew for payloads of that schema. A number of JSON is one or the other of CEL's
// types, as it happens to be written; what is wrong is certain only if it is wrong with both.
func (v *view) checkTypes(p *Program) Problems {
	env, err := p.rule.environment()
	if err != nil {
		return nil
	}
	whole := v.compileFor(env, p.text, cel.IntType)
	if len(whole) == 0 {
		return nil
	}
	broken := v.compileFor(env, p.text, cel.DoubleType)
	return slices.DeleteFunc(whole, func(w Problem) bool {
		return fine.MatchString(w.Message) || !slices.ContainsFunc(broken, func(b Problem) bool { return b.Line == w.Line && b.Column == w.Column })
	})
}

// fine is what CEL refuses where it knows a type, and takes where it does not: what is compared with null and never is it,
// which is needless and no mistake, and values of two types of which one is the result, or which one list has.
var fine = regexp.MustCompile(`^[!=]= does not take \((.*, null|null, .*)\)|, which are of different types: write dyn`)

func (v *view) compileFor(e *environ, text string, number *cel.Type) Problems {
	env, made := v.typed[number]
	if !made {
		var options []cel.EnvOption
		if declare(v.schema.payload, "payload", number, &options); len(options) > 0 {
			env, _ = e.cel.Extend(options...)
		}
		if v.typed == nil {
			v.typed = map[*cel.Type]*cel.Env{}
		}
		v.typed[number] = env
	}
	if env == nil {
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
		} else if field.kinds == isMap {
			declare(field, below, number, options)
		}
	}
}

// celType returns nil unless the type of the value is certain.
func (s *shape) celType(number *cel.Type) *cel.Type {
	switch {
	case s.kinds == isString:
		return cel.StringType
	case s.kinds == isBool:
		return cel.BoolType
	case s.kinds == isInt, s.kinds == isInt|isDouble:
		return number
	case s.kinds == isList:
		if s.items != nil && s.prefix == nil {
			if t := s.items.celType(number); t != nil {
				return cel.ListType(t)
			}
		}
		return cel.ListType(cel.DynType)
	}
	return nil
}
