package rule

import (
	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/correlation"
	"github.com/attune-automation/sensors/internal/sensor"
)

// A member is what a rule is to a correlation.
type member struct {
	whole *correlation.Definition // nil: it is part of none
	part  int
}

// compileCorrelation reads what the rule is a part of. It is written by whoever applies a pack, from what people wrote.
func compileCorrelation(r *sensor.Rule) (member, error) {
	d, part, err := correlation.Parse(r.Correlation)
	if err != nil {
		return member{}, condition.Problems{{Path: "correlate", Message: err.Error()}}
	}
	return member{d, part}, nil
}

func (m member) uses(root condition.Root) bool {
	return m.whole != nil && m.whole.Parts[m.part].By.Uses(root)
}

// Correlation returns what the rule is a part of, and its place there; nil: it orders by itself.
func (c *Compiled) Correlation() (*correlation.Definition, int) { return c.member.whole, c.member.part }
