package activities

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/rule"
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
	rules   []*rule.Compiled
	needs   rule.Needs
}

// compileRules compiles every rule. Rules are checked when they are applied, so one that does not compile was written
// to the database by other means; it matches nothing, which the log says.
func compileRules(set sensor.Ruleset, logger *zap.Logger) *compiledRules {
	c := &compiledRules{version: set.Version, needs: rule.Needs{}}
	for i := range set.Rules {
		compiled, err := rule.Compile(&set.Rules[i])
		if err != nil {
			logger.Error("rule does not compile and matches nothing: apply its pack again",
				zap.String("rule_ref", set.Rules[i].Ref), zap.Error(err))
			continue
		}
		c.rules = append(c.rules, compiled)
		c.needs.Add(compiled)
	}
	return c
}

// rulesets are the compiled rules of the triggers of a batch, by ref.
type rulesets map[string]*compiledRules

// of returns the compiled rules of the events' triggers as they are now.
func (c *ruleCache) of(ctx context.Context, events []sensor.Event) (rulesets, error) {
	sets := rulesets{}
	for i := range events {
		trigger := events[i].TriggerRef
		if sets[trigger] != nil {
			continue
		}
		rules, err := c.get(ctx, trigger)
		if err != nil {
			return nil, err
		}
		sets[trigger] = rules
	}
	return sets, nil
}

// versions returns the versions of the rulesets, by the ref of their trigger.
func (s rulesets) versions() map[string]int64 {
	versions := make(map[string]int64, len(s))
	for trigger, rules := range s {
		versions[trigger] = rules.version
	}
	return versions
}

// match evaluates every rule of its trigger on every event; matches are in the order of the events, then of the rules.
func (s rulesets) match(ctx context.Context, events []sensor.Event) ([]sensor.Match, error) {
	var matches []sensor.Match
	readers := make(map[string]*rule.Reader, len(s))
	for trigger, rules := range s {
		readers[trigger] = rule.NewReader(rules.needs)
	}
	for i := range events {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		event := &events[i]
		rules := s[event.TriggerRef]
		if len(rules.rules) == 0 {
			continue
		}
		doc, err := readers[event.TriggerRef].Read(event)
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", event.ID, err)
		}
		for _, r := range rules.rules {
			matched, err := r.Match(ctx, doc)
			if err != nil {
				return nil, err
			}
			if matched {
				matches = append(matches, sensor.Match{Event: event, Rule: r.Rule})
			}
		}
	}
	return matches, nil
}
