package filewatch

import (
	"strings"

	"github.com/attune-automation/sensors/internal/runner/filewatch/glob"
)

// linePayload is the payload of trigger core.line.
type linePayload struct {
	Path       string            `json:"path"`                  // under which the file was found
	PathBase64 string            `json:"path_base64,omitempty"` // the exact bytes, if they are not UTF-8
	MovedTo    string            `json:"moved_to,omitempty"`
	Offset     int64             `json:"offset"`
	Length     int64             `json:"length"` // bytes that were read, the end of the line included
	Line       string            `json:"line"`
	LineBase64 string            `json:"line_base64,omitempty"`
	Lines      int               `json:"lines,omitempty"` // of a record, if the config has any
	Pattern    string            `json:"pattern,omitempty"`
	Fields     map[string]string `json:"fields,omitempty"`
	Truncated  bool              `json:"truncated,omitempty"`
	Partial    bool              `json:"partial,omitempty"`
}

// payload returns the payload of a record; nil if it matches no pattern.
func (c *Config) payload(p piece, file *tracked) []byte {
	v := linePayload{Offset: p.from, Length: p.to - p.from, Truncated: p.truncated, Partial: p.partial}
	if len(c.Patterns) > 0 && !c.match(p.text, &v) {
		return nil
	}
	v.Path, v.PathBase64 = exact(file.path)
	if file.at != file.path {
		v.MovedTo, _ = exact(file.at)
	}
	v.Line, v.LineBase64 = exact(string(p.text))
	if c.Multiline() {
		v.Lines = p.lines
	}
	return mustMarshal(v)
}

// match notes the first pattern that a record matches, and its groups that take part.
func (c *Config) match(text []byte, v *linePayload) bool {
	for i := range c.Patterns {
		p := &c.Patterns[i]
		if len(p.fields) == 0 {
			if !p.Regexp.Match(text) {
				continue
			}
			v.Pattern = p.Name
			return true
		}
		at := p.Regexp.FindSubmatchIndex(text)
		if at == nil {
			continue
		}
		v.Pattern, v.Fields = p.Name, make(map[string]string, len(p.fields))
		for group, name := range p.fields {
			if from := at[2*group]; name != "" && from >= 0 {
				v.Fields[name], _ = exact(string(text[from:at[2*group+1]]))
			}
		}
		return true
	}
	return false
}

// patterns lists paths for people.
func patterns(paths []glob.Pattern) string {
	texts := make([]string, len(paths))
	for i, p := range paths {
		texts[i] = glob.Printable(p.String())
	}
	return strings.Join(texts, ", ")
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}
