package correlation

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/throttle"
)

// MaxParts is how many parts a correlation has at most, the rule itself among them.
const MaxParts = 8

// First is the name of the first part, which is the rule itself.
const First = "first"

// Definition is a correlation, as the rules keep it that are its parts.
type Definition struct {
	Rule    string        // ref of the rule
	Within  time.Duration // all parts come within this time
	Ordered bool          // the parts come in their order; else in any
	Parts   []Part        // the first is the rule itself
}

// Part is one of the rules that belong together.
type Part struct {
	Name    string
	Trigger string           // ref
	By      throttle.GroupBy // whose values are the key: as many fields as the first part has
	Absent  bool             // it must not come
}

// String returns the correlation as people say it: first, then paid, then no cancelled, within 10m.
func (d *Definition) String() string {
	var b strings.Builder
	for i, p := range d.Parts {
		switch {
		case i == 0:
		case p.Absent:
			b.WriteString(", then no ")
		case d.Ordered:
			b.WriteString(", then ")
		default:
			b.WriteString(" and ")
		}
		b.WriteString(p.Name)
	}
	return fmt.Sprintf("%s, within %s", b.String(), throttle.Text(d.Within))
}

// Waits says whether the correlation is fulfilled when nothing comes, and not by what comes.
func (d *Definition) Waits() bool { return d.Parts[len(d.Parts)-1].Absent }

// Required is how many parts, from the first, must come.
func (d *Definition) Required() int {
	if d.Waits() {
		return len(d.Parts) - 1
	}
	return len(d.Parts)
}

// Ref returns the ref of the rule that a part is.
func (d *Definition) Ref(part int) string { return PartRef(d.Rule, part, d.Parts[part].Name) }

// Refs returns the refs of all parts.
func (d *Definition) Refs() []string {
	refs := make([]string, len(d.Parts))
	for i := range d.Parts {
		refs[i] = d.Ref(i)
	}
	return refs
}

// PartName returns the name of the part that a rule is, or was.
func (d *Definition) PartName(ruleRef string) string {
	if ruleRef == d.Rule {
		return First
	}
	return strings.TrimPrefix(ruleRef, d.Rule+"/")
}

// PartRef returns the ref of a part of a rule.
func PartRef(rule string, part int, name string) string {
	if part == 0 {
		return rule
	}
	return rule + "/" + name
}

// Subject returns the part that the event of an enforcement is of: the last that comes. It is -1 if that can be any.
func (d *Definition) Subject() int {
	if d.Ordered {
		return d.Required() - 1
	}
	return -1
}

// Key returns the group that a match belongs to: under the names of the first part's fields, the values of the part's own.
func (d *Definition) Key(part int, doc *condition.Document) string {
	return d.Parts[part].By.KeyAs(d.Parts[0].By, doc)
}

// stored is a definition as the database keeps it, with the part that the row is.
type stored struct {
	Rule   string       `json:"rule"`
	Part   int          `json:"part"`
	Within string       `json:"within"`
	Then   []storedPart `json:"then,omitempty"`
	And    []storedPart `json:"and,omitempty"`
}

type storedPart struct {
	Name    string   `json:"name"`
	Trigger string   `json:"trigger"`
	GroupBy []string `json:"group_by,omitempty"`
	Absent  bool     `json:"absent,omitempty"`
}

// Encode returns the definition as JSON, for the rule that is this part.
func (d *Definition) Encode(part int) (json.RawMessage, error) {
	parts := make([]storedPart, len(d.Parts))
	for i, p := range d.Parts {
		parts[i] = storedPart{Name: p.Name, Trigger: p.Trigger, GroupBy: p.By.Names(), Absent: p.Absent}
	}
	s := stored{Rule: d.Rule, Part: part, Within: throttle.Text(d.Within)}
	if d.Ordered {
		s.Then = parts
	} else {
		s.And = parts
	}
	return json.Marshal(s)
}

// Mark tells definitions apart: a State is of one of them.
func (d *Definition) Mark() string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%v %v", d.Within, d.Ordered)
	for _, p := range d.Parts {
		fmt.Fprintf(h, " %q %q %q %v", p.Name, p.Trigger, p.By.Names(), p.Absent)
	}
	return strconv.FormatUint(h.Sum64(), 36)
}

// Parse reads what Encode wrote: the definition, and the part that the rule is. Nothing, or null, is none.
func Parse(raw json.RawMessage) (d *Definition, part int, err error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, 0, nil
	}
	var s stored
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, 0, err
	}
	d = &Definition{Rule: s.Rule, Ordered: s.Then != nil}
	var problems throttle.Problems
	d.Within = throttle.ParseSpan(quote(s.Within), "within", &problems)
	for i, p := range append(s.Then, s.And...) {
		by, err := json.Marshal(p.GroupBy)
		if err != nil {
			return nil, 0, err
		}
		d.Parts = append(d.Parts, Part{
			Name: p.Name, Trigger: p.Trigger, Absent: p.Absent,
			By: throttle.ParseGroupBy(by, fmt.Sprintf("part %d: group_by", i), &problems),
		})
	}
	if len(problems) > 0 {
		return nil, 0, problems
	}
	if problems := d.Check(); len(problems) > 0 {
		return nil, 0, problems
	}
	if s.Part < 0 || s.Part >= len(d.Parts) {
		return nil, 0, fmt.Errorf("part: there is no part %d", s.Part)
	}
	return d, s.Part, nil
}

func quote(text string) json.RawMessage {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // a text always encodes
	}
	return quoted
}
