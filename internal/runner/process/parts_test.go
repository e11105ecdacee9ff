package process

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
)

// taker keeps what it takes, and waits before that if it is told to.
type taker struct {
	parts []sensor.Part
	at    []time.Duration
	began time.Time
	gate  chan struct{}
	err   error
}

func (k *taker) take(ctx context.Context, part sensor.Part) error {
	if k.gate != nil {
		select {
		case <-k.gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	k.parts = append(k.parts, part)
	k.at = append(k.at, time.Since(k.began))
	return k.err
}

// begin starts storing parts in a test's bubble of time.
func begin(t *testing.T, k *taker, age time.Duration) (p *parts, stop func()) {
	t.Helper()
	k.began = time.Now()
	p = newParts(k.take, age, json.RawMessage(`"start"`))
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.run(t.Context())
	}()
	return p, func() {
		close(p.stopped)
		<-done
	}
}

func item(n int) sensor.Item { return sensor.Item{Payload: make([]byte, n)} }

func TestACheckpointWaitsForOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := &taker{}
		p, stop := begin(t, k, time.Second)
		for n := range 3 {
			p.add(item(10))
			p.setCursor(json.RawMessage{byte('0' + n)})
			p.checkpoint()
			time.Sleep(400 * time.Millisecond)
		}
		p.add(item(10))
		p.setCursor(json.RawMessage("9"))
		time.Sleep(time.Hour)
		stop()
		require.Len(t, k.parts, 1)
		require.Equal(t, time.Second, k.at[0], "counted from the first")
		require.Len(t, k.parts[0].Items, 3)
		require.Equal(t, "2", string(k.parts[0].Cursor))

		require.NoError(t, p.finish(t.Context(), true))
		require.Len(t, k.parts, 2)
		require.Len(t, k.parts[1].Items, 1)
		require.Equal(t, "9", string(k.parts[1].Cursor))
	})
}

func TestAFullBatchDoesNotWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := &taker{}
		p, stop := begin(t, k, time.Minute)
		for range partEvents {
			p.add(item(1))
		}
		p.checkpoint()
		synctest.Wait()
		require.Len(t, k.parts, 1)
		for range 9 {
			p.add(item(1 << 20))
			p.checkpoint()
		}
		synctest.Wait()
		require.Len(t, k.parts, 2)
		require.Zero(t, k.at[1])
		stop()
		require.NoError(t, p.finish(t.Context(), true))
	})
}

func TestWhatChangesNothingIsNotStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := &taker{}
		p, stop := begin(t, k, time.Second)
		p.setCursor(json.RawMessage(` "start" `))
		p.checkpoint()
		time.Sleep(time.Minute)
		require.Empty(t, k.parts)
		p.setCursor(json.RawMessage(`1`))
		p.checkpoint()
		time.Sleep(time.Minute)
		p.setCursor(json.RawMessage(`1 `))
		p.checkpoint()
		time.Sleep(time.Minute)
		stop()
		require.NoError(t, p.finish(t.Context(), true))
		require.Equal(t, []sensor.Part{{Cursor: json.RawMessage(`1`)}}, k.parts)
	})
}

func TestReadingWaitsForASlowStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := &taker{gate: make(chan struct{})}
		p, stop := begin(t, k, time.Millisecond)
		var read atomic.Int64
		reader := make(chan struct{})
		go func() {
			defer close(reader)
			for range 5 * maxEvents / 100 {
				for range 100 {
					p.add(item(1))
					read.Add(1)
				}
				p.checkpoint()
				time.Sleep(time.Microsecond)
			}
		}()
		time.Sleep(time.Hour)
		require.EqualValues(t, maxEvents, read.Load(), "as much as one poll may bring is in hand")
		close(k.gate)
		<-reader
		require.EqualValues(t, 5*maxEvents, read.Load())
		stop()
		require.NoError(t, p.finish(t.Context(), false))
		stored := 0
		for _, part := range k.parts {
			stored += len(part.Items)
		}
		require.Equal(t, 5*maxEvents, stored)
	})
}

func TestTheEndFreesAReaderThatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := &taker{gate: make(chan struct{})}
		p, stop := begin(t, k, time.Millisecond)
		reader := make(chan struct{})
		go func() {
			defer close(reader)
			for range 2 * maxEvents {
				p.add(item(1))
				p.checkpoint()
			}
		}()
		time.Sleep(time.Second)
		go stop()
		<-reader // though nothing is stored
		close(k.gate)
		synctest.Wait()
		require.NoError(t, p.finish(t.Context(), false))
	})
}

func TestAFailedStoreEndsThePoll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := &taker{err: errors.New("no")}
		p, stop := begin(t, k, time.Second)
		p.add(item(1))
		p.checkpoint()
		<-p.failed
		p.add(item(1))
		p.checkpoint()
		stop()
		require.EqualError(t, p.finish(t.Context(), true), "no")
		require.Len(t, k.parts, 1, "nothing is stored after it")
	})
}
