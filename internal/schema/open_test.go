package schema_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/schema"
)

func TestCheckOpen(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ schema, doc, want string }{
		"pattern":              {`{"properties": {"x": {"pattern": "^a"}}}`, `{"x": "b"}`, ""},
		"format and length":    {`{"properties": {"x": {"format": "uri", "minLength": 9}}}`, `{"x": "b"}`, ""},
		"enum":                 {`{"properties": {"x": {"enum": ["a"]}}}`, `{"x": "b"}`, ""},
		"excluded":             {`{"properties": {"x": {"not": {"const": "b"}}}}`, `{"x": "b"}`, ""},
		"is a string":          {`{"properties": {"x": {"type": "integer", "minimum": 3}}}`, `{"x": "b"}`, "config.x: got string, want integer"},
		"another string":       {`{"additionalProperties": {"pattern": "^a"}}`, `{"x": "b", "y": "b"}`, `config.y: "b" does not match pattern ^a`},
		"one branch fits":      {`{"anyOf": [{"properties": {"x": {"const": "a"}}}, {"required": ["z"]}]}`, `{"x": "b"}`, ""},
		"no branch fits":       {`{"anyOf": [{"properties": {"x": {"type": "null"}}}, {"required": ["z"]}]}`, `{"x": "b"}`, "config: fits none of the alternatives: x: got string, want null, or z: missing, the schema requires it"},
		"one of":               {`{"properties": {"x": {"oneOf": [{"pattern": "^a"}, {"type": "integer"}]}}}`, `{"x": "b"}`, ""},
		"element":              {`{"properties": {"x": {"contains": {"const": "a"}}}}`, `{"x": ["b", "open"]}`, ""},
		"elements are strings": {`{"properties": {"x": {"contains": {"type": "null"}}}}`, `{"x": ["b", "open"]}`, "config.x: no items match contains schema"},
		"referred to":          {`{"$defs": {"s": {"pattern": "^a"}}, "properties": {"x": {"$ref": "#/$defs/s"}}}`, `{"x": "b"}`, ""},
		"more is wrong":        {`{"properties": {"x": {"pattern": "^a"}}, "required": ["z"]}`, `{"x": "b"}`, "config.z: missing, the schema requires it"},
		"nothing is":           {`{"properties": {"x": {"pattern": "^a"}}}`, `{"x": "a"}`, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := schema.Compile("param_schema", []byte(test.schema))
			require.NoError(t, err)
			err = s.CheckOpen("config", []byte(test.doc), func(path []string) bool {
				return slices.Equal(path, []string{"config", "x"}) || slices.Equal(path, []string{"config", "x", "1"})
			})
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, test.want)
		})
	}
}
