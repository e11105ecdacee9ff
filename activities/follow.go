package activities

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/sensor"
)

// Brought is what a worker tells the workflow of a stream.
type Brought struct {
	Started    bool   `json:"started,omitempty"` // the code has just been started, on this host and in this sandbox
	Host       string `json:"host,omitempty"`
	Sandbox    string `json:"sandbox,omitempty"`
	Tally             // of batches worked off since it last told
	Suppressed int    `json:"suppressed,omitempty"` // payloads that were dropped since then, because their key was there already
	Stored     bool   `json:"stored,omitempty"`     // batches wait that the worker cannot work off: the workflow has to
	Pushed     bool   `json:"pushed,omitempty"`     // of a sensor that is polled: there is something, poll at once
}

// Signaler reaches the workflows of sensors.
type Signaler interface {
	// Wake tells a sensor's workflow what its stream brought; nil also when it does not run.
	Wake(ctx context.Context, sensorRef string, news Brought) error
}

// Follower works off what the streams of this worker bring while they run, so that this costs the engine nothing, and
// tells their workflows now and then what came of it.
type Follower struct {
	Drainer  *Drainer
	Signaler Signaler
	Host     string                     // of this worker, for people
	Sandbox  func(sensor.Sensor) string // that will contain the code; nil: not known
	Logger   *zap.Logger
}

const (
	// tellEvery is how often a workflow is told at most. Each time costs four events of its history.
	tellEvery = 10 * time.Second
	// tellFor is how long that may take: what the stream brings waits meanwhile.
	tellFor = 3 * time.Second
)

// following is one stream that runs.
type following struct {
	*Follower
	ref        string
	stored     chan struct{} // holds a value when batches wait
	suppressed atomic.Int64
	cancel     context.CancelFunc
	done       sync.WaitGroup
}

// follow begins to work off what a stream brings, and what it finds stored. ctx is that of the stream's activity.
func (f *Follower) follow(ctx context.Context, s sensor.Sensor) *following {
	ctx, cancel := context.WithCancel(ctx)
	w := &following{Follower: f, ref: s.Ref, stored: make(chan struct{}, 1), cancel: cancel}
	news := Brought{Started: true, Host: f.Host}
	if f.Sandbox != nil {
		news.Sandbox = f.Sandbox(s)
	}
	w.wake()
	w.done.Go(func() { w.run(ctx, news) })
	return w
}

// took says that a part of what the stream brings is stored.
func (w *following) took(a sensor.Appended) {
	w.suppressed.Add(int64(a.Suppressed))
	w.wake()
}

func (w *following) wake() {
	select {
	case w.stored <- struct{}{}:
	default: // it is about to look anyway
	}
}

// stop returns when the workflow knows all that has been done. What is stored and not worked off is left to it.
func (w *following) stop() {
	w.cancel()
	w.done.Wait()
}

// run works, and tells the workflow when there are news and it has not been told for a while. After a failure it leaves
// the work to the workflow for as long.
func (w *following) run(ctx context.Context, news Brought) {
	stored, quiet := w.stored, false
	timer := time.NewTimer(tellEvery)
	defer timer.Stop()
	for {
		if !quiet && w.hasNews(&news) {
			started := news.Started
			news = w.tell(ctx, news)
			quiet = !started || news.Started // after its start, what the stream first brings is told at once, too
			timer.Reset(tellEvery)
		}
		select {
		case <-ctx.Done():
			if w.hasNews(&news) {
				w.tell(context.WithoutCancel(ctx), news)
			}
			return
		case <-timer.C:
			quiet = false
			if stored == nil {
				stored = w.stored
				w.wake()
			}
		case <-stored:
			if err := w.work(ctx, &news); err != nil && ctx.Err() == nil {
				w.Logger.Warn("what a stream brought is left to its workflow", zap.String("sensor_ref", w.ref), zap.Error(err))
				news.Stored = true
				stored = nil
			}
		}
	}
}

func (w *following) work(ctx context.Context, news *Brought) error {
	done, err := w.Drainer.drain(ctx, DrainInput{SensorRef: w.ref}, shortDrain)
	news.Tally.add(done.Tally)
	if done.More {
		w.wake()
	}
	return err
}

// hasNews adds what was suppressed meanwhile, and says whether there is anything to tell.
func (w *following) hasNews(news *Brought) bool {
	news.Suppressed += int(w.suppressed.Swap(0))
	return *news != (Brought{})
}

// tell tells the workflow, and returns the news that are left to tell.
func (w *following) tell(ctx context.Context, news Brought) Brought {
	ctx, cancel := context.WithTimeout(ctx, tellFor)
	defer cancel()
	if err := w.Signaler.Wake(ctx, w.ref, news); err != nil {
		w.Logger.Warn("the workflow of a stream cannot be told", zap.String("sensor_ref", w.ref), zap.Error(err))
		return news
	}
	return Brought{}
}
