package filewatch

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
)

// A regular expression takes time in proportion to the size of its program times the length of the line.
const (
	maxPatternBytes = 4096
	maxInstructions = 1000
)

// readPatterns reads a list whose elements are regular expressions, or have a name and a regex.
func (c *Config) readPatterns(top *object) {
	names := map[string]int{}
	list := top.elements("patterns", maxPatterns)
	for i, element := range list {
		p, ok := readPattern(top, i, element)
		if !ok {
			continue
		}
		if first, again := names[p.Name]; again {
			top.problemAt("patterns", i, fmt.Sprintf("has the name %q, as pattern %d has: name each differently", p.Name, first))
			continue
		}
		names[p.Name] = i
		c.Patterns = append(c.Patterns, p)
	}
	if top.has("patterns") && len(list) == 0 && !top.broken("patterns") {
		top.problem("patterns", "is empty: leave it out if every line is to be an event")
	}
}

func readPattern(top *object, i int, element []byte) (p LinePattern, ok bool) {
	p.Name = strconv.Itoa(i)
	if text, is := textOf(element); is {
		expression, err := compile(text)
		if err != nil {
			top.problemAt("patterns", i, err.Error())
			return p, false
		}
		p.Regexp = expression
	} else {
		fields := top.element("patterns", i, element)
		p.Name = fields.text("name", p.Name)
		p.Regexp = fields.regexp("regex")
		if !fields.has("regex") {
			fields.problem("regex", "missing: write a regular expression in RE2 syntax")
		}
		fields.finish()
	}
	if p.Regexp == nil {
		return p, false
	}
	seen := map[string]bool{}
	for _, name := range p.Regexp.SubexpNames() {
		if name != "" && seen[name] {
			top.problemAt("patterns", i, fmt.Sprintf("has the group %q twice: name each differently", name))
			return p, false
		}
		seen[name] = true
	}
	if len(seen) > 1 {
		p.fields = p.Regexp.SubexpNames()
	}
	return p, true
}

// compile compiles a regular expression of bounded size.
func compile(text string) (*regexp.Regexp, error) {
	if len(text) > maxPatternBytes {
		return nil, fmt.Errorf("has %d bytes: a regular expression may have %d", len(text), maxPatternBytes)
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("does not compile: %w; write a regular expression in RE2 syntax", err)
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, fmt.Errorf("does not compile: %w", err)
	}
	if len(program.Inst) > maxInstructions {
		return nil, fmt.Errorf("compiles to %d instructions: at most %d are allowed; use fewer or smaller repetitions", len(program.Inst), maxInstructions)
	}
	return regexp.Compile(text)
}
