package secret

import (
	"bytes"
	"iter"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDecoded is how often text is decoded: twice finds a value in JSON inside of JSON, and in a URL inside of JSON.
const maxDecoded = 2

// view is a text as it is, or decoded.
type view struct {
	text []byte
	// at is where each byte of the text, and its end, is in the original; nil: at the same place, or nobody asks.
	at []int
}

// span returns the range of the original that a range of the view stands for.
func (v view) span(from, to int) span {
	if v.at == nil {
		return span{from, to}
	}
	return span{v.at[from], v.at[to]}
}

// views yields a text as it is and decoded in all the ways that change it; located says whether spans are asked for.
// Decoding finds a value however it was escaped, which a list of escaped forms could not: JSON has many for one text.
func views(text []byte, located bool) iter.Seq[view] {
	return func(yield func(view) bool) {
		yieldViews(view{text: text}, maxDecoded, located, yield)
	}
}

func yieldViews(v view, depth int, located bool, yield func(view) bool) bool {
	if !yield(v) {
		return false
	}
	if depth == 0 {
		return true
	}
	for _, c := range []codec{{'\\', decodeEscape}, {'%', decodePercent}} {
		if bytes.IndexByte(v.text, c.mark) < 0 {
			continue
		}
		if !yieldViews(c.decode(v, located), depth-1, located, yield) {
			return false
		}
	}
	return true
}

// codec is a way in which text is escaped.
type codec struct {
	mark byte // that begins each escape
	// one appends what the escape at the beginning of text stands for, and returns the length of the escape.
	one func(out, text []byte) ([]byte, int)
}

func (c codec) decode(v view, located bool) view {
	decoded := view{text: make([]byte, 0, len(v.text))}
	if located {
		decoded.at = make([]int, 0, len(v.text)+1)
	}
	// note says that what was decoded last came from the byte at from, and the ones after it if it is plain.
	note := func(from, step int) {
		for i := from; located && len(decoded.at) < len(decoded.text); i += step {
			decoded.at = append(decoded.at, v.span(i, i).from)
		}
	}
	for i := 0; i < len(v.text); {
		plain := bytes.IndexByte(v.text[i:], c.mark)
		if plain < 0 {
			plain = len(v.text) - i
		}
		decoded.text = append(decoded.text, v.text[i:i+plain]...)
		note(i, 1)
		if i += plain; i < len(v.text) {
			var n int
			decoded.text, n = c.one(decoded.text, v.text[i:])
			note(i, 0)
			i += n
		}
	}
	if located {
		decoded.at = append(decoded.at, v.span(len(v.text), len(v.text)).to)
	}
	return decoded
}

// decodePercent decodes %41.
func decodePercent(out, text []byte) ([]byte, int) {
	if code, ok := hex(text, 1, 2); ok {
		return append(out, byte(code)), 3
	}
	return append(out, '%'), 1
}

// decodeEscape decodes the escapes of JSON, which are those of most languages' strings, and \x41.
func decodeEscape(out, text []byte) ([]byte, int) {
	if len(text) < 2 {
		return append(out, text...), len(text)
	}
	switch text[1] {
	case 'b':
		return append(out, '\b'), 2
	case 'f':
		return append(out, '\f'), 2
	case 'n':
		return append(out, '\n'), 2
	case 'r':
		return append(out, '\r'), 2
	case 't':
		return append(out, '\t'), 2
	case 'x':
		if code, ok := hex(text, 2, 2); ok {
			return utf8.AppendRune(out, code), 4
		}
	case 'u':
		return decodeUnicode(out, text)
	}
	return append(out, text[1]), 2
}

// decodeUnicode decodes \u0041, and two of them that are one character.
func decodeUnicode(out, text []byte) ([]byte, int) {
	first, ok := hex(text, 2, 4)
	if !ok {
		return append(out, 'u'), 2
	}
	if utf16.IsSurrogate(first) && len(text) > 7 && text[6] == '\\' && text[7] == 'u' {
		if second, ok := hex(text, 8, 4); ok {
			if r := utf16.DecodeRune(first, second); r != utf8.RuneError {
				return utf8.AppendRune(out, r), 12
			}
		}
	}
	return utf8.AppendRune(out, first), 6
}

// hex returns the number that digits at a place of a text write.
func hex(text []byte, at, digits int) (rune, bool) {
	if len(text) < at+digits {
		return 0, false
	}
	code, err := strconv.ParseUint(string(text[at:at+digits]), 16, 32)
	return rune(code), err == nil
}
