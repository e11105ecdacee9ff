package expression

import (
	"math"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// result is what is known of what a function yields, that yields these kinds.
func (a *analysis) result(name string, args []ast.Expr, values []*shape, k kinds) *shape {
	r := sure(k)
	switch name {
	case "dyn":
		return values[0]
	case operators.Add, operators.Subtract, operators.Multiply, operators.Divide:
		return a.arithmetic(name, args, values, r)
	case "size":
		r.least, r.stated = float64(values[0].fewest), values[0].sized
		if values[0].many < math.MaxInt32 {
			r.most = float64(values[0].many)
		}
	case "double", "int", "math.@min", "math.@max":
		return number(name, values, r)
	case "string":
		if v := values[0]; v.kinds == isString {
			return v
		} else if v.kinds&(isString|isBytes) == 0 {
			r.fewest = 1
		}
	case "first", "last", "optional.of", "optional.ofNonZeroValue", "optional.none", "value", "orValue", "or", "regex.extract":
		return optionalResult(name, values, r)
	}
	switch {
	case r.kinds == isAny:
		return unknown()
	case r.kinds&isList != 0 || name == "reverse":
		return a.listResult(name, args, values, r)
	}
	return r
}

// number is what comes of numbers without arithmetic.
func number(name string, values []*shape, r *shape) *shape {
	switch v := values[0]; {
	case strings.HasPrefix(name, "math."):
		if r.kinds == isAny {
			r.kinds = 0
			for _, v := range values {
				r.kinds |= v.kinds & isNumber
			}
		}
	case name == "int" && v.kinds == isInt:
		return v
	case name == "double" && v.kinds&^isNumber == 0:
		r.least, r.most, r.notZero = v.least, v.most, !v.mayBeZero()
	}
	return r
}

// listResult is what is known of a list, or of a text that was turned round.
func (a *analysis) listResult(name string, args []ast.Expr, values []*shape, r *shape) *shape {
	v := values[0]
	switch name {
	case "split":
		r.items = sure(isString)
		if separator, literal := literalText(args[1]); literal && separator != "" && len(args) == 2 {
			r.fewest = 1
		}
	case "regex.extractAll":
		r.items = sure(isString)
	case "lists.range":
		r.items = sure(isInt)
		r.items.least = 0
		if size := sizeOf(args[0]); size != nil {
			r.items.below = a.place(size)
		}
		r.fewest = int(max(0, min(v.least, math.MaxInt32)))
	case "sort", "distinct", "reverse", "@sortByAssociatedKeys":
		r.fewest, r.many, r.sized = v.fewest, v.many, v.sized
		if name == "distinct" {
			r.fewest = min(1, v.fewest)
		}
		r.items = v.element()
	case "slice":
		r.items = v.element()
	case "optional.unwrap", "unwrapOpt":
		r.items = v.element().part(v.element().items)
	}
	return r
}

// optionalResult is what is known of an optional value, or of the value of one.
func optionalResult(name string, values []*shape, r *shape) *shape {
	r.many = 1
	switch name {
	case "first", "last":
		r.items, r.fewest, r.stated = values[0].element(), min(1, values[0].fewest), values[0].sized
	case "optional.of":
		r.items, r.fewest = values[0], 1
	case "optional.ofNonZeroValue":
		r.items = values[0]
	case "optional.none":
		r.items, r.many = anything(0), 0
	case "regex.extract":
		r.items = sure(isString)
	case "or":
		r = join(values[0], values[1])
		r.fewest = max(values[0].fewest, values[1].fewest)
	case "value":
		return values[0].part(values[0].items)
	case "orValue":
		inside := values[0].part(values[0].items)
		if values[0].fewest == 0 {
			return join(inside, values[1])
		}
		return inside
	}
	return r
}

// arithmetic is what comes of two numbers, texts or lists.
func (a *analysis) arithmetic(name string, args []ast.Expr, values []*shape, r *shape) *shape {
	x, y := values[0], values[1]
	switch {
	case r.kinds == isList && name == operators.Add:
		r.items = join(x.element(), y.element())
		switch {
		case x.many == 0:
			r.items = y.element()
		case y.many == 0:
			r.items = x.element()
		}
		r.fewest, r.many, r.sized = x.fewest+y.fewest, plus(x.many, y.many), x.sized && y.sized
		return r
	case r.kinds == isString && name == operators.Add:
		r.fewest, r.many = x.fewest+y.fewest, plus(x.many, y.many)
		return r
	case r.kinds&^isNumber != 0:
		return r
	}
	r.stated = x.stated && y.stated
	switch name {
	case operators.Add:
		r.least, r.most = x.least+y.least, x.most+y.most
	case operators.Subtract:
		r.least, r.most = x.least-y.most, x.most-y.least
		if size := sizeOf(args[0]); size != nil && y.least > 0 {
			r.below = a.place(size)
		}
	case operators.Divide:
		if y.least > 0 && y.least == y.most {
			r.least, r.most = x.least/y.least, x.most/y.least
			if r.kinds&isDouble == 0 {
				r.least, r.most = math.Trunc(r.least), math.Trunc(r.most)
			}
		}
	case operators.Multiply:
		r.notZero = !x.mayBeZero() && !y.mayBeZero()
		if x.least >= 0 && y.least >= 0 {
			r.least = x.least * y.least
			r.most = x.most * y.most
		}
	}
	if math.IsNaN(r.least) {
		r.least = math.Inf(-1)
	}
	if math.IsNaN(r.most) {
		r.most = math.Inf(1)
	}
	return r
}

func plus(x, y int) int {
	if x == unbounded || y == unbounded {
		return unbounded
	}
	return x + y
}
