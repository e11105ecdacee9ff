package config

import (
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Print writes the configuration as YAML that Load reads, all keys, with the passwords in secrets masked.
func (c Config) Print(w io.Writer) error {
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	if err := encoder.Encode(c.document()); err != nil {
		return fmt.Errorf("printing the configuration: %w", err)
	}
	return encoder.Close()
}

func (c Config) document() *yaml.Node {
	root := &yaml.Node{Kind: yaml.MappingNode}
	var name string
	var section *yaml.Node
	for _, k := range keys(&c) {
		if k.section() != name {
			name, section = k.section(), &yaml.Node{Kind: yaml.MappingNode}
			root.Content = append(root.Content, textNode(name), section)
		}
		section.Content = append(section.Content, textNode(strings.TrimPrefix(k.name, name+".")), k.node())
	}
	return root
}

// node is the value of the key; without one, because the program does without it, null.
func (k key) node() *yaml.Node {
	text := k.value.text()
	switch v := k.value.(type) {
	case listValue:
		list := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, word := range *v.field {
			list.Content = append(list.Content, textNode(word))
		}
		return list
	case intValue:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: text}
	case boolValue:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: text}
	case urlValue:
		if text == "" {
			return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
		}
	}
	return textNode(k.mask(text))
}

func textNode(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
}
