package pack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/attune-automation/sensors/internal/schema"
)

const (
	maxDocument = 1 << 20 // bytes of one YAML file
	maxDepth    = 100     // nested mappings and sequences in it
	maxProblems = 100     // reported of it
)

// document is one YAML file of a pack. It collects what is wrong with it, so that all of it is reported at once.
type document struct {
	name     string
	root     *yaml.Node // a mapping
	problems *Problems
	reported int
}

// parseDocument returns nil, and has reported why, if the text is not one YAML document with a mapping.
func parseDocument(name string, text []byte, problems *Problems) *document {
	d := &document{name: name, problems: problems}
	if len(text) > maxDocument {
		d.report(0, nil, "has %d bytes: at most %d are read", len(text), maxDocument)
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var doc, second yaml.Node
	if err := decoder.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		d.reportSyntax(err)
		return nil
	}
	if err := decoder.Decode(&second); err == nil {
		d.report(second.Line, nil, "a second YAML document starts here: write one a file")
	} else if !errors.Is(err, io.EOF) {
		d.reportSyntax(err)
	}
	if len(doc.Content) == 0 || isNull(doc.Content[0]) {
		d.report(0, nil, "is empty: write at least ref")
		return nil
	}
	d.root = doc.Content[0]
	if d.root.Kind != yaml.MappingNode {
		d.report(d.root.Line, nil, "write keys and values, such as `ref: ...`")
		return nil
	}
	d.checkTree(d.root, nil)
	return d
}

// report adds a problem; line 0 is the file as a whole.
func (d *document) report(line int, path []string, format string, args ...any) {
	d.reported++
	p := Problem{File: d.name, Line: line, Field: schema.FormatPath(path), Message: fmt.Sprintf(format, args...)}
	switch {
	case d.reported == maxProblems:
		p = Problem{File: d.name, Message: "more problems follow: they are listed once these are solved"}
	case d.reported > maxProblems:
		return
	}
	*d.problems = append(*d.problems, p)
}

var syntaxError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)

func (d *document) reportSyntax(err error) {
	line, message := 0, err.Error()
	if parts := syntaxError.FindStringSubmatch(message); parts != nil {
		line, _ = strconv.Atoi(parts[1])
		message = parts[2]
	}
	d.report(line, nil, "not YAML: %s", message)
}

// checkTree reports what makes mappings ambiguous, and nesting that no pack needs. It does not follow aliases.
func (d *document) checkTree(n *yaml.Node, path []string) {
	if len(path) > maxDepth {
		d.report(n.Line, path[:1], "nests deeper than %d levels", maxDepth)
		return
	}
	switch n.Kind {
	case yaml.MappingNode:
		d.checkMapping(n, path)
	case yaml.SequenceNode:
		for i, item := range n.Content {
			d.checkTree(item, below(path, strconv.Itoa(i)))
		}
	}
}

func (d *document) checkMapping(n *yaml.Node, path []string) {
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch line, seen := first[key.Value]; {
		case key.Kind != yaml.ScalarNode:
			d.report(key.Line, path, "a key must be a text")
			continue
		case key.Tag == "!!merge":
			d.report(key.Line, path, "merge keys (<<) are not supported: write the keys out")
			continue
		case !isText(key):
			d.report(key.Line, path, "key %s is not a text: write it in quotes", key.Value)
		case seen:
			d.report(key.Line, below(path, key.Value), "key is already in line %d: keep one", line)
		default:
			first[key.Value] = key.Line
		}
		d.checkTree(value, below(path, key.Value))
	}
}

// line returns where the value at the path is written, or the closest that there is to it.
func (d *document) line(path []string) int {
	n, line := d.root, d.root.Line
	for _, key := range path {
		place, next := child(n, key)
		if next == nil {
			break
		}
		n, line = resolveAlias(next), place.Line
	}
	return line
}

// child returns the value at a key or index, and the node that stands where it starts in the text.
func child(n *yaml.Node, key string) (place, value *yaml.Node) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				return n.Content[i], n.Content[i+1]
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(key); err == nil && i >= 0 && i < len(n.Content) {
			return n.Content[i], n.Content[i]
		}
	}
	return nil, nil
}

func resolveAlias(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// below returns a new path, so that siblings never share memory.
func below(path []string, key string) []string {
	return append(path[:len(path):len(path)], key)
}
