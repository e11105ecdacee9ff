package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/attune-automation/sensors/internal/config"
	"github.com/attune-automation/sensors/internal/messaging"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

// examples is the pack that the demo shows.
const examples = "examples"

// view prints what comes to be from its creation on.
type view struct {
	store           *store.Store
	lastEvent       int64
	lastEnforcement int64
	rules           map[string]int // enforcements by rule of the example pack
	events          int
	enforcements    int

	mu       sync.Mutex // of what the consumer's goroutine writes
	messages map[string]bool
	failure  error
}

func newView(ctx context.Context, cfg config.Config, db *store.Store) (*view, error) {
	v := &view{store: db, rules: map[string]int{}, messages: map[string]bool{}}
	rules, err := db.Rules(ctx, store.RuleFilter{PackRef: examples})
	if err != nil {
		return nil, err
	}
	for _, rule := range rules {
		if rule.Enabled && sensor.WholeOf(rule.Ref) == rule.Ref { // parts of a correlation order nothing by themselves
			v.rules[rule.Ref] = 0
		}
	}
	if err := v.skipPast(ctx); err != nil {
		return nil, err
	}
	return v, v.consume(ctx, cfg.MessageQueue)
}

// skipPast leaves out what earlier demos brought.
func (v *view) skipPast(ctx context.Context) error {
	events, err := v.store.Events(ctx, store.EventFilter{Limit: 1})
	if err != nil {
		return err
	}
	if len(events) > 0 {
		v.lastEvent = events[0].ID
	}
	enforcements, err := v.store.Enforcements(ctx, store.EnforcementFilter{Limit: 1})
	if err != nil {
		return err
	}
	if len(enforcements) > 0 {
		v.lastEnforcement = enforcements[0].ID
	}
	return nil
}

// consume reads messages back from the broker, through a queue of its own that is in place when it returns.
func (v *view) consume(ctx context.Context, mq config.MessageQueue) error {
	topology, err := messaging.New(messaging.Config{
		URL: mq.URL, Exchange: mq.Exchange, DeclareQueues: mq.DeclareQueues,
		EventsQueue: mq.EventsQueue, EnforcementsQueue: mq.EnforcementsQueue,
	})
	if err != nil {
		return err
	}
	defer topology.Close(ctx)
	if err := topology.Health(ctx); err != nil { // connecting declares the exchange
		return err
	}
	bound := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		err := messaging.Watch(ctx, messaging.WatchConfig{
			URL: mq.URL, Exchange: mq.Exchange, Bound: sync.OnceFunc(func() { close(bound) }),
		}, nil, v.message)
		v.mu.Lock()
		v.failure = err
		v.mu.Unlock()
		ended <- err
	}()
	select {
	case <-bound:
		return nil
	case err := <-ended:
		return cmp.Or(err, ctx.Err())
	}
}

func (v *view) message(d messaging.Delivery) error {
	if d.Err != nil {
		return d.Err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.messages[d.MessageID] = true
	line("message", "%-20s %s", d.RoutingKey, d.MessageID)
	return nil
}

// refresh prints the rows that are new since it was last called, oldest first.
func (v *view) refresh(ctx context.Context) error {
	events, err := v.store.Events(ctx, store.EventFilter{AfterID: v.lastEvent, Limit: 10_000})
	if err != nil {
		return err
	}
	for _, e := range slices.Backward(events) {
		line("event", "#%-6d %-20s %s", e.ID, e.TriggerRef, clip(string(e.Payload)))
		v.lastEvent = e.ID
		v.events++
	}
	enforcements, err := v.store.Enforcements(ctx, store.EnforcementFilter{AfterID: v.lastEnforcement, Limit: 10_000})
	if err != nil {
		return err
	}
	for _, e := range slices.Backward(enforcements) {
		v.enforced(e)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if ctx.Err() == nil && v.failure != nil {
		return fmt.Errorf("reading messages back: %w", v.failure)
	}
	return nil
}

func (v *view) enforced(e sensor.Enforcement) {
	line("enforcement", "#%-6d %-32s event #%d", e.ID, e.RuleRef, e.EventID)
	v.lastEnforcement = e.ID
	v.enforcements++
	if _, ok := v.rules[e.RuleRef]; ok {
		v.rules[e.RuleRef]++
	}
}

// silent returns the rules that have not fired.
func (v *view) silent() []string {
	var refs []string
	for ref, n := range v.rules {
		if n == 0 {
			refs = append(refs, ref)
		}
	}
	slices.Sort(refs)
	return refs
}

// complete says whether every rule has fired and every message has come back.
func (v *view) complete() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.silent()) == 0 && len(v.messages) >= v.events+v.enforcements
}

func (v *view) summary() {
	v.mu.Lock()
	defer v.mu.Unlock()
	fmt.Printf("\n%d events, %d enforcements, %d messages read back\n", v.events, v.enforcements, len(v.messages))
	fmt.Printf("%d of %d example rules fired\n", len(v.rules)-len(v.silent()), len(v.rules))
	if ui := os.Getenv("ATTUNE_DEV_TEMPORAL_UI"); ui != "" {
		fmt.Printf("Temporal Web UI: %s\n", ui)
	}
}

// rewind sets the sensors' cursors back and forgets their events' keys, so that a demo after another has something to
// show.
func rewind(ctx context.Context, db *store.Store) error {
	sensors, err := db.Sensors(ctx)
	if err != nil {
		return err
	}
	for _, s := range sensors {
		if s.PackRef != examples {
			continue
		}
		if _, err := db.ClearKeys(ctx, s.Ref, nil); err != nil {
			return err
		}
		if err := db.SetCursor(ctx, s.Ref, nil); err != nil && !errors.Is(err, sensor.ErrBatchInHand) {
			return err
		}
	}
	return nil
}

func line(kind, format string, args ...any) {
	fmt.Printf("%s  %-12s %s\n", time.Now().Format("15:04:05"), kind, fmt.Sprintf(format, args...))
}

func clip(s string) string {
	const most = 110
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "..."
	}
	return s
}
