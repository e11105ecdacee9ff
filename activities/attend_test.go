package activities

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/attune-automation/sensors/internal/sensor"
)

func TestAttendingWorksOffWhatComesMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in, b := &inbox{}, &batches{}
		p := newAttendant(in, b)
		in.put()
		go func() {
			for range 3 {
				time.Sleep(arrivalPause + lingerPause/2)
				in.put()
				require.True(t, p.Bell.Ring("t.s"), "nobody else need be told")
			}
		}()
		begin := time.Now()
		res, err := attend(t, p)
		require.NoError(t, err)
		require.Equal(t, Tally{Batches: 4, Events: 4}, res.Tally)
		require.Len(t, b.done, 4)
		require.Zero(t, res.BatchID)
		require.False(t, res.Again)
		require.Equal(t, 4*arrivalPause+3*lingerPause/2+lingerPolls*lingerPause, time.Since(begin), "and then it waits for a while")
		require.False(t, p.Bell.Ring("t.s"), "now it has to be told")
	})
}

func TestAttendingEndsAndGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in, b := &inbox{}, &batches{}
		p := newAttendant(in, b)
		in.put()
		ctx, stop := context.WithCancel(t.Context())
		var sending sync.WaitGroup
		defer sending.Wait()
		defer stop()
		sending.Go(func() {
			for ctx.Err() == nil {
				time.Sleep(lingerPause / 2)
				in.put()
				p.Bell.Ring("t.s")
			}
		})
		begin := time.Now()
		res, err := attend(t, p)
		require.NoError(t, err)
		require.True(t, res.Again)
		require.InDelta(t, shortDrain, time.Since(begin), float64(arrivalPause+lingerPause))
		require.Less(t, len(b.done), int(shortDrain/arrivalPause)+3, "what comes little by little is a batch now and then")
	})
}

func TestAttendingASensorThatNothingComesFor(t *testing.T) {
	t.Parallel()
	in := &inbox{}
	res, err := attend(t, newAttendant(in, &batches{}))
	require.NoError(t, err)
	require.Equal(t, 1, in.polls)
	require.Zero(t, res.Tally)
}

func TestWhatCannotBeWorkedOffIsLeftToTheWorkflow(t *testing.T) {
	t.Parallel()
	in := &inbox{}
	in.put()
	res, err := attend(t, newAttendant(in, &batches{broken: errors.New("the database is away")}))
	require.NoError(t, err)
	require.EqualValues(t, 108, res.BatchID)
	require.Equal(t, 1, res.Count)
}

// Messages are in the order of batches: what is behind one that failed is left alone.
func TestWhatIsBehindAFailureIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, failing := range []string{"publishing", "matching"} {
		t.Run(failing, func(t *testing.T) {
			t.Parallel()
			second := make(chan struct{}) // closed when the second poll has brought something
			var begun []int64
			begin := func(id int64) {
				begun = append(begun, id)
				<-second
			}
			b := &batches{broken: errors.New("the database is away"), generated: begin}
			if failing == "matching" {
				b = &batches{unmatched: errors.New("the broker is away"), match: begin}
			}
			in := &inbox{}
			in.put()
			p := newAttendant(in, b)
			p.Store.(*tailStore).matching = func() []sensor.BatchHead { return []sensor.BatchHead{{ID: 108, Count: 1}} }
			p.Runner = code(func(ctx context.Context, req sensor.PollRequest) (sensor.Poll, error) {
				poll, err := in.Poll(ctx, req)
				if in.put(); in.polls == 2 {
					close(second)
				}
				poll.More = true
				return poll, err
			})
			res, err := attend(t, p)
			require.NoError(t, err)
			require.EqualValues(t, 108, res.BatchID)
			require.True(t, res.More)
			require.Zero(t, res.Tally)
			require.Equal(t, []int64{108}, begun)
			require.Empty(t, b.done)
		})
	}
}

// A batch is matched while the next one comes.
func TestAttendingWorksOnTwoBatchesAtOnce(t *testing.T) {
	t.Parallel()
	in, second := &inbox{}, make(chan struct{})
	b := &batches{
		match: func(id int64) {
			if id == 108 {
				in.put()
				<-second
			}
		},
		generated: func(id int64) {
			if id == 109 {
				close(second)
			}
		},
	}
	in.put()
	p := newAttendant(in, b)
	p.Store.(*tailStore).matching = func() []sensor.BatchHead {
		select {
		case <-second:
			return nil
		default:
			return []sensor.BatchHead{{ID: 108, Count: 1}}
		}
	}
	res, err := attend(t, p)
	require.NoError(t, err)
	require.Equal(t, Tally{Batches: 2, Events: 2}, res.Tally)
	require.Equal(t, []int64{108, 109}, b.done)
}

func TestWhatCannotBeMatchedIsLeftToTheWorkflow(t *testing.T) {
	t.Parallel()
	in := &inbox{}
	in.put()
	res, err := attend(t, newAttendant(in, &batches{unmatched: errors.New("the broker is away")}))
	require.NoError(t, err)
	require.EqualValues(t, 108, res.BatchID)
	require.Zero(t, res.Tally)
}

func TestAFaultWaitsForWhatWasWorkedOff(t *testing.T) {
	t.Parallel()
	in := &inbox{}
	in.put()
	p := newAttendant(in, &batches{})
	fault := &sensor.Fault{Kind: sensor.FaultConfig, Message: "no secret"}
	p.Runner = code(func(ctx context.Context, req sensor.PollRequest) (sensor.Poll, error) {
		if in.polls > 0 {
			in.fault = fault
		}
		return in.Poll(ctx, req)
	})
	res, err := attend(t, p)
	require.NoError(t, err)
	require.True(t, res.Again)
	require.Equal(t, 1, res.Events)
	_, err = attend(t, p)
	require.ErrorContains(t, err, "no secret")
}

// boxes is a store that makes a batch of each delivery.
type boxes struct {
	deliveries int
	pending    []sensor.BatchHead
}

func (s *boxes) Pending(context.Context, string) ([]sensor.BatchHead, error) {
	pending := s.pending
	s.pending = nil
	return pending, nil
}

func (s *boxes) BatchDeliveries(context.Context, string) (int, error) {
	if s.deliveries == 0 {
		return 0, nil
	}
	s.deliveries--
	s.pending = []sensor.BatchHead{{ID: int64(s.deliveries) + 1, Count: 1}}
	return 1, nil
}

func TestTheLastDrainTakesDeliveries(t *testing.T) {
	t.Parallel()
	b := &batches{}
	d := newAttendant(&inbox{}, b).Drainer
	store := &boxes{deliveries: 2}
	d.Store = store
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(d)
	for _, want := range []int{0, 2} {
		last := want > 0
		value, err := env.ExecuteLocalActivity(d.Drain, DrainInput{SensorRef: "t.s", Last: last})
		require.NoError(t, err)
		var done Drained
		require.NoError(t, value.Get(&done))
		require.Equal(t, want, done.Batches)
		if !last {
			require.Equal(t, 2, store.deliveries)
		}
	}
	require.Zero(t, store.deliveries)
}

// Who rings the bell tells nobody else: the sensor is polled again, also when a batch has to be worked off before that.
func TestARingIsHeardWhenABatchFails(t *testing.T) {
	t.Parallel()
	in := &inbox{}
	in.put()
	p := newAttendant(in, &batches{broken: errors.New("the database is away")})
	p.Runner = code(func(ctx context.Context, req sensor.PollRequest) (sensor.Poll, error) {
		poll, err := in.Poll(ctx, req)
		require.True(t, p.Bell.Ring("t.s"), "after the poll has looked")
		return poll, err
	})
	res, err := attend(t, p)
	require.NoError(t, err)
	require.EqualValues(t, 108, res.BatchID)
	require.True(t, res.Again)
}

// leftovers is a store with a batch that a worker has left which is no more.
type leftovers struct {
	*tailStore
	done func() bool
}

func (s leftovers) Turn(ctx context.Context, ref string) (sensor.Turn, error) {
	turn, err := s.tailStore.Turn(ctx, ref)
	if !s.done() {
		turn.Pending = []sensor.BatchHead{{ID: 5, Count: 1}}
	}
	return turn, err
}

// A timer says when it is due next: it is asked although its poll found what another one has left.
func TestABatchThatWasLeftDelaysNoPoll(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]error{"worked off": nil, "left to the workflow": errors.New("the broker is away")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, b := &inbox{}, &batches{broken: broken}
			p := newAttendant(in, b)
			store := p.Store.(*tailStore)
			store.turn.Sensor.Runtime = sensor.RuntimeTimer
			left := make(chan struct{})
			b.match = func(int64) { close(left) }
			p.Store = leftovers{store, func() bool {
				select {
				case <-left:
					return true
				default:
					return false
				}
			}}
			res, err := attend(t, p)
			require.NoError(t, err)
			if broken != nil {
				require.EqualValues(t, 5, res.BatchID)
				require.True(t, res.Again || in.polls > 0, "if not here, the workflow polls when it has worked it off")
				return
			}
			require.Equal(t, Tally{Batches: 1, Events: 1}, res.Tally)
			require.NotZero(t, in.polls)
			require.False(t, res.Again)
		})
	}
}

// A panic fails the batch and no other sensor: the worker goes on.
func TestAPanicIsLeftToTheWorkflow(t *testing.T) {
	t.Parallel()
	bang := func(int64) { panic("bang") }
	for name, b := range map[string]*batches{"generating": {generated: bang}, "matching": {match: bang}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := &inbox{}
			in.put()
			res, err := attend(t, newAttendant(in, b))
			require.NoError(t, err)
			require.EqualValues(t, 108, res.BatchID)
			require.Zero(t, res.Tally)
		})
	}
}
