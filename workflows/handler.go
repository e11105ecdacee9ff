package workflows

import (
	"cmp"
	"errors"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/attune-automation/sensors/activities"
)

// typeRejected is the type of the errors by which updates are refused.
const typeRejected = "Rejected"

// register sets the handlers of the query and the updates.
func (l *loop) register(ctx workflow.Context) error {
	if err := workflow.SetQueryHandler(ctx, QueryStatus, func() (Status, error) { return l.status(), nil }); err != nil {
		return err
	}
	open := func(workflow.Context) error { return l.open() }
	updates := []struct {
		name      string
		handler   any
		validator any
		about     string
	}{
		{UpdatePause, l.pause, open, "Stop polling until resumed; a poll going on is finished first."},
		{UpdateResume, l.resume, open, "Poll again, at once and then every interval."},
		{UpdatePollNow, l.pollOnce, func(workflow.Context) error { return cmp.Or(l.open(), l.pollable()) }, "Poll now, paused or not, and return what it brought."},
		{UpdateSetCursor, l.setCursor, func(workflow.Context, CursorEdit) error { return l.open() },
			"Make the next poll start from another cursor."},
	}
	for _, u := range updates {
		err := workflow.SetUpdateHandlerWithOptions(ctx, u.name, u.handler,
			workflow.UpdateHandlerOptions{Validator: u.validator, Description: u.about})
		if err != nil {
			return err
		}
	}
	return nil
}

// open refuses updates once the run is ending, or a stop waits to be taken in, which may have come with this very update.
func (l *loop) open() error {
	if l.closing || l.stopping != "" || l.stop.Len() > 0 {
		return l.closed()
	}
	return nil
}

// pollable refuses polls of a stream.
func (l *loop) pollable() error {
	if l.spec.Stream {
		return temporal.NewNonRetryableApplicationError("it is a stream: its code runs all the time and brings events as they "+
			"come, so there is nothing to poll", typeRejected, nil)
	}
	return nil
}

func (l *loop) closed() error {
	switch {
	case l.fault != nil:
		return temporal.NewNonRetryableApplicationError(message(l.fault), activities.TypeSensorError, nil)
	default:
		return temporal.NewNonRetryableApplicationError("it is stopping", typeRejected, nil)
	}
}

func (l *loop) pause(ctx workflow.Context) (Status, error) {
	l.carry.Paused = true
	if err := l.refresh(ctx); err != nil {
		return Status{}, err
	}
	if err := workflow.Await(ctx, func() bool { return l.closing || !l.turn.IsLocked() }); err != nil {
		return Status{}, err
	}
	return l.status(), nil
}

func (l *loop) resume(ctx workflow.Context) (Status, error) {
	if l.carry.Paused {
		l.carry.Paused = false
		l.carry.NextPoll = workflow.Now(ctx)
		if err := l.refresh(ctx); err != nil {
			return Status{}, err
		}
	}
	return l.status(), nil
}

// pollOnce waits for a whole poll that begins after the request.
func (l *loop) pollOnce(ctx workflow.Context) (PollReport, error) {
	l.pollNow = true
	mine := l.started + 1
	err := workflow.Await(ctx, func() bool { return l.closing || l.ended >= mine || l.spec.Stream })
	if err != nil {
		return PollReport{}, err
	}
	if l.spec.Stream { // the definition was not known yet when the request came, or has changed since
		l.pollNow = false
		return PollReport{}, l.pollable()
	}
	if l.closing && (l.fault != nil || l.started < mine) {
		return PollReport{}, l.closed()
	}
	return l.last, nil
}

// setCursor takes the turn, so that no poll is going on and a stream is held up, finishes what is in hand, and edits the cursor. A poll that this
// workflow has given up on may store a batch in between; then it begins again.
func (l *loop) setCursor(ctx workflow.Context, edit CursorEdit) error {
	l.edits++
	defer func() { l.edits-- }()
	if err := l.turn.Lock(ctx); err != nil {
		return err
	}
	defer l.turn.Unlock()
	if l.closing {
		return l.closed()
	}
	for {
		if err := l.drain(ctx); err != nil {
			return err
		}
		err := step(ctx, false, "set the cursor", keeper.SetCursor, nil,
			activities.CursorInput{SensorRef: l.ref, Cursor: edit.Cursor})
		var app *temporal.ApplicationError
		if !errors.As(err, &app) || app.Type() != activities.TypeBatchInHand {
			return err
		}
	}
}
