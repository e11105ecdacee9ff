package condition

import (
	"cmp"
	"strconv"
	"strings"
)

// A number is a JSON number in canonical decimal form: 0.DIGITS × 10^exponent, where DIGITS
// is head followed by tail and neither begins nor ends with a zero. Zero has no digits. It
// refers to the text that it was read from, so that 1e1000000 costs what 1 costs.
type number struct {
	head, tail string
	exponent   int64
	negative   bool
}

// maxExponent bounds the exponent of a number in a condition. A document's are cut
// off far beyond it, which changes no comparison with a number that is within.
const (
	maxExponent    = 1_000_000_000_000
	exponentCutOff = 1 << 60
)

// parseNumber brings the text of a valid JSON number into canonical form.
func parseNumber(text string) number {
	var n number
	if text[0] == '-' {
		n.negative = true
		text = text[1:]
	}
	whole := 0
	for whole < len(text) && '0' <= text[whole] && text[whole] <= '9' {
		whole++
	}
	n.head, text = text[:whole], text[whole:]
	if text != "" {
		var exponent string
		n.tail, exponent = splitExponent(text)
		if exponent != "" {
			n.exponent = parseExponent(exponent)
		}
	}
	if n.head == "0" {
		digits := strings.TrimLeft(n.tail, "0")
		n.exponent -= int64(len(n.tail) - len(digits))
		n.head, n.tail = digits, ""
	} else {
		n.exponent += int64(len(n.head))
		if n.tail == "" {
			n.head = strings.TrimRight(n.head, "0")
		}
	}
	if n.head == "" {
		return number{}
	}
	return n
}

// splitExponent takes what follows a number's first digits apart: the digits after the point,
// without trailing zeros, and the exponent.
func splitExponent(text string) (digits, exponent string) {
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		text, exponent = text[:i], text[i+1:]
	}
	return strings.TrimRight(strings.TrimPrefix(text, "."), "0"), exponent
}

// parseExponent reads an exponent with its sign, cut off at ±exponentCutOff.
func parseExponent(text string) int64 {
	var e int64
	for _, c := range []byte(strings.TrimLeft(text, "+-")) {
		if e = e*10 + int64(c-'0'); e >= exponentCutOff {
			e = exponentCutOff
			break
		}
	}
	if text[0] == '-' {
		return -e
	}
	return e
}

// compareNumbers orders two numbers by exact value.
func compareNumbers(a, b number) int {
	if order := cmp.Compare(a.sign(), b.sign()); order != 0 {
		return order
	}
	order := cmp.Compare(a.exponent, b.exponent)
	if order == 0 {
		order = compareDigits(a, b)
	}
	if a.negative {
		return -order
	}
	return order
}

func (n number) sign() int {
	switch {
	case n.head == "":
		return 0
	case n.negative:
		return -1
	default:
		return 1
	}
}

// compareDigits compares as text, which suffices because trailing zeros are gone.
func compareDigits(a, b number) int {
	shared := min(len(a.head), len(b.head))
	if order := strings.Compare(a.head[:shared], b.head[:shared]); order != 0 {
		return order
	}
	switch a.head, b.head = a.head[shared:], b.head[shared:]; {
	case a.head != "":
		return compareSplit(a.head, a.tail, b.tail)
	case b.head != "":
		return -compareSplit(b.head, b.tail, a.tail)
	default:
		return strings.Compare(a.tail, b.tail)
	}
}

// compareSplit compares head followed by tail with whole.
func compareSplit(head, tail, whole string) int {
	shared := min(len(head), len(whole))
	if order := strings.Compare(head[:shared], whole[:shared]); order != 0 {
		return order
	}
	return cmp.Or(cmp.Compare(len(head), shared), strings.Compare(tail, whole[shared:]))
}

// whole reports whether the number is an integer.
func (n number) whole() bool {
	return n.exponent >= int64(len(n.head)+len(n.tail))
}

// wholeNumber is the number of an integer that is not negative.
func wholeNumber(n int) number { return parseNumber(strconv.Itoa(n)) }
