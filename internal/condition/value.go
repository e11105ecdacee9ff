package condition

import (
	"encoding/json"
	"strings"
)

// Value is a decoded JSON value that conditions are evaluated on, or a place inside of one.
// It is immutable, so one may be shared by any number of documents and goroutines. The zero
// Value stands for something that isn't there: every field of it is missing.
//
// Numbers keep their digits, so that they compare by exact value, and of an object's
// repeated keys the last one counts, as in PostgreSQL's jsonb.
type Value struct {
	doc *document
	at  int // index of the value's node
}

// A document is JSON text with an index of what is where in it.
//
// Nodes are in the order of the text, so that a list's first element follows the list's own
// node, and an object's members are each a key's node and then the value's. One flat slice
// without pointers is what makes decoding cheap: two allocations, nothing for the garbage
// collector to follow.
type document struct {
	text  string
	nodes []node
}

type node struct {
	start, end int32 // the extent in the text, of a string without its quotes
	next       int32 // index of the node after this one and all that it holds
	kind       kind
	escaped    bool // a string with backslashes
}

// A kind is one of JSON's types, and a kinds a set of them.
type (
	kind  uint8
	kinds uint8
)

const (
	kindMissing kind = iota
	kindNull
	kindBoolean
	kindNumber
	kindString
	kindList
	kindObject
)

// String names the kind as it is said in a sentence.
func (k kind) String() string {
	return [...]string{"nothing", "null", "a boolean", "a number", "a string", "a list", "an object"}[k]
}

func setOf(members ...kind) kinds {
	var s kinds
	for _, k := range members {
		s |= 1 << k
	}
	return s
}

func (s kinds) has(k kind) bool { return s&(1<<k) != 0 }

// String lists the set as alternatives: "a string or a list".
func (s kinds) String() string {
	var names []string
	for k := kindNull; k <= kindObject; k++ {
		if s.has(k) {
			names = append(names, k.String())
		}
	}
	return strings.Join(names, " or ")
}

func (v Value) node() *node { return &v.doc.nodes[v.at] }

func (v Value) kind() kind {
	if v.doc == nil {
		return kindMissing
	}
	return v.node().kind
}

// first returns the value's first element or key, and true unless there is none.
func (v Value) first() (Value, bool) {
	return Value{v.doc, v.at + 1}, v.at+1 < int(v.node().next)
}

// after returns the element or key that follows v in parent, and true unless v is the last.
func (v Value) after(parent Value) (Value, bool) {
	next := int(v.node().next)
	return Value{v.doc, next}, next < int(parent.node().next)
}

// value returns the value of the member that v is the key of.
func (v Value) value() Value { return Value{v.doc, v.at + 1} }

// member returns the object's value under the key, or the zero Value. It is where evaluation
// spends its time, hence a plain loop over the nodes.
func (v Value) member(name string) Value {
	nodes, text := v.doc.nodes, v.doc.text
	found := 0
	for i, end := v.at+1, int(nodes[v.at].next); i < end; i = int(nodes[i+1].next) {
		key := &nodes[i]
		if key.escaped {
			if unescape(text[key.start:key.end]) == name {
				found = i + 1
			}
		} else if text[key.start:key.end] == name {
			found = i + 1
		}
	}
	if found == 0 {
		return Value{}
	}
	return Value{v.doc, found}
}

// element returns the list's element at the index, or the zero Value.
func (v Value) element(index int) Value {
	for e, ok := v.first(); ok; e, ok = e.after(v) {
		if index == 0 {
			return e
		}
		index--
	}
	return Value{}
}

// is reports whether v, a string, consists of these characters.
func (v Value) is(s string) bool {
	n := v.node()
	if n.escaped {
		return v.str() == s
	}
	return v.doc.text[n.start:n.end] == s
}

// str returns a string's characters.
func (v Value) str() string {
	n := v.node()
	if n.escaped {
		return unescape(v.doc.text[n.start:n.end])
	}
	return v.doc.text[n.start:n.end]
}

// raw returns the value's JSON text as it was written, "" when the value is missing.
func (v Value) raw() string {
	if v.doc == nil {
		return ""
	}
	n := v.node()
	if n.kind == kindString {
		return v.doc.text[n.start-1 : n.end+1]
	}
	return v.doc.text[n.start:n.end]
}

// Text returns the value's JSON text as it was written, "" when the value is missing.
func (v Value) Text() string { return v.raw() }

// json returns raw for an encoder that leaves empty messages out.
func (v Value) json() json.RawMessage {
	return json.RawMessage(v.raw())
}
