package activities

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/sensor"
)

// RulesetStore reads the rules of a trigger.
type RulesetStore interface {
	// RulesetVersion returns the version of the trigger's ruleset; sensor.ErrNotFound when the trigger is gone.
	RulesetVersion(ctx context.Context, triggerRef string) (int64, error)
	// Ruleset returns the trigger's enabled rules and their version, as of one moment.
	Ruleset(ctx context.Context, triggerRef string) (sensor.Ruleset, error)
}

// ruleCache keeps the compiled rules of each trigger for as long as they are in force.
type ruleCache struct {
	store  RulesetStore
	logger *zap.Logger

	mu       sync.Mutex
	compiled map[string]*compiledRules // by trigger ref
}

func newRuleCache(store RulesetStore, logger *zap.Logger) *ruleCache {
	return &ruleCache{store: store, logger: logger, compiled: map[string]*compiledRules{}}
}

// get returns the trigger's compiled rules as they are now; none when the trigger is gone.
func (c *ruleCache) get(ctx context.Context, trigger string) (*compiledRules, error) {
	version, err := c.store.RulesetVersion(ctx, trigger)
	if errors.Is(err, sensor.ErrNotFound) {
		return &compiledRules{}, nil
	}
	if err != nil {
		return nil, err
	}
	if known := c.known(trigger); known != nil && known.version == version {
		return known, nil
	}
	rules, err := c.store.Ruleset(ctx, trigger)
	if errors.Is(err, sensor.ErrNotFound) {
		return &compiledRules{}, nil
	}
	if err != nil {
		return nil, err
	}
	fresh := compileRules(rules, c.logger)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.compiled[trigger] = fresh
	return fresh, nil
}

func (c *ruleCache) known(trigger string) *compiledRules {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.compiled[trigger]
}

// compiledRules is a ruleset ready to be evaluated.
type compiledRules struct {
	version int64
	rules   []compiledRule
	uses    map[condition.Root]bool // roots, other than the payload, that some rule looks at
}

type compiledRule struct {
	rule    *sensor.Rule
	program *condition.Program
}

// roots are the parts of a document besides the payload.
var roots = []condition.Root{condition.Config, condition.Event, condition.Trigger, condition.Sensor}

// compileRules compiles every rule. Rules are checked when they are applied, so one that does not compile was written
// to the database by other means; it matches nothing, which the log says.
func compileRules(set sensor.Ruleset, logger *zap.Logger) *compiledRules {
	c := &compiledRules{version: set.Version, uses: map[condition.Root]bool{}}
	for i := range set.Rules {
		rule := &set.Rules[i]
		program, err := condition.Compile(condition.Mode(rule.Condition), rule.Conditions)
		if err != nil {
			logger.Error("rule does not compile and matches nothing: apply its pack again",
				zap.String("rule_ref", rule.Ref), zap.Error(err))
			continue
		}
		c.rules = append(c.rules, compiledRule{rule: rule, program: program})
		for _, root := range roots {
			c.uses[root] = c.uses[root] || program.Uses(root)
		}
	}
	return c
}

// match evaluates every rule on every event; matches are in the order of the events, then of the rules.
func (c *compiledRules) match(ctx context.Context, events []sensor.Event) ([]sensor.Match, error) {
	if len(c.rules) == 0 {
		return nil, nil
	}
	var matches []sensor.Match
	var origin origin
	for i := range events {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		doc, err := c.document(&events[i], &origin)
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", events[i].ID, err)
		}
		for _, r := range c.rules {
			if r.program.Match(&doc) {
				matches = append(matches, sensor.Match{EventID: events[i].ID, Rule: r.rule})
			}
		}
	}
	return matches, nil
}

// origin is an event's decoded config, shared by the events of a batch.
type origin struct {
	raw                     []byte
	config, trigger, sensor condition.Value
}

// document decodes what the rules look at.
func (c *compiledRules) document(e *sensor.Event, o *origin) (condition.Document, error) {
	var doc condition.Document
	var err error
	if doc[condition.Payload], err = condition.Decode(e.Payload); err != nil {
		return doc, fmt.Errorf("payload: %w", err)
	}
	if c.uses[condition.Event] {
		if doc[condition.Event], err = eventValue(e); err != nil {
			return doc, err
		}
	}
	if c.uses[condition.Config] || c.uses[condition.Trigger] || c.uses[condition.Sensor] {
		if !bytes.Equal(o.raw, e.Config) {
			if *o, err = decodeOrigin(e.Config); err != nil {
				return doc, fmt.Errorf("config: %w", err)
			}
		}
		doc[condition.Config], doc[condition.Trigger], doc[condition.Sensor] = o.config, o.trigger, o.sensor
	}
	return doc, nil
}

func decodeOrigin(config []byte) (origin, error) {
	var parts struct {
		Trigger json.RawMessage `json:"trigger"`
		Sensor  json.RawMessage `json:"sensor"`
	}
	if err := json.Unmarshal(config, &parts); err != nil {
		return origin{}, err
	}
	o := origin{raw: config}
	for _, part := range []struct {
		raw  []byte
		into *condition.Value
	}{{config, &o.config}, {parts.Trigger, &o.trigger}, {parts.Sensor, &o.sensor}} {
		if len(part.raw) == 0 {
			continue
		}
		var err error
		if *part.into, err = condition.Decode(part.raw); err != nil {
			return origin{}, err
		}
	}
	return o, nil
}

// eventValue is the event's row as conditions see it.
func eventValue(e *sensor.Event) (condition.Value, error) {
	raw, err := json.Marshal(struct {
		ID         int64  `json:"id"`
		TriggerRef string `json:"trigger_ref"`
		SourceRef  string `json:"source_ref,omitempty"`
		Created    string `json:"created"`
	}{e.ID, e.TriggerRef, e.SensorRef, e.Created.UTC().Format("2006-01-02T15:04:05.999999Z07:00")})
	if err != nil {
		return condition.Value{}, err
	}
	return condition.Decode(raw)
}
