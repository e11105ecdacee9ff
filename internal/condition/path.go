package condition

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Root is one of the places where a field's path may begin.
type Root int

// The roots, in the order of a Document. A path that begins with anything else begins inside
// the payload.
const (
	Payload Root = iota // the event's payload
	Config              // the event's snapshot of the trigger's and the sensor's config
	Event               // the event's row
	Trigger             // the trigger
	Sensor              // the sensor, missing on an event without one
	item                // an element of a list, within the conditions of any, all and none
	roots
)

// String returns the path's first segment for the root.
func (r Root) String() string {
	return [roots]string{"payload", "config", "event", "trigger", "sensor", "item"}[r]
}

// FindRoot returns the root of that name.
func FindRoot(name string) (Root, bool) {
	for r := range item {
		if r.String() == name {
			return r, true
		}
	}
	return 0, false
}

// A path leads from a document's root to a value, or to several where it has a wildcard.
type path struct {
	root     Root
	segments []segment
	wildcard bool
}

// A segment is a step down: into the member called key or, where index is 0 or more, into
// that element of a list, or into every element.
type segment struct {
	key   string
	index int
	kind  segmentKind
	end   int // where the segment ends in the path's text
}

type segmentKind uint8

const (
	segmentName  segmentKind = iota // .name, or .0 which is an index as well
	segmentIndex                    // [0]
	segmentEvery                    // *
)

// step returns what the segment, other than a wildcard, leads to from v.
func (s *segment) step(v Value) Value {
	switch kind := v.kind(); {
	case kind == kindObject && s.kind == segmentName:
		return v.member(s.key)
	case kind == kindList && s.index >= 0:
		return v.element(s.index)
	default:
		return Value{}
	}
}

// maxField is the longest path, in bytes, which bounds the number of segments as well.
const maxField = 1_000

// parsePath reads a field's path:
//
//	path    = segment { "." segment | index }
//	segment = name | string | "*"
//	index   = "[" ( digits | "*" ) "]"
//
// A path may also begin with an index. A name is free of blanks and of ." [ ] *; a string is
// a JSON string. A name that is the first segment and a root's is that root; item is one within the conditions of a
// quantifier.
func parsePath(text string, withItem bool) (path, error) {
	if text == "" {
		return path{}, errors.New("is empty: name a field, such as payload.branch")
	}
	if len(text) > maxField {
		return path{}, fmt.Errorf("is longer than %d bytes", maxField)
	}
	var p path
	for pos := 0; pos < len(text); {
		s, err := parseSegment(text, pos)
		if err != nil {
			return path{}, err
		}
		root, ok := FindRoot(s.key)
		if withItem && s.key == item.String() {
			root, ok = item, true
		}
		if ok && pos == 0 && text[0] != '"' {
			p.root = root
		} else {
			p.segments = append(p.segments, s)
		}
		p.wildcard = p.wildcard || s.kind == segmentEvery
		pos = s.end
	}
	return p, nil
}

// follow returns what a path without wildcards leads to.
func (p *path) follow(doc *Document) Value {
	v := doc[p.root]
	for i := range p.segments {
		v = p.segments[i].step(v)
	}
	return v
}

// parseSegment reads the segment that begins at pos with its dot or bracket, which the first
// segment has no need of.
func parseSegment(text string, pos int) (segment, error) {
	switch {
	case text[pos] == '[':
		return parseIndex(text, pos)
	case pos > 0 && text[pos] != '.':
		return segment{}, badPath(text, pos, "want a dot or a bracket between segments")
	case pos > 0:
		pos++
	}
	if strings.HasPrefix(text[pos:], `"`) {
		return parseQuoted(text, pos)
	}
	name := text[pos:]
	if i := strings.IndexAny(name, ".[]\" \t\r\n"); i >= 0 {
		name = name[:i]
	}
	end := pos + len(name)
	switch {
	case name == "*":
		return segment{kind: segmentEvery, index: -1, end: end}, nil
	case strings.Contains(name, "*"):
		return segment{}, badPath(text, pos, "* stands alone; a key with * is written in double quotes")
	case name == "":
		return segment{}, badPath(text, pos, "want a name; one with blanks, dots or brackets is written in double quotes")
	default:
		return segment{key: name, index: parseDigits(name), end: end}, nil
	}
}

func parseQuoted(text string, pos int) (segment, error) {
	d := decoder{text: text, pos: pos}
	if err := d.string(); err != nil {
		return segment{}, badPath(text, d.pos, "want a JSON string up to its closing quote")
	}
	key := Value{doc: &document{text: text, nodes: d.nodes}}.str()
	return segment{key: key, index: -1, end: d.pos}, nil
}

func parseIndex(text string, pos int) (segment, error) {
	inside, _, found := strings.Cut(text[pos+1:], "]")
	end := pos + len(inside) + 2
	if found && inside == "*" {
		return segment{kind: segmentEvery, index: -1, end: end}, nil
	}
	index := parseDigits(inside)
	if !found || index < 0 {
		return segment{}, badPath(text, pos, `brackets hold an index such as [0], or [*]; a key is written ."key"`)
	}
	return segment{kind: segmentIndex, index: index, end: end}, nil
}

// parseDigits returns the index that is written as text, or -1 when it isn't one.
func parseDigits(text string) int {
	index, err := strconv.Atoi(text)
	if err != nil || strconv.Itoa(index) != text {
		return -1
	}
	return index
}

func badPath(text string, pos int, want string) error {
	return fmt.Errorf("%s is not a path: %s (at byte %d)", abbreviate(text), want, pos)
}
