package expression

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// encoder writes values as JSON: times as RFC 3339 in UTC, durations as `5400s`, bytes in Base64, and keys of objects in
// order. Its methods return a *Failure for what JSON cannot express.
type encoder struct {
	out   bytes.Buffer
	depth int
	// escape, if set, is what becomes of each text.
	escape func(string) string
	// spent is what the expressions of a template have cost so far, in CEL's units.
	spent uint64
}

// maxNesting is how deep lists and objects of a result may nest.
const maxNesting = 500

func (e *encoder) value(v ref.Val) error {
	if err := e.room(0); err != nil {
		return err
	}
	switch v := v.(type) {
	case types.Null, types.Bool, types.Int, types.Uint, types.Double, types.String, types.Bytes, types.Timestamp, types.Duration:
		return e.scalar(v)
	case *types.Err:
		return &Failure{Message: plainError(v.Error()), Cause: CauseOther}
	case *types.Optional:
		if !v.HasValue() {
			return &Failure{Message: "an optional value is missing: give it a default by .orValue(...)", Cause: CauseMissing}
		}
		return e.value(v.GetValue())
	case traits.Mapper:
		if native, ok := v.Value().(map[string]any); ok {
			return e.native(native)
		}
		return e.mapper(v)
	case traits.Lister:
		if native, ok := v.Value().([]any); ok {
			return e.native(native)
		}
		return e.lister(v)
	}
	return &Failure{Message: fmt.Sprintf("is %s, which JSON cannot express", valueName(v)), Cause: CauseTypes}
}

func (e *encoder) scalar(v ref.Val) error {
	switch v := v.(type) {
	case types.Null:
		e.out.WriteString("null")
	case types.Bool:
		fmt.Fprint(&e.out, bool(v))
	case types.Int:
		fmt.Fprint(&e.out, int64(v))
	case types.Uint:
		fmt.Fprint(&e.out, uint64(v))
	case types.Double:
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return &Failure{Message: fmt.Sprintf("is %v, which JSON cannot express", float64(v)), Cause: CauseTypes}
		}
		return e.marshal(float64(v))
	case types.String:
		return e.text(string(v))
	case types.Bytes:
		return e.text(base64.StdEncoding.EncodeToString(v))
	case types.Timestamp:
		return e.text(v.Time.UTC().Format(time.RFC3339Nano))
	case types.Duration:
		s, _ := v.ConvertToType(types.StringType).(types.String)
		return e.text(string(s))
	}
	return nil
}

// native writes what was decoded from JSON, numbers as they were written.
func (e *encoder) native(v any) error {
	if err := e.room(0); err != nil {
		return err
	}
	switch v := v.(type) {
	case nil:
		e.out.WriteString("null")
	case string:
		return e.text(v)
	case json.Number:
		e.out.WriteString(v.String())
	case map[string]any:
		return e.object(slices.Sorted(maps.Keys(v)), func(key string) error { return e.native(v[key]) })
	case []any:
		return e.list(len(v), func(i int) error { return e.native(v[i]) })
	case ref.Val:
		return e.value(v)
	default:
		return e.marshal(v)
	}
	return nil
}

func (e *encoder) mapper(m traits.Mapper) error {
	values := map[string]ref.Val{}
	for i := m.Iterator(); i.HasNext() == types.True; {
		key := i.Next()
		name, ok := key.ConvertToType(types.StringType).(types.String)
		if !ok {
			return &Failure{Message: fmt.Sprintf("a key is %s, and those of JSON are texts", valueName(key)), Cause: CauseTypes}
		}
		values[string(name)] = m.Get(key)
	}
	return e.object(slices.Sorted(maps.Keys(values)), func(key string) error { return e.value(values[key]) })
}

func (e *encoder) lister(l traits.Lister) error {
	return e.list(int(size(l)), func(i int) error { return e.value(l.Get(types.Int(i))) })
}

func (e *encoder) object(keys []string, value func(key string) error) error {
	return e.nested('{', '}', len(keys), func(i int) error {
		if err := e.marshal(keys[i]); err != nil {
			return err
		}
		e.out.WriteByte(':')
		return value(keys[i])
	})
}

func (e *encoder) list(n int, element func(i int) error) error { return e.nested('[', ']', n, element) }

func (e *encoder) nested(open, end byte, n int, item func(i int) error) error {
	if e.depth++; e.depth > maxNesting {
		return &Failure{Message: fmt.Sprintf("the result nests deeper than %d", maxNesting), Cause: CauseOther}
	}
	e.out.WriteByte(open)
	for i := range n {
		if i > 0 {
			e.out.WriteByte(',')
		}
		if err := item(i); err != nil {
			return err
		}
	}
	e.out.WriteByte(end)
	e.depth--
	return nil
}

// room reports that what is written so far leaves no room for n bytes more.
func (e *encoder) room(n int) error {
	if e.out.Len()+n > MaxText {
		return &Failure{Message: fmt.Sprintf("the result is longer than %d bytes", MaxText), Cause: CauseOther}
	}
	return nil
}

func (e *encoder) text(s string) error {
	if err := e.room(len(s)); err != nil {
		return err
	}
	if e.escape != nil {
		s = e.escape(s)
	}
	return e.marshal(s)
}

// marshal is json.Marshal without the escapes that HTML would need.
func (e *encoder) marshal(v any) error {
	encoder := json.NewEncoder(&e.out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return &Failure{Message: err.Error(), Cause: CauseOther}
	}
	e.out.Truncate(e.out.Len() - 1) // the encoder's line feed
	return nil
}

func shorten(s string) string { return shortenTo(s, 100) }

func shortenTo(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
