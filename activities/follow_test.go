package activities

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/sensor"
)

// idleStore has no batches, or fails.
type idleStore struct {
	mu    sync.Mutex
	err   error
	asked int
}

func (s *idleStore) Pending(context.Context, string) ([]sensor.BatchHead, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	return nil, s.err
}

func (s *idleStore) BatchDeliveries(context.Context, string) (int, error) { return 0, nil }

func (s *idleStore) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func (s *idleStore) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// told keeps what a workflow was told, and when since the start of the test.
type told struct {
	begin time.Time
	mu    sync.Mutex
	err   error
	news  []Brought
	at    []time.Duration
}

func (w *told) Wake(_ context.Context, _ string, news Brought) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = append(w.at, time.Since(w.begin).Truncate(time.Second))
	if w.err != nil {
		return w.err
	}
	w.news = append(w.news, news)
	return nil
}

func (w *told) all() []Brought {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.news)
}

func (w *told) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
}

func newFollower(store *idleStore) (*Follower, *told) {
	w := &told{begin: time.Now()}
	return &Follower{
		Drainer: &Drainer{Store: store}, Signaler: w, Host: "here", Logger: zap.NewNop(),
		Sandbox: func(sensor.Sensor) string { return "bwrap" },
	}, w
}

func TestAWorkflowIsToldSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, w := newFollower(&idleStore{})
		following := f.follow(t.Context(), sensor.Sensor{Ref: "t.s"})
		for range 299 {
			time.Sleep(100 * time.Millisecond)
			following.took(sensor.Appended{Suppressed: 1})
		}
		following.stop()
		require.Equal(t, []time.Duration{0, 0, 10 * time.Second, 20 * time.Second, 29 * time.Second}, w.at)
		require.Equal(t, Brought{Started: true, Host: "here", Sandbox: "bwrap"}, w.news[0])
		suppressed := 0
		for _, news := range w.news[1:] {
			suppressed += news.Suppressed
			require.False(t, news.Started)
		}
		require.Equal(t, 299, suppressed)
	})
}

func TestAQuietStreamTellsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &idleStore{}
		f, w := newFollower(store)
		following := f.follow(t.Context(), sensor.Sensor{Ref: "t.s"})
		time.Sleep(time.Hour)
		following.stop()
		require.Len(t, w.news, 1)
		require.Equal(t, 1, store.asked, "what was stored before")
	})
}

// What the worker cannot work off is left to the workflow, and tried again after a while.
func TestATroubledWorkerLeavesTheWorkToTheWorkflow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &idleStore{}
		f, w := newFollower(store)
		following := f.follow(t.Context(), sensor.Sensor{Ref: "t.s"})
		time.Sleep(time.Minute)
		store.fail(errors.New("the database is away"))
		for range 150 {
			time.Sleep(100 * time.Millisecond)
			following.took(sensor.Appended{})
		}
		require.Equal(t, []Brought{{Stored: true}, {Stored: true}}, w.all()[1:])
		require.Equal(t, 3, store.count())
		store.fail(nil)
		time.Sleep(time.Minute)
		require.Equal(t, 4, store.count(), "without being asked to")
		following.stop()
		require.Len(t, w.news, 3)
	})
}

func TestNewsThatCannotBeToldAreKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, w := newFollower(&idleStore{})
		w.fail(errors.New("Temporal is away"))
		following := f.follow(t.Context(), sensor.Sensor{Ref: "t.s"})
		following.took(sensor.Appended{Suppressed: 2})
		time.Sleep(15 * time.Second)
		w.fail(nil)
		time.Sleep(10 * time.Second)
		following.stop()
		require.Equal(t, []Brought{{Started: true, Host: "here", Sandbox: "bwrap", Suppressed: 2}}, w.news)
	})
}
