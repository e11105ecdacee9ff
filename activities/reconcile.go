package activities

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/sensor"
)

// FleetStore is what Reconcile needs of the store.
type FleetStore interface {
	// Sensors returns all definitions, by ref.
	Sensors(ctx context.Context) ([]sensor.Sensor, error)
	// OrphanSystemBatches returns system events that nobody finished for so long that nobody will.
	OrphanSystemBatches(ctx context.Context, olderThan time.Duration, limit int) ([]int64, error)
	// UnfinishedSensors returns sensors, even removed ones, that have had unfinished batches for so long.
	UnfinishedSensors(ctx context.Context, olderThan time.Duration, limit int) ([]string, error)
	// OrphanDispatches returns batches of which actions have waited for so long that nobody may be at work on them.
	OrphanDispatches(ctx context.Context, olderThan time.Duration, limit int) ([]int64, error)
	// OverdueGroups returns groups that should have been closed for so long that nobody may be at work on them.
	OverdueGroups(ctx context.Context, olderThan time.Duration, limit int) ([]sensor.GroupHead, error)
	// SweepGroups deletes groups that no longer hold back anything, at most limit of them, and returns how many it did.
	SweepGroups(ctx context.Context, limit int) (int, error)
	// SweepKeys deletes keys of events that have expired, at most limit of them, and returns how many it did.
	SweepKeys(ctx context.Context, limit int) (int, error)
	// WaitingWebhooks returns sensors that have deliveries that have waited for a poll for so long.
	WaitingWebhooks(ctx context.Context, olderThan time.Duration, limit int) ([]string, error)
	// SweepDeliveries deletes deliveries of that age whose events are published, at most limit of them, and returns how
	// many it did.
	SweepDeliveries(ctx context.Context, age time.Duration, limit int) (int, error)
}

// Fleet is the sensors' workflows, as Reconcile sees and changes them.
type Fleet interface {
	// Running returns the definition versions of the running sensors, by ref.
	Running(ctx context.Context) (map[string]int64, error)
	// Failed returns the definition versions at which sensors failed for good, by ref; running ones are not in it.
	Failed(ctx context.Context) (map[string]int64, error)
	// Start starts a sensor unless it runs already or has failed for good at this very version; it says whether it did.
	Start(ctx context.Context, spec sensor.Spec) (started bool, err error)
	// Launch starts a sensor unless it runs, whatever its last run came to; it says whether it did.
	Launch(ctx context.Context, spec sensor.Spec) (started bool, err error)
	// Stop asks a running sensor to finish what it has in hand and complete.
	Stop(ctx context.Context, ref, reason string) error
	// Reload tells a running sensor that its definition changed.
	Reload(ctx context.Context, ref string) error
	// ResumeEmit makes sure that a stored system event is worked on.
	ResumeEmit(ctx context.Context, batchID int64) error
	// Dispatch makes sure that the actions of a batch's enforcements are carried out.
	Dispatch(ctx context.Context, batchID int64) error
	// StartGroup makes sure that a group is closed when its time has come.
	StartGroup(ctx context.Context, group sensor.GroupHead) error
	// Wake tells a running sensor what its stream brought, or that it has batches in hand.
	Wake(ctx context.Context, ref string, news Brought) error
	// Listens says whether any worker listens on a queue of polls.
	Listens(ctx context.Context, queue string) (bool, error)
}

const (
	// orphanAge is how long stored payloads may wait for the workflow that works on them.
	orphanAge   = time.Minute
	orphanLimit = 100
	groupLimit  = 10_000
	// sweepLimit is how many expired keys, or old deliveries, are deleted at a time.
	sweepLimit = 10_000
)

// Reconciler makes the running workflows agree with the stored definitions.
type Reconciler struct {
	Store    FleetStore
	Fleet    Fleet
	Settings sensor.Settings
	Limit    int           // most sensors that may run at once
	Interval time.Duration // between reconciliations
	Keep     time.Duration // how long deliveries of webhooks are kept
	Logger   *zap.Logger
}

// Report is what one reconciliation found and did.
type Report struct {
	Interval time.Duration `json:"interval"` // until the next one
	Enabled  int           `json:"enabled"`
	Running  int           `json:"running"`
	Failed   int           `json:"failed"`  // for good; they stay down
	Waiting  int           `json:"waiting"` // over the limit
	Started  int           `json:"started"`
	Stopped  int           `json:"stopped"`
	Reloaded int           `json:"reloaded"`
	Resumed  int           `json:"resumed"` // system events, and sensors that left a batch unfinished
	Unserved []Unserved    `json:"unserved,omitempty"`
	Errors   []string      `json:"errors,omitempty"`
}

// Unserved is a queue of polls that no worker listens on.
type Unserved struct {
	Queue   string `json:"queue"`
	Sensors int    `json:"sensors"` // enabled ones that are polled by it
}

// maxErrors bounds what a report keeps; the log has all.
const maxErrors = 10

// Reconcile starts what is missing up to the limit, stops what is disabled or gone, tells running sensors that their
// definition changed, leaves sensors alone that failed for good, and counts. What fails for one sensor is in the report;
// the others go on.
func (r *Reconciler) Reconcile(ctx context.Context) (Report, error) {
	defer heartbeat(ctx)()
	report := Report{Interval: r.Interval}
	sensors, err := r.Store.Sensors(ctx)
	if err != nil {
		return report, err
	}
	running, err := r.Fleet.Running(ctx)
	if err != nil {
		return report, err
	}
	failed, err := r.Fleet.Failed(ctx)
	if err != nil {
		return report, err
	}
	report.Running = len(running)
	r.stopInactive(ctx, &report, sensors, running)
	r.reloadChanged(ctx, &report, sensors, running)
	r.startMissing(ctx, &report, sensors, running, failed)
	r.resumeEmits(ctx, &report)
	r.resumeDispatches(ctx, &report)
	r.resumeGroups(ctx, &report)
	r.drain(ctx, &report, sensors, running)
	r.fetch(ctx, &report, sensors, running, failed)
	r.findUnserved(ctx, &report, sensors)
	r.sweep(ctx, &report, "deleting expired keys", r.Store.SweepKeys)
	r.sweep(ctx, &report, "deleting groups that hold back nothing", r.Store.SweepGroups)
	r.sweep(ctx, &report, "deleting old deliveries", func(ctx context.Context, limit int) (int, error) {
		return r.Store.SweepDeliveries(ctx, r.Keep, limit)
	})
	return report, ctx.Err()
}

func (r *Reconciler) stopInactive(ctx context.Context, report *Report, sensors []sensor.Sensor, running map[string]int64) {
	reasons := make(map[string]string, len(running))
	for ref := range running {
		reasons[ref] = inactiveRemoved
	}
	for _, s := range sensors {
		reasons[s.Ref] = inactive(s)
	}
	for ref := range running {
		if ctx.Err() != nil {
			return
		}
		if reasons[ref] == "" {
			continue
		}
		if r.note(report, ref, "stopping", r.Fleet.Stop(ctx, ref, reasons[ref])) {
			report.Stopped++
			report.Running--
		}
	}
}

func (r *Reconciler) reloadChanged(ctx context.Context, report *Report, sensors []sensor.Sensor, running map[string]int64) {
	for _, s := range sensors {
		version, runs := running[s.Ref]
		if !runs || !s.Active() || version == s.Version {
			continue
		}
		if r.note(report, s.Ref, "reloading", r.Fleet.Reload(ctx, s.Ref)) {
			report.Reloaded++
		}
	}
}

func (r *Reconciler) startMissing(ctx context.Context, report *Report, sensors []sensor.Sensor, running, failed map[string]int64) {
	for _, s := range sensors {
		if ctx.Err() != nil {
			return
		}
		if !s.Active() {
			continue
		}
		report.Enabled++
		if _, runs := running[s.Ref]; runs {
			continue
		}
		if version, ok := failed[s.Ref]; ok && version == s.Version {
			report.Failed++
			continue
		}
		if report.Running >= r.Limit {
			report.Waiting++
			continue
		}
		started, err := r.Fleet.Start(ctx, s.Spec(r.Settings))
		if r.note(report, s.Ref, "starting", err) && started {
			report.Started++
			report.Running++
		}
	}
}

func (r *Reconciler) resumeEmits(ctx context.Context, report *Report) {
	ids, err := r.Store.OrphanSystemBatches(ctx, orphanAge, orphanLimit)
	r.note(report, "", "looking for system events that nobody finished", err)
	for _, id := range ids {
		if r.note(report, fmt.Sprintf("batch %d", id), "resuming", r.Fleet.ResumeEmit(ctx, id)) {
			report.Resumed++
		}
	}
}

func (r *Reconciler) resumeDispatches(ctx context.Context, report *Report) {
	ids, err := r.Store.OrphanDispatches(ctx, orphanAge, orphanLimit)
	r.note(report, "", "looking for actions that nobody has carried out", err)
	for _, id := range ids {
		r.note(report, fmt.Sprintf("batch %d", id), "carrying out the actions of", r.Fleet.Dispatch(ctx, id))
	}
}

func (r *Reconciler) resumeGroups(ctx context.Context, report *Report) {
	groups, err := r.Store.OverdueGroups(ctx, orphanAge, groupLimit)
	r.note(report, "", "looking for groups that nobody has closed", err)
	var starts sync.WaitGroup
	var mu sync.Mutex // of the report
	next := make(chan sensor.GroupHead)
	for range min(parallelStarts, len(groups)) {
		starts.Go(func() {
			for g := range next {
				g.Over = true // its workflow may wait for a time that is not that of the group any more, since its rule was changed
				err := r.Fleet.StartGroup(ctx, g)
				mu.Lock()
				r.note(report, fmt.Sprintf("group %d", g.ID), "closing", err)
				mu.Unlock()
			}
		})
	}
	for _, g := range groups {
		if ctx.Err() != nil {
			break
		}
		next <- g
	}
	close(next)
	starts.Wait()
}

// drain sees to batches that nobody has finished for a while. A running sensor is told of its own, which a stream's worker
// may have left when it died. One that should not run is started, say because it was removed while no worker was up: its
// workflow works them off and completes.
func (r *Reconciler) drain(ctx context.Context, report *Report, sensors []sensor.Sensor, running map[string]int64) {
	refs, err := r.Store.UnfinishedSensors(ctx, orphanAge, orphanLimit)
	r.note(report, "", "looking for batches that nobody finished", err)
	known := make(map[string]sensor.Sensor, len(sensors))
	for _, s := range sensors {
		known[s.Ref] = s
	}
	for _, ref := range refs {
		if ctx.Err() != nil {
			return
		}
		s, ok := known[ref]
		if _, runs := running[ref]; runs {
			if r.note(report, ref, "waking", r.Fleet.Wake(ctx, ref, Brought{Stored: true})) {
				report.Resumed++
			}
			continue
		}
		if s.Active() {
			continue
		}
		if !ok {
			s.Ref = ref
		}
		started, err := r.Fleet.Start(ctx, s.Spec(r.Settings))
		if r.note(report, ref, "draining", err) && started {
			report.Resumed++
		}
	}
}

// fetch sees to what webhooks accepted and nobody has polled for a while. A running sensor is told to poll, which it does
// unless it is paused. One that failed for good is started once more: that something was accepted since means that its
// webhook is in order again, or else its first poll takes what waits before it fails. One that should not run is started,
// too, takes what waits and completes.
func (r *Reconciler) fetch(ctx context.Context, report *Report, sensors []sensor.Sensor, running, failed map[string]int64) {
	refs, err := r.Store.WaitingWebhooks(ctx, orphanAge, orphanLimit)
	r.note(report, "", "looking for deliveries that nobody polled", err)
	waiting := make(map[string]bool, len(refs))
	for _, ref := range refs {
		waiting[ref] = true
	}
	for _, s := range sensors {
		if ctx.Err() != nil {
			return
		}
		if !waiting[s.Ref] {
			continue
		}
		_, runs := running[s.Ref]
		_, gaveUp := failed[s.Ref]
		resumed, err := true, error(nil)
		switch {
		case runs:
			err = r.Fleet.Wake(ctx, s.Ref, Brought{Pushed: true})
		case gaveUp || !s.Active():
			resumed, err = r.Fleet.Launch(ctx, s.Spec(r.Settings))
		default:
			continue // it waits for a place
		}
		if r.note(report, s.Ref, "fetching deliveries", err) && resumed {
			report.Resumed++
		}
	}
}

// findUnserved looks for queues that no worker listens on.
func (r *Reconciler) findUnserved(ctx context.Context, report *Report, sensors []sensor.Sensor) {
	polled := map[string]int{}
	for _, s := range sensors {
		if s.Active() && !s.Local() {
			polled[s.PollQueue()]++
		}
	}
	for _, queue := range slices.Sorted(maps.Keys(polled)) {
		listens, err := r.Fleet.Listens(ctx, queue)
		if r.note(report, queue, "looking for workers of queue", err) && !listens {
			report.Unserved = append(report.Unserved, Unserved{Queue: queue, Sensors: polled[queue]})
		}
	}
}

// sweep deletes what is old, a bounded number of rows at a time.
func (r *Reconciler) sweep(ctx context.Context, report *Report, doing string, some func(ctx context.Context, limit int) (int, error)) {
	for ctx.Err() == nil {
		n, err := some(ctx, sweepLimit)
		if !r.note(report, "", doing, err) || n < sweepLimit {
			return
		}
	}
}

// note logs and reports err, if there is one, and says whether there was none.
func (r *Reconciler) note(report *Report, what, doing string, err error) bool {
	if err == nil {
		return true
	}
	r.Logger.Error("reconciliation failed in part", zap.String("doing", doing), zap.String("sensor_ref", what), zap.Error(err))
	if len(report.Errors) < maxErrors {
		report.Errors = append(report.Errors, fmt.Sprintf("%s %s: %v", doing, what, err))
	}
	return false
}
