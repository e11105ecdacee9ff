package webhook

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/attune-automation/sensors/internal/sensor"
)

// Place is where the webhook of a sensor is meant to be.
type Place struct {
	Ref  string
	Age  int64 // of the sensor: the smaller, the older
	Path Path
}

// Place returns where the webhook of a sensor is meant to be.
func (c Config) Place(s sensor.Sensor) (Place, error) {
	path, err := ParsePath(c.PathOf(s.Ref))
	return Place{Ref: s.Ref, Age: s.ID, Path: path}, err
}

// TableOf returns the table of the sensors that are webhooks; those whose config is wrong have no place.
func TableOf(sensors []sensor.Sensor) *Table {
	var places []Place
	for _, s := range sensors {
		if s.Runtime != sensor.RuntimeWebhook {
			continue
		}
		config, err := Parse(s.Config)
		if err != nil {
			continue
		}
		if place, err := config.Place(s); err == nil {
			places = append(places, place)
		}
	}
	return NewTable(places)
}

// Table finds the webhook that a path belongs to. It never changes, and is safe for concurrent use.
type Table struct {
	root      node
	conflicts map[string]*Conflict // by the sensor that has to give way
}

// Conflict is that two sensors want the same requests, and neither has the more special path.
type Conflict struct {
	Ref, Path           string // of the sensor that has to give way
	OtherRef, OtherPath string // of the one that was there first
}

// Error says what to do.
func (c *Conflict) Error() string {
	return fmt.Sprintf("its path %q conflicts with %q of sensor %s, which was there first: choose another path", c.Path, c.OtherPath, c.OtherRef)
}

// node is what fits a path so far.
type node struct {
	literals  map[string]*node
	parameter *node
	place     *Place // of a path that ends here
}

// NewTable returns the table of all places. Where two conflict, the older sensor has it: a new one never takes requests
// away from another.
func NewTable(places []Place) *Table {
	t := &Table{conflicts: map[string]*Conflict{}}
	literal, open := map[string]Place{}, []Place{} // those without parameters, and those with
	for _, p := range slices.SortedFunc(slices.Values(places), older) {
		text, parameters := p.Path.String(), p.Path.parameters > 0
		other, conflict := literal[text]
		if parameters {
			if i := slices.IndexFunc(open, func(o Place) bool { return p.Path.conflicts(o.Path) }); i >= 0 {
				other, conflict = open[i], true
			}
		}
		switch {
		case conflict:
			t.conflicts[p.Ref] = &Conflict{Ref: p.Ref, Path: text, OtherRef: other.Ref, OtherPath: other.Path.String()}
			continue
		case parameters:
			open = append(open, p)
		default:
			literal[text] = p
		}
		t.root.add(p)
	}
	return t
}

func older(a, b Place) int { return cmp.Or(cmp.Compare(a.Age, b.Age), cmp.Compare(a.Ref, b.Ref)) }

func (n *node) add(p Place) {
	for _, s := range p.Path.segments {
		if s.parameter {
			if n.parameter == nil {
				n.parameter = &node{}
			}
			n = n.parameter
			continue
		}
		if n.literals == nil {
			n.literals = map[string]*node{}
		}
		if n.literals[s.text] == nil {
			n.literals[s.text] = &node{}
		}
		n = n.literals[s.text]
	}
	n.place = &p
}

// Conflict says which other sensor keeps a sensor's webhook from being served; nil: none does.
func (t *Table) Conflict(ref string) error {
	if c := t.conflicts[ref]; c != nil {
		return c
	}
	return nil
}

// ConflictOf returns a conflict that a pack has a part in, the first by ref; nil: there is none.
func (t *Table) ConflictOf(packRef string) error {
	for _, ref := range slices.Sorted(maps.Keys(t.conflicts)) {
		if c := t.conflicts[ref]; sensor.PackOf(ref) == packRef || sensor.PackOf(c.OtherRef) == packRef {
			return fmt.Errorf("sensor %s: %w", ref, c)
		}
	}
	return nil
}

// Find returns the sensor that a path belongs to, and what the parameters of its template are. The path is what was sent
// behind the base path and a slash, still encoded. Where several templates fit, the most special one counts.
func (t *Table) Find(escaped string) (ref string, parameters map[string]string, ok bool) {
	segments, ok := splitPath(escaped)
	if !ok {
		return "", nil, false
	}
	found := t.root.find(segments)
	if found == nil {
		return "", nil, false
	}
	return found.Ref, found.Path.values(segments), true
}

// find tries literals first: no two templates conflict, so of two that fit, the one with the first literal that the other
// lacks is the more special one.
func (n *node) find(segments []string) *Place {
	if len(segments) == 0 {
		return n.place
	}
	if next := n.literals[segments[0]]; next != nil {
		if found := next.find(segments[1:]); found != nil {
			return found
		}
	}
	if n.parameter == nil {
		return nil
	}
	return n.parameter.find(segments[1:])
}
