package expression

import (
	"fmt"
	"math"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// partial notes that a function may have no result for some arguments of the types that it takes. Those of which it is not
// said here have one for all.
func (a *analysis) partial(e ast.Expr, name string, args []ast.Expr, values []*shape) {
	if slices.ContainsFunc(values, func(v *shape) bool { return v.kinds == 0 }) {
		return // it is never evaluated
	}
	switch name {
	case operators.Divide, operators.Modulo:
		a.division(e, args, values)
	case "int", "uint", "double", "bool", "timestamp", "duration":
		a.conversion(e, name, args[0], values[0])
	case "string":
		if values[0].kinds&isBytes != 0 {
			a.depends(e, values[0], write(a.ast, args[0])+" may be no UTF-8", "base64.encode it, if it is any bytes")
		}
	case "json.parse", "base64.decode":
		a.depends(e, values[0], fmt.Sprintf("%s may be no %s", write(a.ast, args[0]), map[string]string{"json.parse": "JSON", "base64.decode": "Base64"}[name]),
			"add a condition that rules that out")
	case "matches", "regex.replace", "regex.extract", "regex.extractAll":
		a.pattern(e, name, args, values)
	case "charAt", "substring", "slice", "indexOf", "lastIndexOf":
		a.positions(e, name, args, values)
	case "value":
		if values[0].fewest == 0 {
			a.depends(e, values[0], write(a.ast, args[0])+" may have no value", "write .orValue(...), or ask by hasValue()")
		}
	case "format":
		a.format(e, args, values)
	case "math.@min", "math.@max":
		if values[0].kinds&isList != 0 && values[0].fewest == 0 {
			a.depends(e, values[0], write(a.ast, args[0])+" may be empty", fmt.Sprintf("write size(%s) > 0 ? ... : ...", write(a.ast, args[0])))
		}
	case "flatten", "math.bitShiftLeft", "math.bitShiftRight", "lists.range":
		if last := values[len(values)-1]; last.kinds == isInt && last.least < 0 {
			a.depends(e, last, write(a.ast, args[len(args)-1])+" may be negative", "make sure that it is not, such as by math.greatest(0, ...)")
		}
	case "math.sqrt":
		if values[0].least < 0 {
			a.depends(e, values[0], write(a.ast, args[0])+" may be negative", "make sure that it is not")
		}
	case "cel.@mapInsert":
		if len(args) == 2 {
			a.depends(e, values[1], "a key may come twice", "make sure that it does not")
		}
	}
	if zone := len(args) == 2 && slices.Contains(zoned, name); zone && values[1].constants == nil {
		a.depends(e, values[1], write(a.ast, args[1])+" may be no time zone", "write one of the IANA database, such as \"Europe/Berlin\"")
	}
}

// depends notes that it depends on what a value is whether there is a result.
func (a *analysis) depends(e ast.Expr, v *shape, what, fix string) {
	a.note(risk{at: e, level: content, waived: v.waived, what: what, fix: fix})
}

func (a *analysis) division(e ast.Expr, args []ast.Expr, values []*shape) {
	by := values[1]
	if !by.mayBeZero() || by.kinds&isNumber == 0 {
		return
	}
	text := write(a.ast, args[1])
	r := risk{at: e, level: content, waived: by.waived, what: fmt.Sprintf("%s may be 0%s, by which nothing can be divided", text, a.by(args[1])),
		fix: fmt.Sprintf("write %s != 0 ? ... : ..., or add a condition such as greater_than 0", text)}
	switch {
	case by.kinds&(isInt|isUint) == 0: // which is infinite
	case by.stated && (!math.IsInf(by.least, 0) || by.constants != nil):
		r.level = by.allowed()
	}
	a.note(r)
}

// conversion notes texts that are not what they are converted to, and numbers that are too small for it.
func (a *analysis) conversion(e ast.Expr, to string, arg ast.Expr, v *shape) {
	text := write(a.ast, arg)
	if to == "uint" && v.kinds&(isInt|isDouble) != 0 && v.least < 0 {
		a.depends(e, v, text+" may be negative", "make sure that it is not, such as by a condition")
	}
	if to == "timestamp" && v.kinds&isInt != 0 && (v.stated || v.kinds == isInt) && (v.least < firstSecond || v.most > lastSecond) {
		a.depends(e, v, text+" may be beyond the year 9999, as milliseconds are, and timestamp() takes seconds",
			"say minimum and maximum in the trigger's out_schema, or compare it first; and divide milliseconds by 1000")
	}
	if v.kinds&isString == 0 || a.converts(e.AsCall().FunctionName(), v) {
		return
	}
	r := risk{at: e, level: content, waived: v.waived, what: fmt.Sprintf("%s may be a text that %s() does not read", text, to),
		fix: "say its format, pattern or enum in the trigger's out_schema, or add a condition and leave this warning"}
	if to == "duration" && v.format == "duration" {
		r.level, r.what = allowed, fmt.Sprintf("%s has a duration of ISO 8601%s, such as P1D, and duration() reads 24h", text, a.by(arg))
		r.fix = "convert it"
	}
	switch to {
	case "timestamp":
		r.fix = "say format: date-time in the trigger's out_schema, if it is a time as of RFC 3339"
	case "int", "uint", "double":
		r.fix = "say its type or a pattern, such as ^[0-9]{1,18}$, in the trigger's out_schema"
	}
	a.note(r)
}

// firstSecond and lastSecond are the times that there are: the years 1 to 9999, in seconds since 1970.
const (
	firstSecond = -62_135_596_800
	lastSecond  = 253_402_300_799
)

// converts says whether all texts that a value may be can be converted.
func (a *analysis) converts(to string, v *shape) bool {
	if v.constants != nil {
		return !slices.ContainsFunc(v.constants, func(c ref.Val) bool {
			text, ok := c.(types.String)
			return ok && types.IsError(text.ConvertToType(conversions[to]))
		})
	}
	switch to {
	case "timestamp":
		return v.format == "date-time"
	case "int", "double":
		return digits(v.pattern, true)
	case "uint":
		return digits(v.pattern, false)
	}
	return false
}

var conversions = map[string]ref.Type{"int": types.IntType, "uint": types.UintType, "double": types.DoubleType, "bool": types.BoolType,
	"timestamp": types.TimestampType, "duration": types.DurationType}

// digits says whether a pattern matches whole numbers only, that are not too large.
func digits(pattern string, signed bool) bool {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil || parsed.Op != syntax.OpConcat {
		return false
	}
	parts := parsed.Sub
	if len(parts) < 3 || parts[0].Op != syntax.OpBeginText || parts[len(parts)-1].Op != syntax.OpEndText {
		return false
	}
	parts = parts[1 : len(parts)-1]
	if sign := parts[0]; signed && sign.Op == syntax.OpQuest && sign.Sub[0].Op == syntax.OpLiteral && string(sign.Sub[0].Rune) == "-" {
		parts = parts[1:]
	}
	least, most := 0, 0
	for _, p := range parts {
		low, high, of := 1, 1, p
		switch p.Op {
		case syntax.OpRepeat:
			low, high, of = p.Min, p.Max, p.Sub[0]
		case syntax.OpPlus:
			low, high, of = 1, -1, p.Sub[0]
		case syntax.OpStar:
			low, high, of = 0, -1, p.Sub[0]
		case syntax.OpQuest:
			low, of = 0, p.Sub[0]
		}
		n := 1
		switch of.Op {
		case syntax.OpLiteral:
			n = len(of.Rune)
			if strings.Trim(string(of.Rune), "0123456789") != "" {
				return false
			}
		case syntax.OpCharClass:
			for i := 0; i < len(of.Rune); i += 2 {
				if of.Rune[i] < '0' || of.Rune[i+1] > '9' {
					return false
				}
			}
		default:
			return false
		}
		least, most = least+n*low, most+n*max(high, 0)
		if high < 0 {
			most = math.MaxInt32
		}
	}
	return least > 0 && most <= 18
}

// pattern notes regular expressions that are not known, and those that a function does not take.
func (a *analysis) pattern(e ast.Expr, name string, args []ast.Expr, values []*shape) {
	if len(values) < 2 {
		return
	}
	text, literal := literalText(args[1])
	if !literal {
		a.depends(e, values[1], write(a.ast, args[1])+" may be no regular expression", "write the regular expression out")
		return
	}
	compiled, err := regexp.Compile(text)
	if err != nil {
		return
	}
	if strings.HasPrefix(name, "regex.extract") && compiled.NumSubexp() > 1 {
		a.note(risk{at: e, level: certain, what: fmt.Sprintf("%s() takes a regular expression with one group at most", name), fix: "write (?:...) for the others"})
	}
	if name == "regex.replace" {
		if with, ok := literalText(args[2]); !ok || strings.Contains(with, `\`) {
			a.depends(e, values[2], write(a.ast, args[2])+" may name a group that there is none of", "write the replacement out, without \\")
		}
	}
}

// positions notes places that a text or a list may not have.
func (a *analysis) positions(e ast.Expr, name string, args []ast.Expr, values []*shape) {
	least := 0.0
	for i, v := range values[1:] {
		if v.kinds&isInt == 0 { // what indexOf looks for
			continue
		}
		if v.least < least || v.most > float64(values[0].fewest) {
			of := write(a.ast, args[0])
			a.depends(e, values[0], fmt.Sprintf("%s may not go as far as %s", of, write(a.ast, args[i+1])), fmt.Sprintf("compare with size(%s) first", of))
			return
		}
		least = v.most
	}
}

var verbs = regexp.MustCompile(`%(%|(?:\.\d+)?[a-zA-Z])`)

// format notes values that a format does not take.
func (a *analysis) format(e ast.Expr, args []ast.Expr, values []*shape) {
	layout, literal := literalText(args[0])
	list := values[1]
	wanted := 0
	for _, m := range verbs.FindAllStringSubmatch(layout, -1) {
		if m[1] == "%" {
			continue
		}
		wanted++
		takes := kinds(0)
		switch m[1][len(m[1])-1] {
		case 's':
			takes = isAny &^ isOptional
		case 'd', 'f', 'e':
			takes = isNumber
		}
		literal = literal && wanted <= list.fewest && takes.has(list.at(wanted-1).kinds)
	}
	if !literal || strings.Count(verbs.ReplaceAllString(layout, ""), "%") > 0 {
		a.depends(e, list, fmt.Sprintf("%s may not take all that there is in %s", write(a.ast, args[0]), write(a.ast, args[1])), "write the text out, with a %s for each value")
	}
}
