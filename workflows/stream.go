package workflows

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/attune-automation/sensors/activities"
)

const (
	// streamTimeout bounds the activity of a stream, which Temporal wants bounded: it ends long before.
	streamTimeout = 10 * 365 * 24 * time.Hour
	// streamTrial is how long a stream has to run after a failure for the failure to be over, if it brings nothing.
	streamTrial = time.Minute
)

// listen runs a stream as one activity, until its code ends by itself or the workflow has to do something else. The
// stream's own worker works off what the stream stores, and says so by signals; where that fails, the workflow does it.
func (l *loop) listen(ctx workflow.Context) (activities.PollResult, error) {
	l.streaming, l.brought = true, false
	defer func() { l.streaming = false }()
	running, cancel := workflow.WithCancel(ctx)
	defer cancel()
	stream := l.startPoll(running, l.queued(ctx), streamTimeout)
	broken := l.attend(ctx, stream)
	ended := stream.IsReady()
	cancel()
	polled, err := outcome(ctx, stream)
	switch {
	case broken != nil && !temporal.IsCanceledError(broken):
		return polled, broken
	case untaken(err):
		return l.unserved(), nil
	case ended || err == nil || isSensorError(err):
		return polled, err
	}
	return polled, l.interrupt(ctx)
}

// interrupt ends a stream that the workflow has cancelled; it starts again as soon as there is nothing else to do. The
// error is that of a cancelled poll.
func (l *loop) interrupt(ctx workflow.Context) error {
	l.ended = l.started
	l.carry.NextPoll = workflow.Now(ctx)
	if err := l.drain(ctx); err != nil {
		return err
	}
	return temporal.NewCanceledError()
}

// attend stays with a stream until it ends or should.
func (l *loop) attend(ctx workflow.Context, stream workflow.Future) error {
	for {
		l.show(ctx)
		if err := l.hear(ctx, stream); err != nil {
			return err
		}
		if l.proven(ctx) {
			l.recover()
		}
		if err := l.refresh(ctx); err != nil {
			return err
		}
		switch {
		case stream.IsReady() || l.interrupted(ctx):
			return nil
		case l.reload:
			known := l.fingerprint
			if err := l.change(ctx); err != nil || l.fingerprint != known {
				return err
			}
		case l.carry.Stored:
			if err := l.drain(ctx); err != nil {
				return err
			}
		}
	}
}

// hear waits until the stream ends, its worker has news of it, or there is something to do.
func (l *loop) hear(ctx workflow.Context, stream workflow.Future) error {
	l.news = false
	ready := func() bool {
		l.receive(ctx)
		return stream.IsReady() || l.news || l.reload || l.carry.Stored || l.interrupted(ctx)
	}
	if l.attempt == 1 || l.recovered || l.began.IsZero() {
		return workflow.Await(ctx, ready)
	}
	_, err := workflow.AwaitWithOptions(ctx, workflow.AwaitOptions{
		Timeout:      l.began.Add(streamTrial).Sub(workflow.Now(ctx)),
		TimerOptions: workflow.TimerOptions{Summary: "until the failure counts as over"},
	}, ready)
	return err
}

// interrupted says whether the workflow has something to do that a running stream is in the way of.
func (l *loop) interrupted(ctx workflow.Context) bool {
	return l.stopping != "" || l.carry.Paused || l.edits > 0 || l.restless(ctx)
}

// proven says whether the stream runs well: it brought something, or has stayed up for a while.
func (l *loop) proven(ctx workflow.Context) bool {
	return l.brought || (!l.began.IsZero() && workflow.Now(ctx).Sub(l.began) >= streamTrial)
}

// note takes in what the worker of a stream says of it.
func (l *loop) note(ctx workflow.Context, b activities.Brought) {
	p := &l.carry.Progress
	if b.Started && l.streaming {
		l.began = workflow.Now(ctx)
		l.count()
		p.Host, p.Sandbox = b.Host, b.Sandbox
		p.Waiting, p.WaitingSince = "", time.Time{}
	}
	if b.Batches > 0 {
		l.polls++
		l.brought = true
	}
	l.credit(ctx, b.Tally)
	p.Suppressed += int64(b.Suppressed)
	l.carry.Stored = l.carry.Stored || b.Stored
	l.carry.Pushed = (l.carry.Pushed || b.Pushed) && !l.spec.Stream
	l.news = true
}

func isSensorError(err error) bool {
	var app *temporal.ApplicationError
	return errors.As(err, &app) && app.Type() == activities.TypeSensorError
}
