package activities

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/attune-automation/sensors/internal/sensor"
)

const (
	// fewGroups is how many groups of a batch are started by the step that matches it. That many take a fraction of a second;
	// more are started beside the sensor's loop, which they would hold up.
	fewGroups = 32
	// parallelStarts is how many groups of a batch are started at once, and openStarts how many in one process of batches that
	// opened many.
	parallelStarts = 16
	openStarts     = 32
)

// GroupStarter has groups closed in time.
type GroupStarter interface {
	// StartGroup makes sure that a group is closed when its time has come.
	StartGroup(ctx context.Context, group sensor.GroupHead) error
}

// openGroups has the groups closed in time that a batch opened.
func (m *Matcher) openGroups(ctx context.Context, batchID int64, groups []sensor.GroupHead) error {
	if len(groups) > fewGroups {
		return m.actions.OpenGroups(ctx, batchID)
	}
	return startGroups(ctx, groups, m.actions)
}

// startGroups has groups closed in time.
func startGroups(ctx context.Context, groups []sensor.GroupHead, by GroupStarter) error {
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(parallelStarts)
	for _, g := range groups {
		all.Go(func() error { return by.StartGroup(ctx, g) })
	}
	return all.Wait()
}

// OpenStore is what OpenGroups needs of the store.
type OpenStore interface {
	// HeldOfBatch returns what became of the batch's matches that were held back, and the groups that it opened.
	HeldOfBatch(ctx context.Context, batchID int64) (sensor.Held, error)
}

// GroupOpener starts the groups of batches that opened many.
type GroupOpener struct {
	store   OpenStore
	starter GroupStarter
}

// NewGroupOpener returns a GroupOpener, which starts a bounded number of groups at once, however many batches wait.
func NewGroupOpener(store OpenStore, starter GroupStarter) *GroupOpener {
	return &GroupOpener{store: store, starter: limitedStarter{starter, make(chan struct{}, openStarts)}}
}

// limitedStarter starts as many groups at once as there is room for.
type limitedStarter struct {
	GroupStarter
	room chan struct{}
}

// StartGroup waits for room.
func (s limitedStarter) StartGroup(ctx context.Context, group sensor.GroupHead) error {
	select {
	case s.room <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.room }()
	return s.GroupStarter.StartGroup(ctx, group)
}

// OpenResult counts the groups that were started.
type OpenResult struct {
	Groups int `json:"groups"`
}

// OpenGroups starts the groups that a batch has opened and that are not over since. It can be repeated: a group is started
// once however often that is tried.
func (o *GroupOpener) OpenGroups(ctx context.Context, in BatchInput) (OpenResult, error) {
	defer heartbeat(ctx)()
	ctx, cancel := untilWorkerStops(ctx, stepGrace)
	defer cancel()
	held, err := o.store.HeldOfBatch(ctx, in.BatchID)
	if err == nil {
		err = startGroups(ctx, held.Groups, o.starter)
	}
	return OpenResult{Groups: len(held.Groups)}, translate(handedBack(ctx, err))
}
