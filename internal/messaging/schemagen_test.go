package messaging

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// schema writes the JSON Schema of the sample's type.
func (s sample) schema(t *testing.T, docs map[string]string) []byte {
	root := object(t, reflect.TypeOf(s.full), s.kind, docs)
	root.Schema = "https://json-schema.org/draft/2020-12/schema"
	root.ID = "urn:attune:message:" + string(s.kind) + ":" + Version
	root.Title = string(s.kind)
	root.Description = docs[string(s.kind)]
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	require.NoError(t, encoder.Encode(root))
	return b.Bytes()
}

// schema is the part of JSON Schema that the types need.
type schema struct {
	Schema      string     `json:"$schema,omitempty"`
	ID          string     `json:"$id,omitempty"`
	Title       string     `json:"title,omitempty"`
	Description string     `json:"description"`
	Type        any        `json:"type,omitempty"`
	Const       any        `json:"const,omitempty"`
	Format      string     `json:"format,omitempty"`
	Pattern     string     `json:"pattern,omitempty"`
	Minimum     *int       `json:"minimum,omitempty"`
	Properties  properties `json:"properties,omitempty"`
	Required    []string   `json:"required,omitempty"`
}

type property struct {
	name   string
	schema schema
}

// properties are written in the order of the struct's fields.
type properties []property

func (p properties) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	for i, property := range p {
		b.WriteString([]string{"{", ","}[min(i, 1)] + `"` + property.name + `":`)
		if err := encoder.Encode(property.schema); err != nil {
			return nil, err
		}
	}
	b.WriteString("}")
	return b.Bytes(), nil
}

// object returns the schema of a struct.
func object(t *testing.T, structure reflect.Type, kind MessageType, docs map[string]string) schema {
	name, _, _ := strings.Cut(structure.Name(), "[")
	s := schema{Type: "object"}
	for i := range structure.NumField() {
		field := structure.Field(i)
		tag, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		require.NotEmpty(t, tag)
		var value schema
		if field.Type.Kind() == reflect.Struct && field.Type != reflect.TypeFor[time.Time]() {
			value = object(t, field.Type, kind, docs)
		} else {
			kindOf := field.Type
			if options != "" && kindOf.Kind() == reflect.Pointer {
				kindOf = kindOf.Elem() // it is absent, never null
			}
			value = scalar(t, kindOf, kind)
		}
		if tag == "version" {
			value.Pattern = `^1\.[0-9]+$`
		}
		value.Description = docs[name+"."+field.Name]
		require.NotEmpty(t, value.Description, "%s.%s has no comment", name, field.Name)
		s.Properties = append(s.Properties, property{tag, value})
		if options == "" {
			s.Required = append(s.Required, tag)
		}
	}
	return s
}

func scalar(t *testing.T, kind reflect.Type, message MessageType) schema {
	switch kind {
	case reflect.TypeFor[MessageType]():
		return schema{Const: message}
	case reflect.TypeFor[uuid.UUID]():
		return schema{Type: "string", Format: "uuid"}
	case reflect.TypeFor[time.Time]():
		return schema{Type: "string", Format: "date-time"}
	case reflect.TypeFor[json.RawMessage]():
		return schema{}
	case reflect.TypeFor[int]():
		return schema{Type: "integer", Minimum: new(int)}
	}
	switch kind.Kind() {
	case reflect.Int64:
		return schema{Type: "integer"}
	case reflect.String:
		return schema{Type: "string"}
	case reflect.Pointer:
		s := scalar(t, kind.Elem(), message)
		s.Type = []any{s.Type, "null"}
		return s
	}
	require.FailNowf(t, "no schema", "for type %s", kind)
	return schema{}
}

// readDocs returns the comments of the package's types, by name, and of their fields, by Type.Field.
func readDocs(t *testing.T) map[string]string {
	docs := map[string]string{}
	for _, file := range []string{"envelope.go", "payload.go"} {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		require.NoError(t, err)
		for _, declaration := range tree.Decls {
			general, ok := declaration.(*ast.GenDecl)
			if !ok || general.Tok != token.TYPE {
				continue
			}
			spec := general.Specs[0].(*ast.TypeSpec)
			docs[spec.Name.Name] = line(general.Doc)
			if structure, ok := spec.Type.(*ast.StructType); ok {
				for _, field := range structure.Fields.List {
					docs[spec.Name.Name+"."+field.Names[0].Name] = line(field.Doc)
				}
			}
		}
	}
	return docs
}

func line(comment *ast.CommentGroup) string {
	return strings.Join(strings.Fields(comment.Text()), " ")
}
