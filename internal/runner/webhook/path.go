package webhook

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

const (
	maxPath     = 300 // bytes of a template
	maxSegments = 20
)

var (
	literalSegment   = regexp.MustCompile(`^[A-Za-z0-9_.~-]+$`)
	parameterSegment = regexp.MustCompile(`^\{([a-z_][a-z0-9_]{0,49})\}$`)
)

// Path is a template of paths: literal segments, and parameters, each of which takes any one segment.
type Path struct {
	segments   []segment
	parameters int // how many of them are
}

// String returns the template.
func (p Path) String() string {
	texts := make([]string, len(p.segments))
	for i, s := range p.segments {
		texts[i] = s.text
		if s.parameter {
			texts[i] = "{" + s.text + "}"
		}
	}
	return strings.Join(texts, "/")
}

// segment is a literal text, or the parameter of that name.
type segment struct {
	text      string
	parameter bool
}

// ParsePath reads a template such as orders/{customer}/events. The error says what is wrong and what to do.
func ParsePath(template string) (Path, error) {
	if len(template) > maxPath {
		return Path{}, fmt.Errorf("has %d bytes: use at most %d", len(template), maxPath)
	}
	texts := strings.Split(template, "/")
	if len(texts) > maxSegments {
		return Path{}, fmt.Errorf("%.60q has %d segments: use at most %d", template, len(texts), maxSegments)
	}
	var p Path
	for _, text := range texts {
		s := segment{text: text}
		if m := parameterSegment.FindStringSubmatch(text); m != nil {
			s = segment{text: m[1], parameter: true}
		} else if err := checkLiteral(template, text); err != nil {
			return Path{}, err
		}
		if s.parameter && slices.Contains(p.segments, s) {
			return Path{}, fmt.Errorf("%q has {%s} twice: give each parameter a name of its own", template, s.text)
		}
		if s.parameter {
			p.parameters++
		}
		p.segments = append(p.segments, s)
	}
	return p, nil
}

func checkLiteral(template, text string) error {
	switch {
	case text == "":
		return fmt.Errorf("%.60q has an empty segment: write it without slashes at its ends, such as orders/{customer}", template)
	case text == "." || text == "..":
		return fmt.Errorf("%.60q has the segment %s, which senders resolve: leave it out", template, text)
	case strings.ContainsAny(text, "{}"):
		return fmt.Errorf("%.60q has the bad parameter %q: write a whole segment such as {customer}, in lower-case letters, digits and '_'", template, text)
	case !literalSegment.MatchString(text):
		return fmt.Errorf("%.60q has the bad segment %q: use letters, digits, '_', '.', '~' and '-'", template, text)
	}
	return nil
}

// overlaps says whether some path fits both templates.
func (p Path) overlaps(q Path) bool {
	return len(p.segments) == len(q.segments) && p.all(q, func(a, b segment) bool {
		return a.parameter || b.parameter || a.text == b.text
	})
}

// within says whether every path that fits p fits q as well.
func (p Path) within(q Path) bool {
	return len(p.segments) == len(q.segments) && p.all(q, func(a, b segment) bool {
		return b.parameter || !a.parameter && a.text == b.text
	})
}

func (p Path) all(q Path, holds func(a, b segment) bool) bool {
	for i := range p.segments {
		if !holds(p.segments[i], q.segments[i]) {
			return false
		}
	}
	return true
}

// conflicts says whether some path fits both templates, and neither of them is the more special one, which would win.
func (p Path) conflicts(q Path) bool {
	return p.overlaps(q) && p.within(q) == q.within(p)
}

// splitPath returns the segments of a path as it was sent, decoded; false: it fits no template.
func splitPath(escaped string) ([]string, bool) {
	if len(escaped) > 8<<10 || strings.Count(escaped, "/") >= maxSegments {
		return nil, false
	}
	segments := strings.Split(escaped, "/")
	for i, s := range segments {
		decoded, err := url.PathUnescape(s)
		if err != nil || decoded == "" {
			return nil, false
		}
		segments[i] = decoded
	}
	return segments, true
}

// values returns what the parameters of a template are in a path that fits it.
func (p Path) values(segments []string) map[string]string {
	values := map[string]string{}
	for i, s := range p.segments {
		if s.parameter {
			values[s.text] = segments[i]
		}
	}
	return values
}
