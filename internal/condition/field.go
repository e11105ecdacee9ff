package condition

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Field is one place in an event, named by a path as conditions name it, but without wildcards. It is immutable.
type Field struct {
	text string
	path path
}

// ParseField reads the path of a field.
func ParseField(text string) (Field, error) {
	p, err := parsePath(text, false)
	if err == nil && p.wildcard {
		err = errors.New("* leads to many values: name one, such as payload.items[0].id")
	}
	return Field{text: text, path: p}, err
}

// String returns the path as it was written.
func (f Field) String() string { return f.text }

// Root returns where the path begins.
func (f Field) Root() Root { return f.path.root }

// Value returns what is there; the zero Value if nothing is.
func (f Field) Value(doc *Document) Value { return f.path.follow(doc) }

// ParseDuration reads numbers with units in a row, such as 90s, 1h30m or 7d. A day has 24 hours.
func ParseDuration(text string) (time.Duration, error) { return parseDuration(text) }

// Canonical returns JSON text that two values have in common exactly if they are the same, as equals says. A missing value
// counts as null.
func (v Value) Canonical() string { return string(v.appendCanonical(nil)) }

func (v Value) appendCanonical(to []byte) []byte {
	switch v.kind() {
	case kindString:
		return AppendText(to, v.str())
	case kindNumber:
		return parseNumber(v.raw()).appendCanonical(to)
	case kindBoolean:
		return append(to, v.raw()...)
	case kindList:
		to = append(to, '[')
		for e, ok := v.first(); ok; e, ok = e.after(v) {
			to = append(e.appendCanonical(to), ',')
		}
		return append(trimComma(to), ']')
	case kindObject:
		return v.appendCanonicalMembers(append(to, '{'))
	default:
		return append(to, "null"...)
	}
}

func (v Value) appendCanonicalMembers(to []byte) []byte {
	members := map[string]Value{}
	for key, ok := v.first(); ok; {
		value := key.value()
		members[key.str()] = value
		key, ok = value.after(v)
	}
	names := make([]string, 0, len(members))
	for name := range members {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		to = append(AppendText(to, name), ':')
		to = append(members[name].appendCanonical(to), ',')
	}
	return append(trimComma(to), '}')
}

func trimComma(to []byte) []byte {
	if to[len(to)-1] == ',' {
		return to[:len(to)-1]
	}
	return to
}

// AppendText appends a text as JSON.
func AppendText(to []byte, text string) []byte {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a text can always be encoded
	return append(to, strings.TrimSuffix(b.String(), "\n")...)
}

// longestPlain is how many digits a number may have to be written without an exponent.
const longestPlain = 21

func (n number) appendCanonical(to []byte) []byte {
	if n.sign() == 0 {
		return append(to, '0')
	}
	if n.negative {
		to = append(to, '-')
	}
	digits := n.head + n.tail
	switch count := int64(len(digits)); {
	case n.exponent >= count && n.exponent <= longestPlain:
		return append(append(to, digits...), strings.Repeat("0", int(n.exponent-count))...)
	case n.exponent > 0 && n.exponent < count:
		return append(append(append(to, digits[:n.exponent]...), '.'), digits[n.exponent:]...)
	case n.exponent <= 0 && n.exponent > -longestPlain:
		return append(append(append(to, "0."...), strings.Repeat("0", int(-n.exponent))...), digits...)
	}
	to = append(to, digits[0])
	if len(digits) > 1 {
		to = append(append(to, '.'), digits[1:]...)
	}
	return strconv.AppendInt(append(to, 'e'), n.exponent-1, 10)
}
