package expression

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// maxShapes is how much of a schema is looked at, and maxSchemaDepth how deep: what refers to itself has no end.
const (
	maxShapes      = 2000
	maxSchemaDepth = 20
)

// schemaReader takes from a JSON Schema what it says of values.
type schemaReader struct {
	root json.RawMessage
	room int
}

// unread are the keywords that say in ways that are not looked at what there may be. They only rule out.
var unread = []string{"$dynamicRef", "if", "not", "patternProperties", "dependentSchemas", "dependentRequired", "dependencies", "contains",
	"minProperties", "propertyNames", "unevaluatedProperties", "unevaluatedItems", "multipleOf"}

// shape returns nil if the schema says nothing.
func (r *schemaReader) shape(raw json.RawMessage, depth int) *shape {
	var schema map[string]json.RawMessage
	if json.Unmarshal(raw, &schema) != nil || len(schema) == 0 {
		return nil
	}
	elsewhere := depth > 0 && (schema["$id"] != nil || schema["id"] != nil) // its references begin at itself
	if r.room--; r.room < 0 || depth > maxSchemaDepth || elsewhere {
		s := unknown()
		s.vague = true
		return s
	}
	s := unknown()
	s.types(schema)
	s.vague = slices.ContainsFunc(unread, func(key string) bool { return schema[key] != nil })
	s.bounds(schema)
	s.constantsOf(schema)
	_ = json.Unmarshal(schema["format"], &s.format)
	_ = json.Unmarshal(schema["pattern"], &s.pattern)
	r.fields(s, schema, depth)
	r.items(s, schema, depth)
	return r.combined(s, schema, depth)
}

var schemaTypes = map[string]kinds{"null": isNull, "boolean": isBool, "integer": isInt, "number": isInt | isDouble, "string": isString, "array": isList, "object": isMap}

// types reads type.
func (s *shape) types(schema map[string]json.RawMessage) {
	var names []string
	if json.Unmarshal(schema["type"], &names) != nil {
		var name string
		if json.Unmarshal(schema["type"], &name) == nil && schema["type"] != nil {
			names = []string{name}
		}
	}
	if names == nil { // what is of another type, other keywords say nothing of
		return
	}
	s.kinds, s.stated = 0, true
	for _, name := range names {
		s.kinds |= schemaTypes[name]
	}
}

func (s *shape) bounds(schema map[string]json.RawMessage) {
	number := func(key string) (float64, bool) {
		var f *float64
		ok := json.Unmarshal(schema[key], &f) == nil && f != nil
		if !ok {
			return 0, false
		}
		return *f, true
	}
	for _, key := range []string{"minimum", "exclusiveMinimum"} {
		if f, ok := number(key); ok {
			s.least = max(s.least, f)
			s.notZero = s.notZero || f >= 0 && key != "minimum"
		}
	}
	for _, key := range []string{"maximum", "exclusiveMaximum"} {
		if f, ok := number(key); ok {
			s.most = min(s.most, f)
			s.notZero = s.notZero || f <= 0 && key != "maximum"
		}
	}
	if !s.kinds.single() {
		return
	}
	for _, of := range []struct {
		kind        kinds
		least, most string
	}{{isString, "minLength", "maxLength"}, {isList, "minItems", "maxItems"}} {
		if s.kinds != of.kind {
			continue
		}
		if f, ok := number(of.least); ok {
			s.fewest, s.sized = int(min(f, 1e9)), true
		}
		if f, ok := number(of.most); ok {
			s.many, s.sized = int(min(f, 1e9)), true
		}
	}
}

func (s *shape) constantsOf(schema map[string]json.RawMessage) {
	var values []any
	decoder := json.NewDecoder(bytes.NewReader(schema["enum"]))
	decoder.UseNumber()
	if schema["enum"] == nil || decoder.Decode(&values) != nil {
		if schema["const"] == nil {
			return
		}
		v, err := decode(string(schema["const"]))
		if err != nil {
			return
		}
		values = []any{v}
	}
	var all *shape
	var constants []ref.Val
	for _, v := range values {
		c := literalShape(types.DefaultTypeAdapter.NativeToValue(v))
		switch v.(type) {
		case []any:
			c = sure(isList)
		case map[string]any:
			c = sure(isMap)
		}
		if c.kinds&s.kinds == 0 && !(c.kinds == isDouble && s.kinds&isInt != 0) {
			continue
		}
		all, constants = join(c, all), append(constants, c.constants...)
	}
	if all == nil {
		return
	}
	s.kinds, s.stated = all.kinds, true
	if all.kinds&(isList|isMap) == 0 {
		s.constants = constants
		s.least, s.most, s.notZero = max(s.least, all.least), min(s.most, all.most), s.notZero || all.notZero
		s.fewest, s.many, s.sized = all.fewest, all.many, all.kinds == isString
	}
}

func (r *schemaReader) fields(s *shape, schema map[string]json.RawMessage, depth int) {
	var required []string
	if json.Unmarshal(schema["required"], &required) == nil && schema["required"] != nil {
		s.required = map[string]bool{}
		for _, name := range required {
			s.required[name] = true
		}
		if s.kinds == isMap {
			s.fewest = len(s.required)
		}
	}
	var properties map[string]json.RawMessage
	if json.Unmarshal(schema["properties"], &properties) == nil && len(properties) > 0 {
		s.fields = map[string]*shape{}
		for name, property := range properties {
			s.fields[name] = r.shape(property, depth+1)
		}
	}
	switch more := schema["additionalProperties"]; string(more) {
	case "":
	case "false":
		if s.closed = !s.vague; s.closed && s.kinds == isMap {
			s.many = len(s.fields)
		}
	default:
		if s.more = r.shape(more, depth+1); s.more == nil {
			s.more = unknown()
		}
	}
	if schema["patternProperties"] != nil { // which goes before
		s.more = unknown()
	}
}

func (r *schemaReader) items(s *shape, schema map[string]json.RawMessage, depth int) {
	var prefix []json.RawMessage
	rest := schema["items"]
	if json.Unmarshal(schema["prefixItems"], &prefix) != nil {
		if json.Unmarshal(rest, &prefix) == nil { // before 2020
			rest = schema["additionalItems"]
		}
	}
	for _, p := range prefix {
		s.prefix = append(s.prefix, s.part(r.shape(p, depth+1)))
	}
	s.items = r.shape(rest, depth+1)
	if string(rest) == "false" && s.many > len(prefix) && s.kinds == isList {
		s.many, s.sized = len(prefix), true
	}
}

// combined adds what other schemas say of the same value.
func (r *schemaReader) combined(s *shape, schema map[string]json.RawMessage, depth int) *shape {
	if target := r.resolve(schema["$ref"]); target != nil {
		s = meet(s, r.shape(target, depth+1))
	} else if schema["$ref"] != nil {
		s.vague = true
	}
	var list []json.RawMessage
	_ = json.Unmarshal(schema["allOf"], &list)
	for _, part := range list {
		s = meet(s, r.shape(part, depth+1))
	}
	for _, key := range []string{"anyOf", "oneOf"} {
		list = nil
		_ = json.Unmarshal(schema[key], &list)
		var either *shape
		objects := 0
		for _, part := range list {
			one := s.part(r.shape(part, depth+1))
			if one.fields != nil || one.required != nil {
				objects++
			}
			either = join(one, either)
		}
		if either != nil {
			s = meet(s, either)
			s.either = s.either || objects > 1
		}
	}
	return s
}

// resolve returns the part of the schema that a reference leads to; nil if it is not one that is known.
func (r *schemaReader) resolve(reference json.RawMessage) json.RawMessage {
	var text string
	if reference == nil || json.Unmarshal(reference, &text) != nil || text != "#" && !strings.HasPrefix(text, "#/") {
		return nil // an anchor, or elsewhere
	}
	at := r.root
	for _, key := range strings.Split(strings.TrimPrefix(text, "#"), "/")[1:] {
		key = strings.NewReplacer("~1", "/", "~0", "~").Replace(key)
		var object map[string]json.RawMessage
		var list []json.RawMessage
		if json.Unmarshal(at, &object) == nil {
			at = object[key]
		} else if i, err := strconv.Atoi(key); err == nil && json.Unmarshal(at, &list) == nil && 0 <= i && i < len(list) {
			at = list[i]
		} else {
			return nil
		}
		if at == nil {
			return nil
		}
	}
	return at
}
