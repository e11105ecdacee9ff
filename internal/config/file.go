package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// defaultFile is read from the working directory when no file is named.
const defaultFile = "config.yaml"

// addFile lays a YAML file over what is there: the named one, or dir's default if there is one.
func (l *loader) addFile(name, dir string) {
	path := name
	if name == "" {
		path = filepath.Join(dir, defaultFile)
	}
	content, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && name == "":
		return
	case err != nil:
		l.problem("the configuration file cannot be read: %v", err)
		return
	}
	if l.config.File, err = filepath.Abs(path); err != nil {
		l.problem("the folder of the configuration file is unknown: %v", err)
	}
	root, err := parseYAML(content)
	if err != nil {
		l.problem("%s is not a valid configuration file: %v", path, err)
		return
	}
	if root != nil {
		r := fileReader{loader: l, path: path, settings: map[string]any{}}
		r.readMapping("", root)
		l.add(r.settings)
	}
}

// parseYAML returns the mapping that the file consists of, nil if the file is empty.
func parseYAML(content []byte) (*yaml.Node, error) {
	var document yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("it holds more than one document: remove what follows ---")
	}
	root := document.Content[0]
	if isNull(root) {
		return nil, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, errors.New("write sections with keys below them")
	}
	return root, checkYAML(root)
}

// checkYAML finds what only decoding finds: keys that are there twice and aliases that contain themselves.
func checkYAML(root *yaml.Node) error {
	var plain map[string]any
	err := root.Decode(&plain)
	if several := (*yaml.TypeError)(nil); errors.As(err, &several) {
		return errors.New(strings.Join(several.Errors, "; "))
	}
	return err
}

// fileReader picks the known keys out of a YAML file. It takes the text as it is written: what a value means is up to
// its key, not to YAML.
type fileReader struct {
	*loader
	path     string
	settings map[string]any
}

func (r fileReader) readMapping(prefix string, mapping *yaml.Node) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		r.read(prefix+mapping.Content[i].Value, mapping.Content[i], mapping.Content[i+1])
	}
}

func (r fileReader) read(name string, at, node *yaml.Node) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	origin := fmt.Sprintf("in %s line %d", r.path, at.Line)
	known, section := r.isKey(name), r.isSection(name)
	switch {
	case isNull(node) && (known || section):
		// nothing said: the default stays
	case r.settings[name] != nil:
		r.problem("%s (%s) is set twice, the second time %s: remove one", name, envName(name), origin)
	case known && node.Kind == yaml.ScalarNode:
		r.settings[name] = setting{Text: node.Value, Origin: origin}
	case known && node.Kind == yaml.SequenceNode:
		r.settings[name] = setting{Text: joinScalars(node), List: true, Origin: origin}
	case known:
		r.problem("%s (%s) has keys below it %s: write one value", name, envName(name), origin)
	case node.Kind == yaml.MappingNode && (section || !strings.Contains(name, ".")):
		r.readMapping(name+".", node)
	case section:
		r.problem("%s %s is a section: write its keys below it, indented", name, origin)
	default:
		r.problem("unknown key %s %s: %s", name, origin, r.advise(name, fileName))
	}
}

// fileName is how a file names a key: as it is.
func fileName(name string) string { return name }

func joinScalars(sequence *yaml.Node) string {
	texts := make([]string, len(sequence.Content))
	for i, node := range sequence.Content {
		texts[i] = node.Value
	}
	return strings.Join(texts, ",")
}

func isNull(node *yaml.Node) bool {
	return node.Kind == yaml.ScalarNode && node.Tag == "!!null"
}
