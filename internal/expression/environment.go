package expression

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"
)

// An environ is what every expression is compiled in. It never changes once it is made.
type environ struct {
	cel     *cel.Env
	options []cel.ProgramOption
	roots   []string // that an expression may begin at
	names   []string // of functions, for hints
}

// Environments are made once, when the first expression is compiled in them: they cost more than most programs ever need.
var (
	plainEnvironment = sync.OnceValues(func() (*environ, error) { return newEnvironment(rootNames) })
	groupEnvironment = sync.OnceValues(func() (*environ, error) { return newEnvironment(slices.Concat(rootNames, groupNames)) })
)

// environment returns what the expressions of a rule are compiled in.
func (r Rule) environment() (*environ, error) {
	if r.Groups {
		return groupEnvironment()
	}
	return plainEnvironment()
}

func newEnvironment(roots []string) (*environ, error) {
	options := []cel.EnvOption{
		cel.OptionalTypes(),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.EnableIdentifierEscapeSyntax(),
		cel.EnableMacroCallTracking(),
		cel.ParserExpressionSizeLimit(MaxLength),
		cel.ParserRecursionLimit(100),
		cel.ExpressionNodeLimit(MaxNodes),
		cel.RegexProgramSizeLimit(MaxRegex),
		ext.Strings(ext.StringsMaxPrecision(100)),
		ext.Encoders(ext.EncodersVersion(0)), // base64; later versions put no limit to what JSON and YAML cost
		ext.Math(),
		ext.Lists(ext.ListsMaxRangeSize(MaxRange)),
		ext.Regex(),
		ext.TwoVarComprehensions(),
		cel.Function("json.encode", cel.Overload("attune_json_encode", []*cel.Type{cel.DynType}, cel.StringType,
			cel.UnaryBinding(encodeJSON))),
		cel.Function("json.parse", cel.Overload("attune_json_parse", []*cel.Type{cel.StringType}, cel.DynType,
			cel.UnaryBinding(parseJSON))),
	}
	for _, name := range roots {
		options = append(options, cel.Variable(name, cel.DynType))
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		return nil, err
	}
	guarded, err := guards(env)
	if err != nil {
		return nil, err
	}
	e := &environ{cel: env, roots: roots, options: []cel.ProgramOption{
		cel.EvalOptions(cel.OptOptimize), cel.CostTracking(prices{}), cel.CostLimit(MaxCost),
		cel.InterruptCheckFrequency(interruptEvery), cel.Functions(guarded...), //nolint:staticcheck // the one way to put a check before a function
		cel.OptimizeRegex(precompiled("matches"), precompiled("matches_string")),
	}}
	for _, name := range slices.Sorted(maps.Keys(env.Functions())) {
		if !strings.ContainsAny(name, "_@") { // which nobody writes
			e.names = append(e.names, name)
		}
	}
	return e, nil
}

func (e *environ) program(ast *cel.Ast) (cel.Program, error) { return e.cel.Program(ast, e.options...) }

// prices charges for the functions that this package adds by the length of their texts, as CEL does for its own.
type prices struct{}

const bytesPerUnit = 10

// CallCost implements cost.ActualCostEstimator.
func (prices) CallCost(function, _ string, args []ref.Val, result ref.Val) *uint64 {
	var text ref.Val
	switch function {
	case "json.encode":
		text = result
	case "json.parse":
		text = args[0]
	default:
		return nil
	}
	s, _ := text.(types.String)
	price := uint64(1 + len(s)/bytesPerUnit)
	return &price
}

func encodeJSON(v ref.Val) ref.Val {
	var e encoder
	if err := e.value(v); err != nil {
		return types.NewErr("json.encode: %v", err)
	}
	return types.String(e.out.String())
}

func parseJSON(v ref.Val) ref.Val {
	text, ok := v.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(v)
	}
	decoded, err := decode(string(text))
	if err != nil {
		return types.NewErr("json.parse: %v", err)
	}
	return types.DefaultTypeAdapter.NativeToValue(decoded)
}

// kindName names a type in a sentence.
func kindName(t *cel.Type) string {
	switch t.Kind() {
	case types.BoolKind:
		return "true or false"
	case types.IntKind, types.UintKind, types.DoubleKind:
		return "a number"
	case types.StringKind:
		return "a text"
	case types.BytesKind:
		return "bytes"
	case types.ListKind:
		return "a list"
	case types.MapKind:
		return "an object"
	case types.NullTypeKind:
		return "null"
	case types.TimestampKind:
		return "a time"
	case types.DurationKind:
		return "a duration"
	}
	return fmt.Sprintf("of type %s", cel.FormatCELType(t))
}

// valueName names the type of a value in a sentence.
func valueName(v ref.Val) string {
	if t, ok := v.Type().(*cel.Type); ok {
		return kindName(t)
	}
	return "of type " + v.Type().TypeName()
}
