package pack

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/attune-automation/sensors/internal/schema"
)

// section reads the keys of one mapping. Its methods report what is wrong with a value and return the fallback then,
// so that reading goes on to the next problem.
type section struct {
	doc  *document
	node *yaml.Node
	path []string
}

// newSection also reports the keys that are not in the list.
func newSection(doc *document, n *yaml.Node, path []string, keys ...string) section {
	s := section{doc: doc, node: n, path: path}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if key := n.Content[i]; !slices.Contains(keys, key.Value) {
			doc.report(key.Line, below(path, key.Value), "unknown key: %s", didYouMean(key.Value, keys))
		}
	}
	return s
}

// value returns what is at a key; false if it is absent or null.
func (s section) value(key string) (*yaml.Node, bool) {
	_, n := child(s.node, key)
	if n == nil {
		return nil, false
	}
	n = resolveAlias(n)
	return n, !isNull(n)
}

func (s section) report(key, format string, args ...any) {
	s.reportAt([]string{key}, format, args...)
}

// reportAt reports what is wrong at the place that several keys lead to.
func (s section) reportAt(keys []string, format string, args ...any) {
	path := append(s.path[:len(s.path):len(s.path)], keys...)
	s.doc.report(s.doc.line(path), path, format, args...)
}

// text returns a scalar as it is written, so that version 1.10 stays 1.10.
func (s section) text(key, fallback string) string {
	n, ok := s.value(key)
	if !ok {
		return fallback
	}
	if n.Kind != yaml.ScalarNode {
		s.report(key, "got %s: write a text", describe(n))
		return fallback
	}
	if _, err := text(n.Value); err != nil {
		s.report(key, "%v", err)
		return fallback
	}
	return n.Value
}

// required is text for a key that must be there; remedy says what to write.
func (s section) required(key, remedy string) string {
	if _, ok := s.value(key); !ok {
		s.report(key, "missing: %s", remedy)
		return ""
	}
	return s.text(key, "")
}

// flag returns a boolean; nil if the key is absent.
func (s section) flag(key string) *bool {
	n, ok := s.value(key)
	if !ok {
		return nil
	}
	if n.Kind == yaml.ScalarNode {
		if b, err := scalar(n); err == nil && (string(b) == "true" || string(b) == "false") {
			v := string(b) == "true"
			return &v
		}
	}
	s.report(key, "got %s: write true or false", describe(n))
	return nil
}

// choice returns one of a few words; the fallback if the key is absent.
func (s section) choice(key string, words []string, fallback string) string {
	word := s.text(key, fallback)
	if word != fallback && !slices.Contains(words, word) {
		s.report(key, "unknown %s %q: %s", key, word, didYouMean(word, words))
		return fallback
	}
	return word
}

// enabled is the flag that every definition has.
func (s section) enabled() bool {
	v := s.flag("enabled")
	return v == nil || *v
}

// object returns a mapping as JSON; the fallback if the key is absent.
func (s section) object(key, fallback string) json.RawMessage {
	return s.json(key, fallback, yaml.MappingNode, "write keys and values")
}

// list returns a sequence as JSON; the fallback if the key is absent.
func (s section) list(key, fallback string) json.RawMessage {
	return s.json(key, fallback, yaml.SequenceNode, "write a list")
}

func (s section) json(key, fallback string, kind yaml.Kind, remedy string) json.RawMessage {
	n, ok := s.value(key)
	if !ok {
		return json.RawMessage(fallback)
	}
	if n.Kind != kind {
		s.report(key, "got %s: %s", describe(n), remedy)
		return nil
	}
	return toJSON(s.doc, n, below(s.path, key))
}

// schema returns a JSON Schema and its compiled form; nil and nil if the key is absent or the schema is broken.
func (s section) schema(key string) (json.RawMessage, *schema.Schema) {
	n, ok := s.value(key)
	if !ok {
		return nil, nil
	}
	raw := toJSON(s.doc, n, below(s.path, key))
	if raw == nil {
		return nil, nil
	}
	compiled, err := schema.Compile(key, raw)
	if err != nil {
		s.violations("broken JSON Schema: ", err)
		return nil, nil
	}
	return raw, compiled
}

// elementKeys lead to an element of the list at a key.
func elementKeys(key string, i int) []string { return []string{key, strconv.Itoa(i)} }

// violations reports what a schema says, each at its own line.
func (s section) violations(prefix string, err error) {
	found, ok := errors.AsType[schema.Violations](err)
	if !ok {
		s.doc.report(s.node.Line, s.path, "%s%v", prefix, err)
	}
	for _, v := range found {
		s.reportAt(v.Path, "%s%s", prefix, v.Message)
	}
}

// describe shows a value in a message.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys and values"
	case yaml.SequenceNode:
		return "a list"
	}
	const longest = 60
	if v := []rune(n.Value); len(v) > longest {
		return strconv.Quote(string(v[:longest]) + "...")
	}
	return strconv.Quote(strings.TrimSpace(n.Value))
}
