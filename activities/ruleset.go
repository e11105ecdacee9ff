package activities

import (
	"context"
	"errors"
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
	// RulesetSince returns what has become of the ruleset since a version that it had, as of one moment.
	RulesetSince(ctx context.Context, triggerRef string, version int64) (sensor.RulesetChange, error)
}

// ruleCache keeps the compiled rules of each trigger. It reads them all when it first needs them, and from then on what
// changes.
type ruleCache struct {
	store  RulesetStore
	logger *zap.Logger

	mu       sync.Mutex
	triggers map[string]*cachedRules // by ref
}

func newRuleCache(store RulesetStore, logger *zap.Logger) *ruleCache {
	return &ruleCache{store: store, logger: logger, triggers: map[string]*cachedRules{}}
}

// cachedRules is the rules of one trigger. Whoever needs a newer version brings it about, and the others wait for that;
// what is being matched meanwhile goes on with the set that it has.
type cachedRules struct {
	mu   sync.Mutex
	book rule.Book
	now  *compiledRules // nil: not loaded yet
}

// compiledRules is a ruleset ready to be evaluated.
type compiledRules struct {
	version int64
	set     *rule.Set
	needs   rule.Needs
}

// get returns the trigger's compiled rules as they are now; none when the trigger is gone.
func (c *ruleCache) get(ctx context.Context, trigger string) (*compiledRules, error) {
	version, err := c.store.RulesetVersion(ctx, trigger)
	cached := c.trigger(trigger)
	cached.mu.Lock()
	defer cached.mu.Unlock()
	if err == nil && cached.now != nil && version < cached.now.version { // somebody else was faster, or it is another database
		version, err = c.store.RulesetVersion(ctx, trigger)
	}
	switch {
	case err != nil:
	case cached.now == nil || version < cached.now.version:
		err = c.load(ctx, trigger, cached)
	case version > cached.now.version:
		err = c.update(ctx, trigger, cached)
	}
	if errors.Is(err, sensor.ErrNotFound) {
		c.forget(trigger)
		return &compiledRules{}, nil
	}
	return cached.now, err
}

func (c *ruleCache) trigger(ref string) *cachedRules {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.triggers[ref] == nil {
		c.triggers[ref] = &cachedRules{}
	}
	return c.triggers[ref]
}

func (c *ruleCache) forget(trigger string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.triggers, trigger)
}

func (c *ruleCache) load(ctx context.Context, trigger string, cached *cachedRules) error {
	rules, err := c.store.Ruleset(ctx, trigger)
	if err != nil {
		return err
	}
	cached.book = rule.Book{}
	c.put(cached, rules.Rules)
	cached.settle(rules.Version)
	return nil
}

func (c *ruleCache) update(ctx context.Context, trigger string, cached *cachedRules) error {
	change, err := c.store.RulesetSince(ctx, trigger, cached.now.version)
	if err != nil {
		return err
	}
	for _, ref := range change.Gone {
		cached.book.Remove(ref)
	}
	c.put(cached, change.Rules)
	cached.settle(change.Version)
	return nil
}

// put compiles rules. They are checked when they are applied, so one that does not compile was written to the database by
// other means; it matches nothing, which the log says.
func (c *ruleCache) put(cached *cachedRules, rules []sensor.Rule) {
	for i := range rules {
		if err := cached.book.Put(&rules[i]); err != nil {
			c.logger.Error("rule does not compile and matches nothing: apply its pack again",
				zap.String("rule_ref", rules[i].Ref), zap.Error(err))
		}
	}
}

func (c *cachedRules) settle(version int64) {
	set := c.book.Set()
	c.now = &compiledRules{version: version, set: set, needs: set.Needs()}
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
