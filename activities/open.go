package activities

import (
	"context"
	"slices"
	"time"

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
	// openFor is how long one call goes on starting groups.
	openFor = 3 * time.Second
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

// OpenOrder says which groups to start: those of a batch, after one of them.
type OpenOrder struct {
	BatchID int64 `json:"batch_id"`
	After   int64 `json:"after,omitempty"`  // ID of the last group that is started
	Groups  int   `json:"groups,omitempty"` // that were started so far
}

// OpenPart is what one call of OpenGroups came to.
type OpenPart struct {
	Groups int   `json:"groups"` // that were started
	After  int64 `json:"after"`  // ID of the last of them
	Done   bool  `json:"done"`   // there are no more
}

// OpenGroups starts groups that a batch has opened and that are not over since, as many as some seconds suffice for: an engine
// that is slow to start them is slow to take heartbeats, too, and what has been done shall not be done again. It can be
// repeated: a group is started once however often that is tried.
func (o *GroupOpener) OpenGroups(ctx context.Context, in OpenOrder) (OpenPart, error) {
	defer heartbeat(ctx)()
	ctx, cancel := untilWorkerStops(ctx, stepGrace)
	defer cancel()
	part, err := o.open(ctx, in)
	return part, translate(handedBack(ctx, err))
}

func (o *GroupOpener) open(ctx context.Context, in OpenOrder) (OpenPart, error) {
	held, err := o.store.HeldOfBatch(ctx, in.BatchID)
	if err != nil {
		return OpenPart{}, err
	}
	part := OpenPart{After: in.After}
	left := slices.DeleteFunc(held.Groups, func(g sensor.GroupHead) bool { return g.ID <= in.After }) // by ID
	for end := time.Now().Add(openFor); len(left) > 0 && time.Now().Before(end); {
		some := left[:min(len(left), fewGroups)]
		if err := startGroups(ctx, some, o.starter); err != nil {
			return OpenPart{}, err
		}
		part.Groups, part.After, left = part.Groups+len(some), some[len(some)-1].ID, left[len(some):]
	}
	part.Done = len(left) == 0
	return part, nil
}
