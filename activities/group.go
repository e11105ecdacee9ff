package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/sensor"
)

// GroupStore is what a GroupCloser needs of the store.
type GroupStore interface {
	// CloseGroup writes the enforcement of a group whose time has come, and returns it until it is finished.
	CloseGroup(ctx context.Context, group sensor.GroupHead, render sensor.GroupRenderer) (sensor.ClosedGroup, error)
	// FinishGroup notes that the enforcement of a closed group is confirmed by the broker.
	FinishGroup(ctx context.Context, id int64) error
}

// GroupCloser writes the enforcements of groups that collect matches.
type GroupCloser struct {
	Store     GroupStore
	Publisher EnforcementPublisher
	Actions   ActionStarter
	Metrics   Metrics
}

// GroupResult is what became of a group.
type GroupResult struct {
	Status        string        `json:"status"`
	EnforcementID int64         `json:"enforcement_id,omitempty"` // 0: it has none, or all was done before
	Reason        string        `json:"reason,omitempty"`         // why it has none
	Wait          time.Duration `json:"wait,omitempty"`           // until it can be closed
}

// CloseGroup closes a group whose time has come: it writes the enforcement of all that it collected, publishes it, and has
// its action carried out if that is this service's own.
func (g *GroupCloser) CloseGroup(ctx context.Context, in sensor.GroupHead) (GroupResult, error) {
	defer heartbeat(ctx)()
	ctx, cancel := untilWorkerStops(ctx, stepGrace)
	defer cancel()
	start := time.Now()
	res, err := g.close(ctx, in)
	err = handedBack(ctx, err)
	g.Metrics.Step("close", outcome(err, int(res.EnforcementID)), time.Since(start))
	return res, translate(err)
}

func (g *GroupCloser) close(ctx context.Context, group sensor.GroupHead) (GroupResult, error) {
	closed, err := g.Store.CloseGroup(ctx, group, renderGroups)
	if err != nil {
		return GroupResult{}, err
	}
	res := GroupResult{Status: closed.Status, Reason: closed.Reason, Wait: closed.Wait}
	if err := startGroups(ctx, closed.Next, g.Actions); err != nil {
		return GroupResult{}, err
	}
	if closed.Enforcement == nil {
		return res, nil
	}
	res.EnforcementID = closed.Enforcement.ID
	enforcements := []sensor.Enforcement{*closed.Enforcement}
	if err := publish(ctx, ordered(enforcements), g.Publisher.PublishEnforcements); err != nil {
		return GroupResult{}, err
	}
	if slices.ContainsFunc(enforcements, sensor.Enforcement.Undispatched) {
		if err := g.Actions.Dispatch(ctx, closed.BatchID); err != nil {
			return GroupResult{}, err
		}
	}
	if err := g.Store.FinishGroup(ctx, group.ID); err != nil {
		return GroupResult{}, err
	}
	res.Status = sensor.GroupDone
	written, failed := byTrigger(enforcements)
	g.Metrics.Enforcements(closed.Enforcement.TriggerRef, written[closed.Enforcement.TriggerRef])
	g.Metrics.Failed(closed.Enforcement.TriggerRef, failed[closed.Enforcement.TriggerRef])
	return res, nil
}

// renderGroups renders the parameters of enforcements of groups, by a version of their rule.
func renderGroups(r *sensor.Rule) sensor.GroupRender {
	compiled, err := rule.Compile(r)
	if err != nil {
		reason := fmt.Sprintf("version %d of the rule does not compile: %v", r.Version, err)
		return func(context.Context, *sensor.Event, json.RawMessage) (json.RawMessage, string, error) {
			return nil, reason, nil
		}
	}
	return func(ctx context.Context, event *sensor.Event, group json.RawMessage) (json.RawMessage, string, error) {
		doc, err := rule.NewReader(nil).Read(event)
		if err != nil {
			return nil, "", fmt.Errorf("event %d: %w", event.ID, err)
		}
		return compiled.GroupParams(ctx, doc, group)
	}
}
