package secret

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Reference is one place of a config where the value of a secret is to stand.
type Reference struct {
	Path []string // from "config" through keys and array indexes to the string that holds it
	Name string   // of the secret
}

// References returns what a config refers to, in the order of its keys. The error is Problems when references are
// malformed; whether there are such secrets is not looked at.
func References(config json.RawMessage) ([]Reference, error) {
	var found []Reference
	_, err := replace(config, func(path []string, name string) (string, error) {
		found = append(found, Reference{Path: slices.Clone(path), Name: name})
		return "", nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Resolve returns a config with the values of secrets in the place of their references, and these secrets. References
// may stand anywhere inside of strings, at any depth; keys are left as they are, and numbers keep their digits. The
// error is Problems when references are malformed or secrets are missing.
func (s *Source) Resolve(config json.RawMessage) (json.RawMessage, Values, error) {
	used := map[string]string{}
	resolved, err := replace(config, func(_ []string, name string) (string, error) {
		value, err := s.Lookup(name)
		used[name] = value
		return value, err
	})
	if err != nil {
		return nil, Values{}, err
	}
	return resolved, newValues(used), nil
}

// lookup returns what is to stand in the place of a reference.
type lookup func(path []string, name string) (string, error)

// replacer walks over a config.
type replacer struct {
	lookup   lookup
	changed  bool
	problems Problems
}

// replace returns a config with all of its references replaced; a config without any comes back as it is.
func replace(config json.RawMessage, with lookup) (json.RawMessage, error) {
	// A $ may also be written as an escape.
	if !bytes.Contains(config, []byte("${")) && !bytes.Contains(config, []byte(`\u`)) {
		return config, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(config))
	decoder.UseNumber()
	var document any
	if err := decoder.Decode(&document); err != nil {
		return nil, fmt.Errorf("reading a config: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("reading a config: it is more than one JSON value")
	}
	r := replacer{lookup: with}
	document = r.walk([]string{"config"}, document)
	if r.problems != nil {
		return nil, r.problems
	}
	if !r.changed {
		return config, nil
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(document); err != nil {
		return nil, fmt.Errorf("writing a config: %w", err)
	}
	return bytes.TrimRight(out.Bytes(), "\n"), nil
}

// walk replaces the references of a value and of all values in it.
func (r *replacer) walk(path []string, value any) any {
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			v[key] = r.walk(append(path, key), v[key])
		}
	case []any:
		for i, item := range v {
			v[i] = r.walk(append(path, strconv.Itoa(i)), item)
		}
	case string:
		return r.text(path, v)
	}
	return value
}

func (r *replacer) text(path []string, text string) string {
	if !strings.Contains(text, "${") {
		return text
	}
	pieces, err := parse(text)
	if err != nil {
		r.problem(path, err)
		return text
	}
	var b strings.Builder
	for _, p := range pieces {
		b.WriteString(p.literal)
		if p.name == "" {
			continue
		}
		value, err := r.lookup(path, p.name)
		if err != nil {
			r.problem(path, err)
		}
		b.WriteString(value)
	}
	r.changed = r.changed || b.String() != text
	return b.String()
}

func (r *replacer) problem(path []string, err error) {
	r.problems = append(r.problems, Problem{Path: slices.Clone(path), Message: err.Error()})
}
