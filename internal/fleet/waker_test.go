package fleet

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/attune-automation/sensors/activities"
)

// recorder is an engine that can be away.
type recorder struct {
	mu    sync.Mutex
	fails int // so many tries to come
	tries int
	sent  chan string
}

func (r *recorder) Wake(_ context.Context, ref string, news activities.Brought) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tries++
	if r.tries <= r.fails {
		return errors.New("the engine is away")
	}
	if news.Pushed {
		r.sent <- ref
	}
	return nil
}

func newRecorder(t *testing.T, fails int) (*recorder, *Waker) {
	t.Helper()
	r := &recorder{fails: fails, sent: make(chan string, 1000)}
	w := NewWaker(r, activities.NewBell(), zap.NewNop())
	t.Cleanup(w.Close)
	return r, w
}

func TestManyWakesAreFewSignals(t *testing.T) {
	t.Parallel()
	r, w := newRecorder(t, 0)
	for range 10_000 {
		w.Wake("a.b")
	}
	w.Wake("a.c")
	w.working.Wait()
	close(r.sent)
	counts := map[string]int{}
	for ref := range r.sent {
		counts[ref]++
	}
	require.Equal(t, 1, counts["a.c"])
	require.GreaterOrEqual(t, counts["a.b"], 2, "what came after the first signal has one of its own")
	require.Less(t, counts["a.b"], 100)
}

func TestAWakeOutlivesAnOutage(t *testing.T) {
	t.Parallel()
	r, w := newRecorder(t, 3)
	w.Wake("a.b")
	require.Equal(t, "a.b", <-r.sent)
	require.Equal(t, 4, r.tries)
}

func TestCloseGivesUp(t *testing.T) {
	t.Parallel()
	_, w := newRecorder(t, 1<<30)
	w.Wake("a.b")
	w.Close()
	w.Wake("a.c")
	require.Empty(t, w.wanted["a.c"])
}
