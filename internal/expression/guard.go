package expression

import (
	"fmt"
	"regexp"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/functions"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// A guard looks at a function's arguments before it is called, and returns what is wrong with them. CEL charges for a
// call when it is done, which is too late for those whose effort is a product of what events bring: a megabyte, each
// letter of it replaced by a megabyte.
type guard func(args []ref.Val) error

// guarded are the functions whose effort is more than a multiple of their arguments'.
var guarded = map[string]guard{
	"replace":       guardReplace,
	"join":          guardJoin,
	"format":        guardFormat,
	"matches":       guardMatches,
	"regex.replace": guardRegexReplace,
	"regex.extract": guardMatches, "regex.extractAll": guardMatches,
	"distinct": guardPairs, "hasOnly": guardPairs, "hasAny": guardPairs, "hasAll": guardPairs, "hasExactly": guardPairs,
}

// guards returns the guarded functions' implementations, each behind its guard.
func guards(env *cel.Env) ([]*functions.Overload, error) {
	var all []*functions.Overload
	for name, check := range guarded {
		function, ok := env.Functions()[name]
		if !ok {
			return nil, fmt.Errorf("there is no function %s", name)
		}
		bindings, err := function.Bindings()
		if err != nil {
			return nil, err
		}
		for _, b := range bindings {
			all = append(all, behind(check, b))
		}
	}
	return all, nil
}

func behind(check guard, o *functions.Overload) *functions.Overload {
	wrapped := *o
	if o.Unary != nil {
		wrapped.Unary = func(arg ref.Val) ref.Val {
			if err := check([]ref.Val{arg}); err != nil {
				return types.WrapErr(err)
			}
			return o.Unary(arg)
		}
	}
	if o.Binary != nil {
		wrapped.Binary = func(a, b ref.Val) ref.Val {
			if err := check([]ref.Val{a, b}); err != nil {
				return types.WrapErr(err)
			}
			return o.Binary(a, b)
		}
	}
	if o.Function != nil {
		wrapped.Function = func(args ...ref.Val) ref.Val {
			if err := check(args); err != nil {
				return types.WrapErr(err)
			}
			return o.Function(args...)
		}
	}
	return &wrapped
}

func text(args []ref.Val, i int) string {
	if i >= len(args) {
		return ""
	}
	s, _ := args[i].(types.String)
	return string(s)
}

func tooLong(function string) error {
	return fmt.Errorf("what %s would write is longer than %d bytes", function, MaxText)
}

func guardReplace(args []ref.Val) error {
	target, replacement := text(args, 0), text(args, 2)
	if len(target)+strings.Count(target, text(args, 1))*len(replacement) > MaxText {
		return tooLong("replace")
	}
	return nil
}

func guardJoin(args []ref.Val) error {
	list, ok := args[0].(traits.Lister)
	if !ok {
		return nil
	}
	total, separator := 0, len(text(args, 1))
	for i := list.Iterator(); i.HasNext() == types.True; {
		s, _ := i.Next().(types.String)
		if total += 1 + len(s) + separator; total > MaxText {
			return tooLong("join")
		}
	}
	return nil
}

func guardFormat(args []ref.Val) error {
	if weigh(args[0])+weigh(args[1]) > MaxText {
		return tooLong("format")
	}
	return nil
}

// weigh returns about how many bytes a value is when it is written, and stops to count beyond MaxText.
func weigh(v ref.Val) int {
	switch v := v.(type) {
	case types.String:
		return len(v)
	case types.Bytes:
		return len(v)
	case traits.Mapper:
		return weighAll(v.Iterator(), v.Get)
	case traits.Lister:
		return weighAll(v.Iterator(), nil)
	}
	return bytesPerUnit
}

func weighAll(i traits.Iterator, get func(ref.Val) ref.Val) int {
	total := 0
	for i.HasNext() == types.True && total <= MaxText {
		v := i.Next()
		total += 1 + weigh(v)
		if get != nil {
			total += weigh(get(v))
		}
	}
	return total
}

func guardMatches(args []ref.Val) error {
	if n := len(text(args, 0)); n > MaxMatched {
		return fmt.Errorf("the text has %d bytes, and regular expressions read at most %d", n, MaxMatched)
	}
	return nil
}

// precompiled has the pattern of an overload of matches compiled once if it is a literal, as CEL does unguarded.
func precompiled(overload string) *interpreter.RegexOptimization {
	return &interpreter.RegexOptimization{
		Function: "matches", OverloadID: overload, RegexIndex: 1,
		Factory: func(call interpreter.InterpretableCall, pattern string) (interpreter.InterpretableCall, error) {
			compiled, err := regexp.Compile(pattern)
			if err != nil {
				return nil, err
			}
			match := func(args ...ref.Val) ref.Val {
				s, ok := args[0].(types.String)
				if !ok {
					return types.MaybeNoSuchOverloadErr(args[0])
				}
				if err := guardMatches(args); err != nil {
					return types.WrapErr(err)
				}
				return types.Bool(compiled.MatchString(string(s)))
			}
			return interpreter.NewCall(call.ID(), call.Function(), call.OverloadID(), call.Args(), match), nil
		},
	}
}

func guardRegexReplace(args []ref.Val) error {
	if err := guardMatches(args); err != nil {
		return err
	}
	target, replacement := len(text(args, 0)), len(text(args, 2))
	if target+(target+1)*replacement > 8*MaxText {
		return tooLong("regex.replace")
	}
	return nil
}

// guardPairs is for functions that compare each element of a list with each of another, or of the same.
func guardPairs(args []ref.Val) error {
	pairs := size(args[0])
	if pairs *= size(args[len(args)-1]); pairs > MaxPairs {
		return fmt.Errorf("has %d pairs of elements to compare: at most %d are", pairs, MaxPairs)
	}
	return nil
}

func size(v ref.Val) int64 {
	sizer, ok := v.(traits.Sizer)
	if !ok {
		return 0
	}
	n, _ := sizer.Size().(types.Int)
	return int64(n)
}
