package condition

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// string reads a string, pos being at its opening quote.
func (d *decoder) string() error {
	d.pos++
	start, escaped := d.pos, false
	for {
		d.pos = plainEnd(d.text, d.pos)
		switch {
		case d.at('"'):
			d.leaf(kindString, start)
			d.nodes[len(d.nodes)-1].escaped = escaped
			d.pos++
			return nil
		case d.at('\\'):
			escaped = true
			_, length, want := escape(d.text[d.pos:])
			if d.pos += length; want != "" {
				return d.fail(want)
			}
		case d.pos == len(d.text):
			return d.fail("the string's closing quote")
		default:
			return d.fail("control characters in a string written as escapes")
		}
	}
}

// plainEnd returns where the characters that stand for themselves end, from pos on.
func plainEnd(text string, pos int) int {
	for pos < len(text) && text[pos] >= ' ' && text[pos] != '"' && text[pos] != '\\' {
		pos++
	}
	return pos
}

// unescape replaces the escapes of a valid string.
func unescape(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for {
		plain, _, found := strings.Cut(text, `\`)
		b.WriteString(plain)
		if !found {
			return b.String()
		}
		text = text[len(plain):]
		r, length, _ := escape(text)
		b.WriteRune(r)
		text = text[length:]
	}
}

// escape reads the escape sequence, or the pair of them, that text begins with. When it is
// none, want says what was expected at the length.
func escape(text string) (r rune, length int, want string) {
	if len(text) < 2 {
		return 0, len(text), "a character after the backslash"
	}
	if text[1] == 'u' {
		return escapedUnit(text)
	}
	i := strings.IndexByte(`"\/bfnrt`, text[1])
	if i < 0 {
		return 0, 1, `one of "\/bfnrtu after a backslash`
	}
	return rune("\"\\/\b\f\n\r\t"[i]), 2, ""
}

// escapedUnit reads \uXXXX, and \uXXXX\uXXXX where the first is half of a surrogate pair.
func escapedUnit(text string) (r rune, length int, want string) {
	r, ok := hex(text)
	if !ok {
		return 0, 2, "four hexadecimal digits"
	}
	if !utf16.IsSurrogate(r) {
		return r, 6, ""
	}
	if low, ok := hex(text[6:]); ok {
		if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
			return r, 12, ""
		}
	}
	return 0, 0, "a surrogate only as half of a pair"
}

// hex reads the digits of the \uXXXX that text begins with.
func hex(text string) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range []byte(text[2:6]) {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
