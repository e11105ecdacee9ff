package schema_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/schema"
)

const commit = `{"hash": "9fceb02d0ae598e95dc970b74767f19372d61af8", "author": "Zoë", "subject": "Fix \"it\"",` +
	` "files": 3, "insertions": 12, "deletions": 1, "tags": ["a", "b"], "when": "2026-03-01T10:00:00Z"}`

const commitSchema = `{
	"type": "object",
	"required": ["hash", "author", "files"],
	"properties": {
		"hash": {"type": "string", "pattern": "^[0-9a-f]{40}$"},
		"author": {"type": "string", "minLength": 1},
		"files": {"type": "integer", "minimum": 0},
		"tags": {"type": "array", "items": {"type": "string"}, "maxItems": 5},
		"when": {"type": "string", "format": "date-time"}
	}
}`

func TestCheck(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ schema, doc, want string }{
		"valid":             {commitSchema, commit, ""},
		"type":              {`{"properties": {"commit": {"properties": {"files": {"type": "integer"}}}}}`, `{"commit": {"files": "3"}}`, `payload.commit.files: got string, want integer`},
		"types":             {`{"type": ["string", "null"]}`, `1`, `payload: got number, want null or string`},
		"element":           {`{"items": {"type": "string"}}`, `["a", 1, "b", 2]`, `payload[1]: got number, want string; payload[3]: got number, want string`},
		"odd key":           {`{"properties": {"a.b": {"type": "string"}}}`, `{"a.b": 1}`, `payload."a.b": got number, want string`},
		"required":          {`{"required": ["a", "b"]}`, `{}`, `payload.a: missing, the schema requires it; payload.b: missing, the schema requires it`},
		"additional":        {`{"properties": {"a": true}, "additionalProperties": false}`, `{"a": 1, "c": 1, "b": 1}`, `payload.b: unknown key, the schema allows no such; payload.c: unknown key, the schema allows no such`},
		"names":             {`{"propertyNames": {"maxLength": 2}}`, `{"abc": 1}`, `payload.abc: bad key: has 3 characters, want at most 2`},
		"format":            {`{"format": "date-time"}`, `"yesterday"`, `payload: "yesterday" is no date-time`},
		"pattern":           {`{"pattern": "^[a-z]+$"}`, `"A1"`, `payload: "A1" does not match pattern ^[a-z]+$`},
		"long value":        {`{"pattern": "^b"}`, `"` + strings.Repeat("a", 100) + `"`, `payload: "` + strings.Repeat("a", 59) + `... does not match pattern ^b`},
		"enum":              {`{"enum": ["a", 1, null]}`, `"b"`, `payload: must be one of "a", 1, null`},
		"const":             {`{"const": {"a": 1}}`, `2`, `payload: must be {"a":1}`},
		"not":               {`{"not": {"type": "null"}}`, `null`, `payload: is what the schema excludes by not`},
		"false":             {`{"properties": {"a": false}}`, `{"a": 1}`, `payload.a: not allowed by the schema`},
		"any of":            {`{"anyOf": [{"type": "string"}, {"properties": {"a": {"type": "null"}}, "required": ["b"]}]}`, `{"a": 1}`, `payload: fits none of the alternatives: a: got number, want null and b: missing, the schema requires it, or got object, want string`},
		"one of two":        {`{"oneOf": [{"type": "number"}, true]}`, `1`, `payload: fits alternatives 1 and 2 of oneOf, want exactly one`},
		"all of":            {`{"allOf": [{"type": "string"}, {"type": "string"}]}`, `1`, `payload: got number, want string`},
		"if then":           {`{"if": {"required": ["a"]}, "then": {"required": ["b"]}}`, `{"a": 1}`, `payload.b: missing, the schema requires it`},
		"inner ref":         {`{"$ref": "#/$defs/n", "$defs": {"n": {"type": "integer"}}}`, `1.5`, `payload: got number, want integer`},
		"unique":            {`{"uniqueItems": true}`, `[1, 2, 1.0]`, `payload: elements 0 and 2 are equal`},
		"exact":             {`{"maximum": 9007199254740992}`, `9007199254740993`, `payload: got 9007199254740993, want at most 9007199254740992`},
		"exact const":       {`{"const": 9007199254740992}`, `9007199254740993`, `payload: must be 9007199254740992`},
		"1.0 is an integer": {`{"type": "integer"}`, `1.0`, ""},
		"multiple":          {`{"multipleOf": 0.01}`, `0.125`, `payload: got 0.125, want a multiple of 0.01`},
		"contains":          {`{"contains": {"type": "string"}}`, `[1]`, `payload: no items match contains schema`},
		"draft 7":           {`{"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "string"}]}`, `[1]`, `payload[0]: got number, want string`},
		"many":              {`{"items": {"type": "string"}}`, `[1,1,1,1,1,1,1,1,1,1,1,1]`, `payload[0]: got number, want string; payload[1]: got number, want string; payload[2]: got number, want string; payload[3]: got number, want string; payload[4]: got number, want string; payload[5]: got number, want string; payload[6]: got number, want string; payload[7]: got number, want string; payload[8]: got number, want string; payload[9]: got number, want string; and 2 more`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := schema.Compile("out_schema", []byte(test.schema))
			require.NoError(t, err)
			err = s.Check("payload", []byte(test.doc))
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, test.want)
		})
	}
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ schema, want string }{
		"no JSON":          {`{"type": }`, `out_schema: not JSON: byte 9 is '}', want a JSON value`},
		"list":             {`[]`, `out_schema: got array, want boolean or object`},
		"unknown type":     {`{"properties": {"x": {"type": "strnig"}}}`, `out_schema.properties.x.type: fits none of the alternatives: got string, want array, or must be one of "array", "boolean", "integer", "null", "number", "object", "string"`},
		"wrong kind":       {`{"required": "a", "minLength": -1}`, `out_schema.minLength: got -1, want at least 0; out_schema.required: got string, want array`},
		"lookahead":        {`{"properties": {"x": {"pattern": "(?=a)"}}}`, "out_schema.properties.x.pattern: \"(?=a)\" is no RE2 regular expression: error parsing regexp: invalid or unsupported Perl syntax: `(?=`"},
		"bad name pattern": {`{"patternProperties": {"[": true}}`, "out_schema.patternProperties.\"[\": bad key: \"[\" is no RE2 regular expression: error parsing regexp: missing closing ]: `[`"},
		"costly pattern":   {`{"pattern": "((a{0,30}){0,30})$"}`, `out_schema.pattern: "((a{0,30}){0,30})$" is no RE2 regular expression: pattern of 1895 instructions: at most 300, use smaller repetitions`},
		"web":              {`{"$ref": "https://example.com/s.json"}`, `out_schema: "https://example.com/s.json" is outside of the schema: copy what it refers to under $defs`},
		"file":             {`{"properties": {"a": {"$ref": "file:///etc/hostname"}}}`, `out_schema: "file:///etc/hostname" is outside of the schema: copy what it refers to under $defs`},
		"neighbour":        {`{"$ref": "other.json"}`, `out_schema: "other.json" is outside of the schema: copy what it refers to under $defs`},
		"nowhere":          {`{"$ref": "#/$defs/none"}`, `out_schema: $ref "#/$defs/none" leads nowhere in the schema`},
		"unknown draft":    {`{"$schema": "https://example.com/draft"}`, `out_schema: "https://example.com/draft" is outside of the schema: copy what it refers to under $defs`},
		"too long":         {`{"title": "` + strings.Repeat("a", 128<<10) + `"}`, `out_schema: has 131085 bytes: a schema has at most 131072`},
		"absurd number":    {`{"minimum": 1e999999999}`, `out_schema: byte 12: a number with an exponent beyond ±1000`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := schema.Compile("out_schema", []byte(test.schema))
			require.EqualError(t, err, test.want)
		})
	}
}

func TestCheckPathsLeadToTheCulprit(t *testing.T) {
	t.Parallel()
	s, err := schema.Compile("param_schema", []byte(`{"properties": {"hosts": {"items": {"required": ["name"]}}}}`))
	require.NoError(t, err)
	violations, ok := errors.AsType[schema.Violations](s.Check("config", []byte(`{"hosts": [{"name": "a"}, {}]}`)))
	require.True(t, ok)
	require.Equal(t, schema.Violations{{
		Path: []string{"config", "hosts", "1", "name"}, Message: "missing, the schema requires it",
	}}, violations)
}

func TestCache(t *testing.T) {
	t.Parallel()
	const size = 4
	cache := schema.NewCache(size)
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			want := i % (2 * size)
			s, err := cache.Get("out_schema", fmt.Appendf(nil, `{"const": %d}`, want))
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Check("payload", fmt.Append(nil, want)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	_, err := cache.Get("out_schema", []byte(`{"type": 1}`))
	require.ErrorContains(t, err, "out_schema.type")
}

func BenchmarkCheck(b *testing.B) {
	cache := schema.NewCache(16)
	raw, text := []byte(commit), []byte(commitSchema)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		s, err := cache.Get("out_schema", text)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Check("payload", raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		if _, err := schema.Compile("out_schema", []byte(commitSchema)); err != nil {
			b.Fatal(err)
		}
	}
}
