package correlation

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a correlation.
type Problem struct {
	Part    int    // the part that it is about; 0: the whole
	Field   string // within the part, or the whole
	Message string // what is wrong, and the remedy
}

// Problems is all that is wrong with a correlation.
type Problems []Problem

// Error lists the problems, one a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Field + ": " + problem.Message
		if problem.Part > 0 {
			lines[i] = fmt.Sprintf("part %d: %s", problem.Part, lines[i])
		}
	}
	return strings.Join(lines, "\n")
}

func (p *Problems) add(part int, field, format string, args ...any) {
	*p = append(*p, Problem{part, field, fmt.Sprintf(format, args...)})
}

var partName = regexp.MustCompile(`^[a-z0-9_-]{1,50}$`)

// Check returns what is wrong with the definition; none: nothing is.
func (d *Definition) Check() Problems {
	var problems Problems
	if len(d.Parts) < 2 || len(d.Parts) > MaxParts {
		problems.add(0, d.list(), "has %d parts: write from 1 to %d; the rule itself is one more", max(len(d.Parts)-1, 0), MaxParts-1)
	}
	names := map[string]bool{}
	for i, p := range d.Parts {
		if i == 0 {
			continue
		}
		d.checkPart(&problems, i)
		if names[p.Name] {
			problems.add(i, "name", "%q is the name of another part already: rename one", p.Name)
		}
		names[p.Name] = true
	}
	return problems
}

func (d *Definition) checkPart(problems *Problems, i int) {
	p, first := d.Parts[i], d.Parts[0]
	switch {
	case !partName.MatchString(p.Name):
		problems.add(i, "name", "bad name %q: write up to 50 lower-case letters, digits, '_' and '-', such as paid", p.Name)
	case p.Name == First:
		problems.add(i, "name", "%q is the name of the rule itself: write another", p.Name)
	}
	if own, whole := len(p.By.Names()), len(first.By.Names()); own != whole {
		problems.add(i, "group_by", "has %d fields, and that of the rule has %d: write one for each, or leave it out to use the rule's",
			own, whole)
	}
	if j := d.twin(i); j >= 0 {
		problems.add(i, "group_by", "is not that of part %s, and an event of %s could complete two groups at once: group both by the same fields",
			d.Parts[j].Name, p.Trigger)
	}
	switch {
	case !p.Absent:
	case !d.Ordered:
		problems.add(i, "absent", "with `and` nothing says from when on it must not come: write it as the last of `then`")
	case i != len(d.Parts)-1:
		problems.add(i, "absent", "only the last part of `then` can be absent: move it to the end, or leave absent out")
	}
}

// list is the key of the parts.
func (d *Definition) list() string {
	if d.Ordered {
		return "then"
	}
	return "and"
}

// twin returns an earlier part of the same trigger that is grouped by other fields, where one event may be the last of both;
// -1: there is none.
func (d *Definition) twin(i int) int {
	if d.Ordered {
		return -1
	}
	for j, p := range d.Parts[:i] {
		if p.Trigger == d.Parts[i].Trigger && !slices.Equal(p.By.Names(), d.Parts[i].By.Names()) {
			return j
		}
	}
	return -1
}
