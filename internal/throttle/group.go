package throttle

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/attune-automation/sensors/internal/condition"
)

const (
	// MaxFields is how many fields a group may be told apart by.
	MaxFields = 8
	// maxFieldText bounds the path of such a field, and maxValueText what a key has of its value.
	maxFieldText = 200
	maxValueText = 256
)

// GroupBy are the fields by whose values matches belong to one group or another. None: all of them are one group.
type GroupBy struct {
	fields []condition.Field // by name
}

// ParseGroupBy reads a list of fields, and reports at the path what is wrong with it. Nothing, or null, are no fields.
func ParseGroupBy(raw json.RawMessage, path string, p *Problems) GroupBy {
	if len(raw) == 0 || string(raw) == "null" {
		return GroupBy{}
	}
	var texts []string
	if err := json.Unmarshal(raw, &texts); err != nil {
		p.report(path, "got %s: write a list of fields, such as [payload.host]", shorten(raw))
		return GroupBy{}
	}
	if len(texts) > MaxFields {
		p.report(path, "%d fields: at most %d are allowed", len(texts), MaxFields)
		return GroupBy{}
	}
	var by GroupBy
	for i, text := range texts {
		at := fmt.Sprintf("%s[%d]", path, i)
		field, err := condition.ParseField(text)
		switch {
		case err != nil:
			p.report(at, "%v", err)
		case len(text) > maxFieldText:
			p.report(at, "has %d bytes: at most %d are allowed", len(text), maxFieldText)
		case slices.Contains(texts[:i], text):
			p.report(at, "%s is in the list already: keep it once", text)
		default:
			by.fields = append(by.fields, field)
		}
	}
	return by
}

// Names returns the fields as they were written.
func (g GroupBy) Names() []string {
	names := make([]string, len(g.fields))
	for i, f := range g.fields {
		names[i] = f.String()
	}
	return names
}

// Uses reports whether a field begins at the root.
func (g GroupBy) Uses(root condition.Root) bool {
	return slices.ContainsFunc(g.fields, func(f condition.Field) bool { return f.Root() == root })
}

// Key names the group that an event belongs to: a JSON object of the fields and their values, the same one exactly if the
// values are equal. A missing value is null. Of a long value the key has a part, and the hash of the whole.
func (g GroupBy) Key(doc *condition.Document) string { return g.KeyAs(g, doc) }

// KeyAs is Key under the names of other fields, as many as there are: so events of different kinds come into one group.
func (g GroupBy) KeyAs(names GroupBy, doc *condition.Document) string {
	values := make(map[string]string, len(g.fields))
	for i, f := range g.fields {
		values[names.fields[i].String()] = abridge(f.Value(doc).Canonical())
	}
	sorted := names.Names()
	slices.Sort(sorted)
	key := []byte{'{'}
	for i, name := range sorted {
		if i > 0 {
			key = append(key, ',')
		}
		key = append(append(condition.AppendText(key, name), ':'), values[name]...)
	}
	return string(append(key, '}'))
}

// abridge makes a long JSON value a text with its beginning and its hash.
func abridge(value string) string {
	if len(value) <= maxValueText {
		return value
	}
	begin := value[:maxValueText/4]
	for !utf8.ValidString(begin) {
		begin = begin[:len(begin)-1]
	}
	hash := sha256.Sum256([]byte(value))
	return string(condition.AppendText(nil, begin+"... sha256:"+hex.EncodeToString(hash[:])))
}
