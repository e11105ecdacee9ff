package condition

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// MaxNesting is how deep the lists and objects of a document may nest, the same as for
// encoding/json.
const MaxNesting = 10_000

// Decode reads one JSON value (RFC 8259). It refuses what encoding/json would silently
// replace: invalid UTF-8 and lone surrogates.
//
// It is not encoding/json because decoding, not evaluating, is what a match costs.
func Decode(raw []byte) (Value, error) {
	if len(raw) > math.MaxInt32 {
		return Value{}, errors.New("invalid JSON: the text is longer than 2 GiB")
	}
	if !utf8.Valid(raw) {
		return Value{}, errors.New("invalid JSON: the text is not UTF-8")
	}
	// The guess of six bytes a node holds for ordinary payloads; a denser one grows.
	d := decoder{text: string(raw), nodes: make([]node, 0, len(raw)/6+4)}
	if err := d.value(); err != nil {
		return Value{}, err
	}
	if d.space(); d.pos < len(d.text) {
		return Value{}, d.fail("the end")
	}
	return Value{doc: &document{text: d.text, nodes: d.nodes}}, nil
}

// A decoder reads text from pos on.
type decoder struct {
	text  string
	pos   int
	depth int
	nodes []node
}

// fail says what was wanted at pos.
func (d *decoder) fail(want string) error {
	got := "the end of the text"
	if d.pos < len(d.text) {
		r, _ := utf8.DecodeRuneInString(d.text[d.pos:])
		got = fmt.Sprintf("%q", r)
	}
	return fmt.Errorf("invalid JSON at byte %d: want %s, got %s", d.pos, want, got)
}

func (d *decoder) space() {
	for d.pos < len(d.text) {
		switch d.text[d.pos] {
		case ' ', '\n', '\t', '\r':
			d.pos++
		default:
			return
		}
	}
}

// at reports whether c stands at pos.
func (d *decoder) at(c byte) bool {
	return d.pos < len(d.text) && d.text[d.pos] == c
}

func (d *decoder) value() error {
	d.space()
	if d.pos >= len(d.text) {
		return d.fail("a value")
	}
	switch c := d.text[d.pos]; {
	case c == '"':
		return d.string()
	case c == '{':
		return d.container(kindObject, '}')
	case c == '[':
		return d.container(kindList, ']')
	case c == '-' || '0' <= c && c <= '9':
		return d.number()
	case c == 't':
		return d.word("true", kindBoolean)
	case c == 'f':
		return d.word("false", kindBoolean)
	case c == 'n':
		return d.word("null", kindNull)
	default:
		return d.fail("a value")
	}
}

// leaf adds the node of what the text holds between start and pos.
func (d *decoder) leaf(k kind, start int) {
	d.nodes = append(d.nodes, node{
		start: int32(start), end: int32(d.pos), next: int32(len(d.nodes) + 1), kind: k,
	})
}

func (d *decoder) word(w string, k kind) error {
	if !strings.HasPrefix(d.text[d.pos:], w) {
		return d.fail(w)
	}
	start := d.pos
	d.pos += len(w)
	d.leaf(k, start)
	return nil
}

// container reads a list or an object up to its closing bracket.
func (d *decoder) container(k kind, end byte) error {
	if d.depth++; d.depth > MaxNesting {
		return fmt.Errorf("invalid JSON at byte %d: nested deeper than %d", d.pos, MaxNesting)
	}
	self := len(d.nodes)
	d.leaf(k, d.pos)
	d.pos++
	if d.space(); !d.at(end) {
		if err := d.members(k, end); err != nil {
			return err
		}
	}
	d.pos++
	d.depth--
	d.nodes[self].end = int32(d.pos)
	d.nodes[self].next = int32(len(d.nodes))
	return nil
}

// members reads at least one element or member, and stops at the closing bracket.
func (d *decoder) members(k kind, end byte) error {
	for {
		if k == kindObject {
			if err := d.key(); err != nil {
				return err
			}
		}
		if err := d.value(); err != nil {
			return err
		}
		if d.space(); d.at(end) {
			return nil
		}
		if !d.at(',') {
			return d.fail(fmt.Sprintf("',' or '%c'", end))
		}
		d.pos++
	}
}

func (d *decoder) key() error {
	if d.space(); !d.at('"') {
		return d.fail("a key in double quotes")
	}
	if err := d.string(); err != nil {
		return err
	}
	if d.space(); !d.at(':') {
		return d.fail("':'")
	}
	d.pos++
	return nil
}

// number reads -? (0|[1-9][0-9]*) (\.[0-9]+)? ([eE][+-]?[0-9]+)?
func (d *decoder) number() error {
	start := d.pos
	if d.at('-') {
		d.pos++
	}
	if d.at('0') {
		d.pos++
	} else if !d.digits() {
		return d.fail("a digit")
	}
	if d.at('.') {
		d.pos++
		if !d.digits() {
			return d.fail("a digit")
		}
	}
	if d.at('e') || d.at('E') {
		d.pos++
		if d.at('+') || d.at('-') {
			d.pos++
		}
		if !d.digits() {
			return d.fail("a digit")
		}
	}
	d.leaf(kindNumber, start)
	return nil
}

func (d *decoder) digits() bool {
	start := d.pos
	for d.pos < len(d.text) && '0' <= d.text[d.pos] && d.text[d.pos] <= '9' {
		d.pos++
	}
	return d.pos > start
}
