// Package schema checks JSON documents against JSON Schemas (draft 2020-12 unless $schema says otherwise) and says in
// people's words what is wrong with either. Numbers are compared exactly, formats are asserted, patterns are RE2, and
// no reference ever leaves the schema.
package schema

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// location is the address under which a schema is compiled. Its slashes let a relative $ref resolve to something else
// than the schema itself, which noLoader then refuses.
const (
	base     = "attune:///"
	location = base + "schema"
)

// maxPattern is the largest compiled pattern, in instructions. RE2 takes time in proportion to instructions x length,
// so that the worst pattern on the longest payload stays within seconds.
const maxPattern = 300

// matchBudget bounds the work of one match, in instructions x bytes: about 0.1 s. A text over it does not match.
const matchBudget = 8 << 20

// maxSchema is the longest schema, in bytes: compiling takes time in proportion to its square.
const maxSchema = 128 << 10

// Schema is a compiled JSON Schema, safe for concurrent use.
type Schema struct {
	compiled *jsonschema.Schema
}

// Compile reads a JSON Schema. What is wrong with it comes back as Violations, whose paths start with name and lead
// into the schema.
func Compile(name string, raw []byte) (*Schema, error) {
	if len(raw) > maxSchema {
		return nil, Violations{{Path: []string{name}, Message: fmt.Sprintf("has %d bytes: a schema has at most %d", len(raw), maxSchema)}}
	}
	if err := CheckPayload(raw); err != nil {
		return nil, Violations{{Path: []string{name}, Message: err.Error()}}
	}
	doc, err := decode(raw)
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.UseLoader(noLoader{})
	c.UseRegexpEngine(compilePattern)
	if err := c.AddResource(location, doc); err != nil {
		return nil, fmt.Errorf("reading the schema: %w", err)
	}
	compiled, err := c.Compile(location)
	if err != nil {
		return nil, compileViolations(name, err)
	}
	return &Schema{compiled: compiled}, nil
}

// Check says what is wrong with a JSON document, as Violations whose paths start with name; nil if nothing is. The
// document must have passed CheckPayload, which keeps exact arithmetic affordable.
func (s *Schema) Check(name string, raw []byte) error {
	doc, err := decode(raw)
	if err != nil {
		return err
	}
	return s.CheckValue(name, doc)
}

// CheckValue is Check for a decoded document: nil, bool, string, json.Number, []any and map[string]any.
func (s *Schema) CheckValue(name string, doc any) error {
	err := s.compiled.Validate(doc)
	if invalid, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		return collect(name, nil, invalid)
	}
	return err
}

func decode(raw []byte) (any, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	return doc, nil
}

// noLoader refuses what is outside of the schema: checking a payload never reads a file or the network.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("%q is outside of the schema: copy what it refers to under $defs", strings.TrimPrefix(url, base))
}

func compilePattern(pattern string) (jsonschema.Regexp, error) {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, err
	}
	prog, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, err
	}
	if len(prog.Inst) > maxPattern {
		return nil, fmt.Errorf("pattern of %d instructions: at most %d, use smaller repetitions", len(prog.Inst), maxPattern)
	}
	compiled, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	return boundedPattern{Regexp: compiled, most: matchBudget / len(prog.Inst)}, nil
}

// boundedPattern does not match a text that is too long to be looked at in reasonable time.
type boundedPattern struct {
	*regexp.Regexp
	most int // bytes
}

func (p boundedPattern) MatchString(s string) bool {
	return len(s) <= p.most && p.Regexp.MatchString(s)
}
