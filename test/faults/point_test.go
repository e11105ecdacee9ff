// Package faults proves the guarantees of the pipeline: it breaks every step before and after each commit, publication
// and confirmation, on real servers, and looks at what comes out in the end.
package faults

import (
	"context"
	"errors"
	"sync"

	"github.com/attune-automation/sensors/activities"
	"github.com/attune-automation/sensors/internal/messaging"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

// point is a moment at which a worker can die.
type point string

const (
	beforePollSaved        point = "before the poll is saved"
	afterPollSaved         point = "after the poll is saved"
	beforeEventsCommitted  point = "before the events are committed"
	afterEventsCommitted   point = "after the events are committed"
	beforeEventsPublished  point = "before the events are published"
	afterEventsConfirmed   point = "after the events are confirmed"
	beforeMatchesCommitted point = "before the enforcements are committed"
	afterMatchesCommitted  point = "after the enforcements are committed"
	beforeMatchesPublished point = "before the enforcements are published"
	afterMatchesConfirmed  point = "after the enforcements are confirmed"
	beforeBatchFinished    point = "before the batch is finished"
	afterBatchFinished     point = "after the batch is finished"

	beforeGroupClosed   point = "before the group is closed"
	afterGroupClosed    point = "after the group is closed"
	beforeGroupFinished point = "before the group is finished"
	afterGroupFinished  point = "after the group is finished"
)

var points = []point{
	beforePollSaved, afterPollSaved,
	beforeEventsCommitted, afterEventsCommitted, beforeEventsPublished, afterEventsConfirmed,
	beforeMatchesCommitted, afterMatchesCommitted, beforeMatchesPublished, afterMatchesConfirmed,
	beforeBatchFinished, afterBatchFinished,
}

// closingPoints are those of a group.
var closingPoints = []point{
	beforeGroupClosed, afterGroupClosed, beforeMatchesPublished, afterMatchesConfirmed, beforeGroupFinished, afterGroupFinished,
}

var errCrash = errors.New("the worker died here")

// crashes says how often each point is still to fail.
type crashes struct {
	mu   sync.Mutex
	left map[point]int
}

func (c *crashes) at(p point) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left[p] == 0 {
		return nil
	}
	c.left[p]--
	return errCrash
}

// around fails before f, or after f has done its work.
func around[T any](c *crashes, before, after point, f func() (T, error)) (T, error) {
	var zero T
	if err := c.at(before); err != nil {
		return zero, err
	}
	result, err := f()
	if err != nil {
		return zero, err
	}
	if err := c.at(after); err != nil {
		return zero, err
	}
	return result, nil
}

// frailStore is the store of a worker that crashes.
type frailStore struct {
	*store.Store
	*crashes
}

func (s frailStore) Append(ctx context.Context, turn sensor.Turn, part sensor.Part) (sensor.Appended, error) {
	return around(s.crashes, beforePollSaved, afterPollSaved, func() (sensor.Appended, error) {
		return s.Store.Append(ctx, turn, part)
	})
}

func (s frailStore) AppendEvents(ctx context.Context, turn sensor.Turn, part sensor.Part) (sensor.Appended, error) {
	return around(s.crashes, beforePollSaved, afterPollSaved, func() (sensor.Appended, error) {
		return s.Store.AppendEvents(ctx, turn, part)
	})
}

func (s frailStore) CommitEvents(ctx context.Context, b sensor.Batch, events []sensor.NewEvent, rejected []sensor.Rejection) ([]sensor.Event, error) {
	return around(s.crashes, beforeEventsCommitted, afterEventsCommitted, func() ([]sensor.Event, error) {
		return s.Store.CommitEvents(ctx, b, events, rejected)
	})
}

func (s frailStore) CommitEnforcements(ctx context.Context, batchID int64, rulesets map[string]int64, matches []sensor.Match, errors []sensor.RuleErrors) ([]sensor.Enforcement, error) {
	return around(s.crashes, beforeMatchesCommitted, afterMatchesCommitted, func() ([]sensor.Enforcement, error) {
		return s.Store.CommitEnforcements(ctx, batchID, rulesets, matches, errors)
	})
}

func (s frailStore) FinishBatch(ctx context.Context, id int64) error {
	_, err := around(s.crashes, beforeBatchFinished, afterBatchFinished, func() (struct{}, error) {
		return struct{}{}, s.Store.FinishBatch(ctx, id)
	})
	return err
}

func (s frailStore) CloseGroup(ctx context.Context, group sensor.GroupHead, render sensor.GroupRenderer) (sensor.ClosedGroup, error) {
	return around(s.crashes, beforeGroupClosed, afterGroupClosed, func() (sensor.ClosedGroup, error) {
		closed, err := s.Store.CloseGroup(ctx, group, render)
		if err == nil && closed.Wait > 0 {
			err = errEarly
		}
		return closed, err
	})
}

// errEarly keeps a group that is not due from being one that a worker dies at.
var errEarly = errors.New("its time has not come")

func (s frailStore) FinishGroup(ctx context.Context, id int64) error {
	_, err := around(s.crashes, beforeGroupFinished, afterGroupFinished, func() (struct{}, error) {
		return struct{}{}, s.Store.FinishGroup(ctx, id)
	})
	return err
}

// frailPublisher is the publisher of a worker that crashes.
type frailPublisher struct {
	*messaging.Publisher
	*crashes
}

func (p frailPublisher) PublishEvents(ctx context.Context, events []sensor.Event) error {
	_, err := around(p.crashes, beforeEventsPublished, afterEventsConfirmed, func() (struct{}, error) {
		return struct{}{}, p.Publisher.PublishEvents(ctx, events)
	})
	return err
}

func (p frailPublisher) PublishEnforcements(ctx context.Context, enforcements []sensor.Enforcement) error {
	_, err := around(p.crashes, beforeMatchesPublished, afterMatchesConfirmed, func() (struct{}, error) {
		return struct{}{}, p.Publisher.PublishEnforcements(ctx, enforcements)
	})
	return err
}

var (
	_ activities.TurnStore            = frailStore{}
	_ activities.EventStore           = frailStore{}
	_ activities.MatchStore           = frailStore{}
	_ activities.GroupStore           = frailStore{}
	_ activities.EventPublisher       = frailPublisher{}
	_ activities.EnforcementPublisher = frailPublisher{}
)
