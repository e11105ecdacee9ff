package rule

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/expression"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/throttle"
)

// compileThrottle reads how the rule holds back matches; nil: it does not.
func compileThrottle(r *sensor.Rule) (*throttle.Throttle, error) {
	t, err := throttle.Parse(r.Throttle)
	found, _ := errors.AsType[throttle.Problems](err)
	var problems condition.Problems
	for _, p := range found {
		problems = append(problems, condition.Problem{Path: "throttle" + p.Path, Message: p.Message})
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return t, nil
}

// Throttle returns how the rule holds back matches; nil: each match orders.
func (c *Compiled) Throttle() *throttle.Throttle { return c.throttle }

// groupsOf says what the rule's parameters know of the group of a match.
func (c *Compiled) groupsOf(about *expression.Rule) {
	about.Groups = c.Rule.Groups()
	switch {
	case c.throttle != nil:
		about.GroupBy = c.throttle.By.Names()
		about.Least, about.Most = c.throttle.Matches()
	case c.member.whole != nil:
		about.GroupBy, about.Parts = c.member.whole.Parts[0].By.Names(), true
		about.Least = c.member.whole.Required()
	default:
		about.Parts = len(c.Rule.Correlation) > 0
	}
}

// Grouping returns to which group of the rule a match belongs; nil, if the rule holds back none.
func (c *Compiled) Grouping(doc *Document) *sensor.Grouping {
	key, grouped := c.key(doc)
	if !grouped {
		return nil
	}
	return &sensor.Grouping{
		Key: key,
		Render: func(ctx context.Context, group json.RawMessage) (json.RawMessage, string, error) {
			return c.GroupParams(ctx, doc, group)
		},
	}
}

// key names the group of a match; false: the rule does not group.
func (c *Compiled) key(doc *Document) (key string, grouped bool) {
	switch {
	case c.throttle != nil:
		return c.throttle.By.Key(&doc.Values), true
	case c.member.whole != nil:
		return c.member.whole.Key(c.member.part, &doc.Values), true
	}
	return "{}", false
}

// GroupParams is Params for an event that stands for others of its group, a sensor.Group as JSON.
func (c *Compiled) GroupParams(ctx context.Context, doc *Document, group json.RawMessage) (params json.RawMessage, reason string, err error) {
	if c.params == nil {
		return nil, "", nil
	}
	in, err := doc.expressions().WithGroup(group)
	if err != nil {
		return nil, "", err
	}
	return c.render(ctx, in)
}

// alone is the group of an event that stands for itself, as far as the document knows it: as if all of its matches were of it.
func (c *Compiled) alone(doc *Document) json.RawMessage {
	event := sensor.GroupEvent{TriggerRef: c.Rule.TriggerRef, Payload: json.RawMessage(doc.Values[condition.Payload].Text())}
	_ = json.Unmarshal([]byte(doc.Values[condition.Event].Text()), &event) // what is not there stays empty
	key, _ := c.key(doc)
	count := 1
	if c.throttle != nil {
		count, _ = c.throttle.Matches()
	}
	events := slices.Repeat([]sensor.GroupEvent{event}, min(count, sensor.MaxGroupEvents))
	group, err := json.Marshal(sensor.NewGroup(0, key, count, event.Created, events))
	if err != nil {
		return json.RawMessage("{}")
	}
	return group
}
