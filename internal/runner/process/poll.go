package process

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/runner"
	"github.com/attune-automation/sensors/internal/runner/packs"
	"github.com/attune-automation/sensors/internal/secret"
	"github.com/attune-automation/sensors/internal/sensor"
)

const (
	// maxPrepare is how long it may take to fetch and unpack a pack.
	maxPrepare = 5 * time.Minute
	// prepareAgain is when to look whether that is done.
	prepareAgain = 2 * time.Second
	// storeGrace is how long after its end a poll may take to store what it brought.
	storeGrace = 1500 * time.Millisecond
	// cancelGrace is the same when the poll was cancelled.
	cancelGrace = time.Second
)

// poll is one poll.
type poll struct {
	*Runner
	req      runner.Request
	deadline time.Time // of the code; zero: it is a stream
	request  []byte
	secrets  secret.Values
	limits   sensor.Limits
	launch   launch
	journal  *journal
	logger   *zap.Logger

	outcome sensor.Poll
}

// newPoll begins a poll, and its log.
func (r *Runner) newPoll(req runner.Request, began time.Time) *poll {
	logger := r.logger.With(zap.String("sensor_ref", req.Sensor.Ref))
	p := &poll{Runner: r, req: req, logger: logger, limits: r.limitsOf(req.Sensor)}
	if !req.Sensor.Streams() {
		p.deadline = began.Add(req.Timeout)
	}
	p.journal = &journal{
		log: discard{}, logger: logger, limit: p.limits.Output, stream: req.Sensor.Streams(),
		now: time.Now, lines: make([]string, 0, r.logLines),
	}
	if r.logs != nil {
		p.journal.log = r.logs.Writer(req.Sensor.Ref)
	}
	return p
}

// prepare puts everything in place that the code needs.
func (p *poll) prepare(ctx context.Context) error {
	patience := maxPrepare
	if !p.deadline.IsZero() {
		patience = p.req.Timeout / 2 // the rest belongs to the code
	}
	prepared, err := p.preparePack(ctx, p.req.Sensor, patience)
	if err != nil {
		return err
	}
	config, secrets, err := p.Runner.secrets.Resolve(p.req.Sensor.Config)
	if err != nil {
		if problems, ok := errors.AsType[secret.Problems](err); ok {
			return fault(sensor.FaultConfig, "%s", problems.Error())
		}
		return err
	}
	p.secrets, p.journal.secrets = secrets, secrets
	plain := secrets.Plain()
	if p.request, err = newRequest(p.req, config, plain, prepared.Dir, time.Now(), p.deadline); err != nil {
		return err
	}
	p.launch, err = p.newLaunch(p.req.Sensor, prepared, plain, p.limits)
	return err
}

// preparePack puts the sensor's pack in place. Where that takes longer than the poll has time, it goes on beside, for
// the next poll to find it done.
func (r *Runner) preparePack(ctx context.Context, s sensor.Sensor, patience time.Duration) (packs.Prepared, error) {
	var prepared packs.Prepared
	var err error
	done := make(chan struct{})
	detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxPrepare)
	r.preparing.Go(func() {
		defer close(done)
		prepared, err = r.packs.Prepare(detached, s)
	})
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-done:
		cancel()
		return prepared, err
	case <-timer.C:
		r.preparing.Go(func() {
			defer cancel()
			select {
			case <-done:
			case <-r.closed:
			}
		})
		return packs.Prepared{}, &sensor.NotReady{Reason: fmt.Sprintf("unpacking pack %s", s.PackRef), RetryAfter: prepareAgain}
	case <-ctx.Done():
		cancel()
		return packs.Prepared{}, ctx.Err()
	}
}

// run runs the code in a process that is there, or in a new one.
func (p *poll) run(ctx context.Context) error {
	if !p.launch.warm {
		_, err := p.runCold(ctx)
		return err
	}
	kept := p.pool.enter(p.launch.identity)
	defer func() { p.pool.leave(kept) }()
	if kept != nil {
		warm := kept
		var err error
		if kept, err = p.talk(ctx, warm); !errors.Is(err, errStale) {
			p.outcome.Warm = true
			return err
		}
		p.logger.Debug("a warm process was no good, a new one takes its poll")
	}
	var err error
	kept, err = p.runCold(ctx)
	return err
}

func (p *poll) runCold(ctx context.Context) (*session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	starting, cancel := ctx, func() {}
	if !p.deadline.IsZero() {
		starting, cancel = context.WithDeadline(ctx, p.deadline)
	}
	s, err := start(starting, p.jail, p.packs, p.launch)
	cancel()
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("%w: no process was started within the sensor's timeout of %s", ErrBusy, p.req.Timeout)
	}
	if err != nil {
		return nil, err
	}
	return p.talk(ctx, s)
}

// errStale says that a warm process was no good, and that this poll has not begun.
var errStale = errors.New("the warm process does not answer")

// talk does the poll in a session, and returns the session if it is good for another one.
func (p *poll) talk(ctx context.Context, s *session) (*session, error) {
	age := pollAge
	if p.deadline.IsZero() {
		age = streamAge
	}
	parts := newParts(p.req.Take, age, p.req.Cursor)
	t := &talk{
		session: s, journal: p.journal, parts: parts,
		collector: newCollector(p.req, p.launch.sdk, p.secrets, p.journal, parts),
	}
	storing, cancel := p.storing(ctx)
	defer cancel()
	end := t.run(ctx, storing, p.request, p.deadline, s.polls >= p.maxPolls-1)
	p.note(s, end)
	if end.stale {
		return nil, errStale
	}
	failure := t.verdict(end, p.req.Timeout)
	if err := parts.finish(storing, failure == nil && end.why != cancelled && t.collector.whole()); err != nil {
		if end.keep {
			s.kill()
		}
		return nil, &takeError{err}
	}
	switch {
	case end.why == cancelled:
		return nil, ctx.Err()
	case failure != nil:
		if fault, ok := errors.AsType[*sensor.Fault](failure); ok {
			fault.Log = p.journal.tail()
		}
		return nil, failure
	}
	hints := t.collector.hints()
	p.outcome.More, p.outcome.NextAfter, p.outcome.Skip = hints.More, hints.NextAfter, hints.Skip
	if end.keep {
		return s, nil
	}
	return nil, nil
}

// storing returns the context for storing parts, which goes on for a moment after the poll's end: what a checkpoint
// completed is kept also then.
func (p *poll) storing(ctx context.Context) (context.Context, context.CancelFunc) {
	detached := context.WithoutCancel(ctx)
	var cancel context.CancelFunc
	if p.deadline.IsZero() {
		detached, cancel = context.WithCancel(detached)
	} else {
		detached, cancel = context.WithDeadline(detached, p.deadline.Add(storeGrace))
	}
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(cancelGrace, cancel) })
	return detached, func() {
		stop()
		cancel()
	}
}

// note notes what the poll took.
func (p *poll) note(s *session, end ending) {
	p.outcome.Sandbox = string(s.process.Mode())
	p.outcome.Usage.CPU += end.usage.CPU - s.cpu
	p.outcome.Usage.Memory = max(p.outcome.Usage.Memory, end.usage.Peak)
	s.cpu = end.usage.CPU
}

// takeError is what PollRequest.Take returned.
type takeError struct{ err error }

func (e *takeError) Error() string { return fmt.Sprintf("storing what it brought: %v", e.err) }

// discard is the log of a worker that keeps none.
type discard struct{}

func (discard) WriteLine(time.Time, string, string) {}
func (discard) Close()                              {}
