package schema

import (
	"fmt"
	"unicode/utf8"
)

// What a payload may be. All of it is well inside of what a jsonb column takes, so that an accepted payload is always
// storable, and of what exact arithmetic on its numbers can afford.
const (
	MaxPayload  = 1 << 20 // bytes
	MaxDepth    = 500     // nested objects and arrays
	MaxDigits   = 1000    // digits of one number
	MaxExponent = 1000    // absolute value of a number's exponent
)

// CheckPayload says why raw cannot be the payload of an event: it is not exactly one JSON text in UTF-8, or it holds
// what PostgreSQL's jsonb refuses (\u0000, lone surrogates) or what breaks the limits above. The reason names the byte,
// counted from 0.
func CheckPayload(raw []byte) error {
	if len(raw) > MaxPayload {
		return fmt.Errorf("it has %d bytes: a payload has at most %d", len(raw), MaxPayload)
	}
	s := scanner{raw: raw}
	if err := s.value(0); err != nil {
		return err
	}
	s.space()
	if s.at < len(raw) {
		return s.unexpected("the end: one JSON value makes a payload")
	}
	return nil
}

// scanner reads a JSON text once, from left to right, and keeps nothing of it.
type scanner struct {
	raw []byte
	at  int
}

func (s *scanner) value(depth int) error {
	s.space()
	switch c := s.peek(); {
	case c == '"':
		return s.text()
	case c == '{' || c == '[':
		if depth == MaxDepth {
			return fmt.Errorf("byte %d: objects and arrays nest deeper than %d", s.at, MaxDepth)
		}
		if c == '{' {
			return s.object(depth + 1)
		}
		return s.array(depth + 1)
	case c == '-' || isDigit(c):
		return s.number()
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	}
	return s.unexpected("a JSON value")
}

func (s *scanner) object(depth int) error {
	s.at++
	if s.space(); s.peek() == '}' {
		s.at++
		return nil
	}
	for {
		if s.space(); s.peek() != '"' {
			return s.unexpected(`a key in "quotes"`)
		}
		if err := s.text(); err != nil {
			return err
		}
		if s.space(); s.peek() != ':' {
			return s.unexpected("':' after the key")
		}
		s.at++
		if err := s.value(depth); err != nil {
			return err
		}
		s.space()
		switch s.peek() {
		case ',':
			s.at++
		case '}':
			s.at++
			return nil
		default:
			return s.unexpected("',' or '}'")
		}
	}
}

func (s *scanner) array(depth int) error {
	s.at++
	if s.space(); s.peek() == ']' {
		s.at++
		return nil
	}
	for {
		if err := s.value(depth); err != nil {
			return err
		}
		s.space()
		switch s.peek() {
		case ',':
			s.at++
		case ']':
			s.at++
			return nil
		default:
			return s.unexpected("',' or ']'")
		}
	}
}

func (s *scanner) text() error {
	start := s.at
	s.at++
	for s.at < len(s.raw) {
		switch c := s.raw[s.at]; {
		case c == '"':
			s.at++
			return nil
		case c == '\\':
			if err := s.escape(); err != nil {
				return err
			}
		case c < ' ':
			return fmt.Errorf("not JSON: byte %d: control character %#02x in a string: write it as an escape", s.at, c)
		case c < utf8.RuneSelf:
			s.at++
		default:
			r, size := utf8.DecodeRune(s.raw[s.at:])
			if r == utf8.RuneError && size == 1 {
				return fmt.Errorf("byte %d: %#02x is not UTF-8", s.at, c)
			}
			s.at += size
		}
	}
	return fmt.Errorf("not JSON: the string that starts at byte %d does not end", start)
}

func (s *scanner) escape() error {
	start := s.at
	s.at++
	switch s.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.at++
		return nil
	case 'u':
	default:
		return s.unexpected(`an escape such as \n or \u00e9`)
	}
	unit, err := s.unit()
	switch {
	case err != nil:
		return err
	case unit == 0:
		return fmt.Errorf(`byte %d: \u0000 cannot be stored: leave it out`, start)
	case unit < 0xd800 || unit > 0xdfff:
		return nil
	case unit > 0xdbff || s.peek() != '\\' || s.at+1 >= len(s.raw) || s.raw[s.at+1] != 'u':
		return loneSurrogate(start, unit)
	}
	s.at++
	low, err := s.unit()
	if err == nil && (low < 0xdc00 || low > 0xdfff) {
		err = loneSurrogate(start, unit)
	}
	return err
}

func loneSurrogate(at int, unit rune) error {
	return fmt.Errorf(`byte %d: \u%04x is half of a surrogate pair and no character by itself`, at, unit)
}

// unit reads the u and the four hexadecimal digits of an escape.
func (s *scanner) unit() (rune, error) {
	s.at++
	var unit rune
	for range 4 {
		c := s.peek()
		switch {
		case isDigit(c):
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, s.unexpected(`a hexadecimal digit, four of which follow \u`)
		}
		unit = unit<<4 | rune(c)
		s.at++
	}
	return unit, nil
}

func (s *scanner) number() error {
	start := s.at
	if s.peek() == '-' {
		s.at++
	}
	digits := 1
	if s.peek() == '0' {
		s.at++
	} else if digits = s.digits(); digits == 0 {
		return s.unexpected("a digit")
	}
	if s.peek() == '.' {
		s.at++
		n := s.digits()
		if n == 0 {
			return s.unexpected("a digit after '.'")
		}
		digits += n
	}
	if digits > MaxDigits {
		return fmt.Errorf("byte %d: a number of %d digits: at most %d are exact", start, digits, MaxDigits)
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		return s.exponent(start)
	}
	return nil
}

func (s *scanner) exponent(number int) error {
	s.at++
	if c := s.peek(); c == '+' || c == '-' {
		s.at++
	}
	start := s.at
	if s.digits() == 0 {
		return s.unexpected("a digit of the exponent")
	}
	exponent := 0
	for _, c := range s.raw[start:s.at] {
		if exponent = exponent*10 + int(c-'0'); exponent > MaxExponent {
			return fmt.Errorf("byte %d: a number with an exponent beyond ±%d", number, MaxExponent)
		}
	}
	return nil
}

// digits skips digits and returns how many there were.
func (s *scanner) digits() int {
	start := s.at
	for s.at < len(s.raw) && isDigit(s.raw[s.at]) {
		s.at++
	}
	return s.at - start
}

func (s *scanner) literal(word string) error {
	for i := range len(word) {
		if s.peek() != word[i] {
			return s.unexpected(word)
		}
		s.at++
	}
	return nil
}

func (s *scanner) space() {
	for s.at < len(s.raw) {
		switch s.raw[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// peek returns the next byte, and at the end 0, which no JSON text contains outside of an error.
func (s *scanner) peek() byte {
	if s.at < len(s.raw) {
		return s.raw[s.at]
	}
	return 0
}

func (s *scanner) unexpected(want string) error {
	if s.at >= len(s.raw) {
		return fmt.Errorf("not JSON: it ends at byte %d, want %s", s.at, want)
	}
	r, size := utf8.DecodeRune(s.raw[s.at:])
	if r == utf8.RuneError && size == 1 {
		return fmt.Errorf("not JSON: byte %d is %#02x, want %s", s.at, s.raw[s.at], want)
	}
	return fmt.Errorf("not JSON: byte %d is %q, want %s", s.at, r, want)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
