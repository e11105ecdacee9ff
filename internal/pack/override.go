package pack

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// overrideFile stands for the command line where a problem names its file.
const overrideFile = "--set"

// override puts SENSOR_REF.KEY=VALUE into the config of one of the pack's sensors.
func (l *loader) override(expression string) {
	report := func(format string, args ...any) {
		(&document{name: overrideFile, problems: &l.problems}).report(0, nil, "%s: "+format, append([]any{expression}, args...)...)
	}
	target, value, ok := strings.Cut(expression, "=")
	if !ok {
		report("write SENSOR_REF.KEY=VALUE")
		return
	}
	doc, path := l.findSensor(target)
	if doc == nil {
		report("names no sensor of this pack: write SENSOR_REF.KEY=VALUE; its sensors are %s", strings.Join(l.sensorRefs(), ", "))
		return
	}
	node, err := parseValue(value)
	if err != nil {
		report("the value is not YAML: write it in quotes")
		return
	}
	keys := append([]string{"config"}, strings.Split(path, ".")...)
	if !setBelow(doc.root, keys, node) {
		report("%s has a value already that holds no keys", path)
		return
	}
	doc.checkTree(node, keys)
}

// findSensor splits a target at the longest ref of a sensor that it starts with.
func (l *loader) findSensor(target string) (doc *document, path string) {
	longest := 0
	for _, candidate := range l.documents["sensors"] {
		ref := candidate.ref()
		rest, ok := strings.CutPrefix(target, ref+".")
		if ok && rest != "" && ref != "" && len(ref) > longest {
			doc, path, longest = candidate, rest, len(ref)
		}
	}
	return doc, path
}

func (l *loader) sensorRefs() []string {
	var refs []string
	for _, doc := range l.documents["sensors"] {
		refs = append(refs, doc.ref())
	}
	return refs
}

// ref is what the document says its ref is, or nothing; whether it is a good one is checked elsewhere.
func (d *document) ref() string {
	if _, n := child(d.root, "ref"); n != nil {
		return resolveAlias(n).Value
	}
	return ""
}

// parseValue reads a VALUE as YAML: 5 is a number, '5' a text, [a, b] a list, nothing the empty text.
func parseValue(value string) (*yaml.Node, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(value), &doc); err != nil {
		return nil, err
	}
	if len(doc.Content) == 0 {
		return &yaml.Node{Kind: yaml.ScalarNode, Style: yaml.DoubleQuotedStyle, Tag: "!!str"}, nil
	}
	return doc.Content[0], nil
}

// setBelow sets the value at a path, making the mappings on the way; false if something else is in the way.
func setBelow(n *yaml.Node, path []string, value *yaml.Node) bool {
	if n.Kind != yaml.MappingNode {
		return false
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != path[0] {
			continue
		}
		switch {
		case len(path) == 1:
			move(value, n.Content[i].Line)
			n.Content[i+1] = value
			return true
		case isNull(n.Content[i+1]):
			n.Content[i+1] = &yaml.Node{Kind: yaml.MappingNode, Line: n.Content[i].Line}
		}
		return setBelow(n.Content[i+1], path[1:], value)
	}
	move(value, n.Line)
	if len(path) > 1 {
		value = nested(path[1:], value, n.Line)
	}
	n.Content = append(n.Content, textNode(path[0], n.Line), value)
	return true
}

func nested(path []string, value *yaml.Node, line int) *yaml.Node {
	if len(path) > 1 {
		value = nested(path[1:], value, line)
	}
	return &yaml.Node{Kind: yaml.MappingNode, Line: line, Content: []*yaml.Node{textNode(path[0], line), value}}
}

func textNode(text string, line int) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Style: yaml.DoubleQuotedStyle, Tag: "!!str", Value: text, Line: line}
}

// move gives a value the line of what it replaces, for problems that it causes.
func move(n *yaml.Node, line int) {
	n.Line = line
	for _, part := range n.Content {
		move(part, line)
	}
}
