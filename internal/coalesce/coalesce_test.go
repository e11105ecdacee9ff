package coalesce_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/coalesce"
)

// press works on numbers for a second, and remembers the pieces.
type press struct {
	mu     sync.Mutex
	pieces [][]int
	ended  error // what ended the context of the last piece
	broken error
}

func (p *press) work(ctx context.Context, items []int) ([]int, error) {
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pieces, p.ended = append(p.pieces, items), ctx.Err()
	out := make([]int, len(items))
	for i, n := range items {
		out[i] = 10 * n
	}
	return out, errors.Join(p.broken, ctx.Err())
}

func newGatherer(t *testing.T, p *press, most, parallel int) *coalesce.Gatherer[int, int] {
	t.Helper()
	g, err := coalesce.New(coalesce.Config[int, int]{Work: p.work, Most: most, Parallel: parallel})
	require.NoError(t, err)
	return g
}

// do has the numbers from 1 to n worked on, each by a caller of its own, one after the other within a moment.
func do(t *testing.T, g *coalesce.Gatherer[int, int], n int) {
	t.Helper()
	var callers sync.WaitGroup
	for i := range n {
		callers.Go(func() {
			time.Sleep(time.Duration(i) * time.Millisecond)
			out, err := g.Do(t.Context(), i+1)
			if err != nil || out != 10*(i+1) {
				t.Errorf("%d: %d, %v", i+1, out, err)
			}
		})
	}
	callers.Wait()
}

func TestWhatComesWhileAPieceIsUnderWayIsTheNextPiece(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		most, parallel int
		pieces         [][]int
	}{
		"one at a time":  {most: 10, parallel: 1, pieces: [][]int{{1}, {2, 3, 4, 5}}},
		"of two at most": {most: 2, parallel: 1, pieces: [][]int{{1}, {2, 3}, {4, 5}}},
		"two at a time":  {most: 10, parallel: 2, pieces: [][]int{{1}, {2}, {3, 4, 5}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := &press{}
				do(t, newGatherer(t, p, test.most, test.parallel), 5)
				require.Equal(t, test.pieces, p.pieces)
			})
		})
	}
}

func TestAPieceIsOfOneKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &press{}
		g, err := coalesce.New(coalesce.Config[int, int]{Work: p.work, Most: 10, Parallel: 1, Key: func(n int) string {
			return []string{"even", "odd"}[n%2]
		}})
		require.NoError(t, err)
		start := time.Now()
		do(t, g, 6)
		require.Equal(t, [][]int{{1}, {2}, {3, 5}, {4, 6}}, p.pieces)
		require.Less(t, time.Since(start), 3*time.Second, "no key waits for another")
		do(t, g, 1)
	})
}

func TestAFailureIsEverybodys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &press{broken: errors.New("out of ink")}
		g := newGatherer(t, p, 10, 1)
		var callers sync.WaitGroup
		for range 3 {
			callers.Go(func() {
				if _, err := g.Do(t.Context(), 1); !errors.Is(err, p.broken) {
					t.Error(err)
				}
			})
		}
		callers.Wait()
	})
}

func TestAPanicIsAFailure(t *testing.T) {
	t.Parallel()
	g, err := coalesce.New(coalesce.Config[int, int]{Most: 1, Parallel: 1, Work: func(_ context.Context, items []int) ([]int, error) {
		return []int{100 / items[0]}, nil
	}})
	require.NoError(t, err)
	_, err = g.Do(t.Context(), 0)
	require.ErrorContains(t, err, "divide by zero")
	out, err := g.Do(t.Context(), 4)
	require.NoError(t, err)
	require.Equal(t, 25, out)
}

func TestACallerMayGoWithoutTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &press{}
		g := newGatherer(t, p, 10, 1)
		impatient, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		var callers sync.WaitGroup
		callers.Go(func() { _, _ = g.Do(t.Context(), 1) })
		synctest.Wait()
		callers.Go(func() {
			if _, err := g.Do(impatient, 2); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
		synctest.Wait()
		callers.Go(func() {
			if out, err := g.Do(t.Context(), 3); err != nil || out != 30 {
				t.Error(out, err)
			}
		})
		callers.Wait()
		require.Equal(t, [][]int{{1}, {2, 3}}, p.pieces)
		require.NoError(t, p.ended)
	})
}

func TestWhatNobodyWaitsForIsNotDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &press{}
		g := newGatherer(t, p, 10, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		var callers sync.WaitGroup
		callers.Go(func() { _, _ = g.Do(ctx, 1) })
		synctest.Wait()
		callers.Go(func() { _, _ = g.Do(ctx, 2) })
		callers.Wait()
		synctest.Wait()
		require.Equal(t, [][]int{{1}}, p.pieces, "the second was given up before it began")
		require.ErrorIs(t, p.ended, context.Canceled)
		do(t, g, 1)
	})
}

func TestAGathererSaysWhatItMisses(t *testing.T) {
	t.Parallel()
	p := &press{}
	for _, cfg := range []coalesce.Config[int, int]{{Most: 1, Parallel: 1}, {Work: p.work, Parallel: 1}, {Work: p.work, Most: 1}} {
		_, err := coalesce.New(cfg)
		require.ErrorContains(t, err, "coalesce: ")
	}
}
