// Package filewatch watches files for sensors: for files that come, change, move and go, or for lines that are appended.
// Polling is the truth; notifications of the kernel only say when to poll at once.
package filewatch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/runner"
	"github.com/attune-automation/sensors/internal/runner/filewatch/notify"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/sensorlog"
)

// RunnerConfig is what a Runner needs.
type RunnerConfig struct {
	Wake   func(sensorRef string) // has a sensor poll at once; nil: the kernel is not asked for notifications
	Logs   *sensorlog.Dir         // nil: what is worth telling is only in the status. It is not closed
	Logger *zap.Logger
	Now    func() time.Time // default: time.Now
}

// Runner polls the sensors that watch files.
type Runner struct {
	logs     *sensorlog.Dir
	now      func() time.Time
	notifier *notify.Notifier // nil: there are no notifications
	cache    cache
}

// New returns a Runner. Close it.
func New(cfg RunnerConfig) *Runner {
	r := &Runner{logs: cfg.Logs, now: cfg.Now}
	if r.now == nil {
		r.now = time.Now
	}
	if cfg.Wake != nil {
		r.notifier = notify.New(notify.Config{Wake: cfg.Wake, Logger: cmp.Or(cfg.Logger, zap.NewNop())})
	}
	return r
}

// Close ends the notifications.
func (r *Runner) Close() error {
	if r.notifier == nil {
		return nil
	}
	return r.notifier.Close()
}

// poll is one poll of a sensor.
type poll struct {
	*Runner
	cfg    *Config
	ref    string
	every  time.Duration // the sensor's interval, or what is assumed of it
	now    time.Time
	soon   time.Time // when to leave the rest for another poll; zero: never
	ledger *ledger
	watch  *notify.Watch // nil: there are no notifications
	notes  []string      // for the sensor's log
}

// assumedInterval is what the interval of a sensor that has none of its own is taken for.
const assumedInterval = 10 * time.Second

// Poll looks at the sensor's files once.
func (r *Runner) Poll(ctx context.Context, req runner.Request) (sensor.Poll, error) {
	cfg, err := Parse(req.Sensor.Config)
	if err != nil {
		return sensor.Poll{}, fault(sensor.FaultConfig, "%v", err)
	}
	parent, cancel := ctx, context.CancelFunc(func() {})
	p := &poll{
		Runner: r, cfg: cfg, ref: req.Sensor.Ref, every: cmp.Or(req.Sensor.PollInterval, assumedInterval),
		now: r.now(), ledger: newLedger(req.Take),
	}
	if req.Timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, req.Timeout)
		p.soon = time.Now().Add(req.Timeout * 6 / 10)
	}
	defer cancel()
	started := time.Now()
	res, err := p.run(ctx, req)
	res.Usage.Wall = time.Since(started)
	if errors.Is(err, context.DeadlineExceeded) && parent.Err() == nil {
		err = fault(sensor.FaultTimeout, "took longer than %gs (sensor's `timeout`): raise it, or name fewer files in `paths`", req.Timeout.Seconds())
	}
	p.log(err)
	return res, err
}

func (p *poll) run(ctx context.Context, req runner.Request) (sensor.Poll, error) {
	if p.notifier != nil {
		p.watch = p.notifier.Begin(p.ref, p.every)
		defer p.watch.End()
	}
	state, err := p.load(ctx, req)
	if err != nil {
		return sensor.Poll{}, err
	}
	var res sensor.Poll
	switch s := state.(type) {
	case *watchState:
		res, err = (&watcher{poll: p, state: s}).run(ctx)
	case *tailState:
		res, err = (&tailer{poll: p, state: s}).run(ctx)
	}
	if err == nil {
		p.cache.put(p.ref, kept{seq: req.Seq(), scope: p.cfg.Scope, state: state, at: p.now})
	}
	return res, err
}

// cursor is the cursor of a file sensor. Where it got to is in its entries.
type cursor struct {
	Mode  Mode   `json:"mode"`
	Scope string `json:"scope"` // whose files it has taken stock of; empty: of none
}

func (p *poll) cursor(scope string) json.RawMessage {
	return mustMarshal(cursor{Mode: p.cfg.Mode, Scope: scope})
}

// load returns what is known of the sensor's files, from memory if that is up to date. Without a cursor, or with that of
// another mode or another runtime, it begins anew.
func (p *poll) load(ctx context.Context, req runner.Request) (any, error) {
	var at cursor
	anew := json.Unmarshal(req.Cursor, &at) != nil || at.Mode != p.cfg.Mode
	entering := anew || at.Scope != p.cfg.Scope
	known, ok := p.cache.take(p.ref)
	if ok && !anew && known.seq == req.Seq() && known.scope == p.cfg.Scope {
		return known.state, nil
	}
	var entries []sensor.Entry
	if anew {
		p.ledger.part.ResetEntries = true
		p.ledger.part.Cursor = p.cursor("")
	} else {
		var err error
		if entries, err = req.Entries(ctx); err != nil {
			return nil, err
		}
	}
	if p.cfg.Mode == ModeTail {
		s, err := newTailState(entries)
		if err != nil {
			return nil, err
		}
		s.entering = entering
		return s, nil
	}
	s, err := newWatchState(entries)
	if err != nil {
		return nil, err
	}
	s.entering = entering
	return s, nil
}

// tired says whether so much of the time is over that the rest is for another poll.
func (p *poll) tired() bool { return !p.soon.IsZero() && time.Now().After(p.soon) }

// nextAt returns when to poll next if something is due; zero: at the interval.
func (p *poll) nextAt(due time.Time) time.Time {
	if due.IsZero() || due.After(p.now.Add(p.every)) {
		return time.Time{}
	}
	return due
}

// folder is called before a folder is read, so that no change of it is missed.
func (p *poll) folder(path string) {
	if p.watch != nil {
		p.watch.Add(path)
	}
}

// note has people know something by the sensor's log.
func (p *poll) note(format string, args ...any) {
	p.notes = append(p.notes, fmt.Sprintf(format, args...))
}

func (p *poll) log(err error) {
	if p.logs == nil || err == nil && len(p.notes) == 0 {
		return
	}
	w := p.logs.Writer(p.ref)
	defer w.Close()
	for _, text := range p.notes {
		w.WriteLine(p.now, sensorlog.SourceWarning, text)
	}
	if f, ok := errors.AsType[*sensor.Fault](err); ok {
		w.WriteLine(p.now, sensorlog.SourceError, "the poll failed: "+f.Error())
	}
}

func fault(kind sensor.FaultKind, format string, args ...any) *sensor.Fault {
	return &sensor.Fault{Kind: kind, Message: fmt.Sprintf(format, args...)}
}
