package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/sensor"
)

// fakeFleet notes what it is told, in order.
type fakeFleet struct {
	running, failed map[string]int64
	broken          string   // starting this one fails
	unheard         []string // queues that nobody listens on
	done            []string
}

func (f *fakeFleet) Running(context.Context) (map[string]int64, error) { return f.running, nil }
func (f *fakeFleet) Failed(context.Context) (map[string]int64, error)  { return f.failed, nil }

func (f *fakeFleet) Start(_ context.Context, spec sensor.Spec) (bool, error) {
	if spec.Ref == f.broken {
		return false, errors.New("no")
	}
	return f.note("start " + spec.Ref)
}

func (f *fakeFleet) Launch(_ context.Context, spec sensor.Spec) (bool, error) {
	return f.note("launch " + spec.Ref)
}

func (f *fakeFleet) Stop(_ context.Context, ref, reason string) error {
	_, err := f.note("stop " + ref + ": " + reason)
	return err
}

func (f *fakeFleet) Reload(_ context.Context, ref string) error {
	_, err := f.note("reload " + ref)
	return err
}

func (f *fakeFleet) ResumeEmit(context.Context, int64) error {
	_, err := f.note("resume")
	return err
}

func (f *fakeFleet) Wake(_ context.Context, ref string, news Brought) error {
	if news.Pushed {
		ref += ", pushed"
	}
	_, err := f.note(fmt.Sprintf("wake %s: %t", ref, news.Stored))
	return err
}

func (f *fakeFleet) Listens(_ context.Context, queue string) (bool, error) {
	return !slices.Contains(f.unheard, queue), nil
}

func (f *fakeFleet) Dispatch(_ context.Context, batchID int64) error {
	_, err := f.note(fmt.Sprintf("dispatch %d", batchID))
	return err
}

func (f *fakeFleet) StartGroup(_ context.Context, group sensor.GroupHead) error {
	_, err := f.note(fmt.Sprintf("group %d, over %t", group.ID, group.Over))
	return err
}

func (f *fakeFleet) note(what string) (bool, error) {
	f.done = append(f.done, what)
	return true, nil
}

type fakeStore struct {
	sensors    []sensor.Sensor
	unfinished []string
	orphans    []int64
	actions    []int64
	overdue    []sensor.GroupHead
	waiting    []string
	expired    *int // keys
	old        *int // deliveries
}

func (s fakeStore) Sensors(context.Context) ([]sensor.Sensor, error) { return s.sensors, nil }

func (s fakeStore) OrphanSystemBatches(context.Context, time.Duration, int) ([]int64, error) {
	return s.orphans, nil
}

func (s fakeStore) UnfinishedSensors(context.Context, time.Duration, int) ([]string, error) {
	return s.unfinished, nil
}

func (s fakeStore) OrphanDispatches(context.Context, time.Duration, int) ([]int64, error) {
	return s.actions, nil
}

func (s fakeStore) OverdueGroups(context.Context, time.Duration, int) ([]sensor.GroupHead, error) {
	return s.overdue, nil
}

func (s fakeStore) SweepGroups(context.Context, int) (int, error) { return 0, nil }

func (s fakeStore) SweepKeys(_ context.Context, limit int) (int, error) {
	return sweepSome(s.expired, limit)
}

func (s fakeStore) WaitingWebhooks(context.Context, time.Duration, int) ([]string, error) {
	return s.waiting, nil
}

func (s fakeStore) SweepDeliveries(_ context.Context, age time.Duration, limit int) (int, error) {
	if age != time.Hour {
		return 0, errors.New("another age")
	}
	return sweepSome(s.old, limit)
}

func sweepSome(left *int, limit int) (int, error) {
	if left == nil {
		return 0, nil
	}
	n := min(limit, *left)
	*left -= n
	return n, nil
}

func TestReconcile(t *testing.T) {
	t.Parallel()
	active := func(ref string, version int64) sensor.Sensor {
		return sensor.Sensor{Ref: ref, Enabled: true, Version: version}
	}
	for name, c := range map[string]struct {
		store fakeStore
		fleet fakeFleet
		limit int
		want  []string
		check func(t *testing.T, r Report)
	}{
		"starts what is missing up to the limit": {
			store: fakeStore{sensors: []sensor.Sensor{active("p.a", 1), active("p.b", 1), active("p.c", 1)}},
			fleet: fakeFleet{running: map[string]int64{"p.a": 1}}, limit: 2,
			want: []string{"start p.b"},
			check: func(t *testing.T, r Report) {
				require.Equal(t, Report{Enabled: 3, Running: 2, Started: 1, Waiting: 1}, r)
			},
		},
		"stops what is disabled, stopped or gone, which makes place": {
			store: fakeStore{sensors: []sensor.Sensor{{Ref: "p.a"}, {Ref: "p.b", Enabled: true, Stopped: true}, active("p.d", 1)}},
			fleet: fakeFleet{running: map[string]int64{"p.a": 1, "p.b": 1, "p.c": 1}}, limit: 1,
			want: []string{"start p.d", "stop p.a: it or its trigger is disabled", "stop p.b: an operator stopped it",
				"stop p.c: its definition was removed"},
		},
		"tells of changed definitions": {
			store: fakeStore{sensors: []sensor.Sensor{active("p.a", 2), active("p.b", 1)}},
			fleet: fakeFleet{running: map[string]int64{"p.a": 1, "p.b": 1}}, limit: 9,
			want: []string{"reload p.a"},
		},
		"leaves alone what failed for good, until its definition changes": {
			store: fakeStore{sensors: []sensor.Sensor{active("p.a", 1), active("p.b", 2)}},
			fleet: fakeFleet{failed: map[string]int64{"p.a": 1, "p.b": 1}}, limit: 9,
			want:  []string{"start p.b"},
			check: func(t *testing.T, r Report) { require.Equal(t, 1, r.Failed) },
		},
		"one that cannot be started does not hold up the others": {
			store: fakeStore{sensors: []sensor.Sensor{active("p.a", 1), active("p.b", 1)}},
			fleet: fakeFleet{broken: "p.a"}, limit: 9,
			want:  []string{"start p.b"},
			check: func(t *testing.T, r Report) { require.Equal(t, []string{"starting p.a: no"}, r.Errors) },
		},
		"finishes what nobody else will": {
			store: fakeStore{sensors: []sensor.Sensor{{Ref: "p.off"}}, orphans: []int64{7}, actions: []int64{9}, overdue: []sensor.GroupHead{{ID: 4}}, unfinished: []string{"p.off", "p.gone"}},
			fleet: fakeFleet{}, limit: 0,
			want:  []string{"dispatch 9", "group 4, over true", "resume", "start p.gone", "start p.off"},
			check: func(t *testing.T, r Report) { require.Equal(t, 3, r.Resumed) },
		},
		"has deliveries fetched": {
			store: fakeStore{
				sensors: []sensor.Sensor{active("p.a", 1), {Ref: "p.b"}, active("p.c", 1), active("p.d", 1), active("p.e", 1)},
				waiting: []string{"p.a", "p.b", "p.c", "p.d"},
			},
			fleet: fakeFleet{running: map[string]int64{"p.a": 1, "p.e": 1}, failed: map[string]int64{"p.c": 1}}, limit: 2,
			want: []string{"launch p.b", "launch p.c", "wake p.a, pushed: false"},
			check: func(t *testing.T, r Report) {
				require.Equal(t, 3, r.Resumed)
				require.Equal(t, 1, r.Waiting, "for a place")
			},
		},
		"tells running sensors of what they left": {
			store: fakeStore{sensors: []sensor.Sensor{active("p.a", 1)}, unfinished: []string{"p.a"}},
			fleet: fakeFleet{running: map[string]int64{"p.a": 1}}, limit: 9,
			want: []string{"wake p.a: true"},
		},
		"names queues that nobody listens on": {
			store: fakeStore{sensors: []sensor.Sensor{
				{Ref: "p.a", Enabled: true, Queue: "gpu"}, {Ref: "p.b", Enabled: true, Queue: "gpu"},
				{Ref: "p.c", Enabled: true, Runtime: sensor.RuntimeNode}, {Ref: "p.off", Queue: "attic"},
			}},
			fleet: fakeFleet{unheard: []string{"gpu", "attic"}}, limit: 0,
			check: func(t *testing.T, r Report) {
				require.Equal(t, []Unserved{{Queue: "gpu", Sensors: 2}}, r.Unserved)
			},
		},
		"deletes all keys that have expired, and old deliveries": {
			store: fakeStore{old: new(sweepLimit + 1), expired: new(2*sweepLimit + 1)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := Reconciler{Store: c.store, Fleet: &c.fleet, Limit: c.limit, Keep: time.Hour, Logger: zap.NewNop()}
			report, err := r.Reconcile(t.Context())
			require.NoError(t, err)
			slices.Sort(c.fleet.done) // each step goes through a map
			require.Equal(t, c.want, c.fleet.done)
			if c.check != nil {
				c.check(t, report)
			}
			if c.store.expired != nil {
				require.Zero(t, *c.store.expired)
				require.Zero(t, *c.store.old)
			}
		})
	}
}
