package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/attune-automation/sensors/internal/config"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/sensorlog"
)

// faultInLog begins what a runner writes into the log of a sensor whose poll failed.
const faultInLog = "the poll failed: "

// runTarget runs one poll of the target, or listens to it for a while, and notes in the report what came of it.
func (s *session) runTarget(ctx context.Context, t *target, flags trial, r *trialReport) (err error) {
	cfg, err := s.config()
	if err != nil {
		return err
	}
	run, err := openTrialRunner(cfg, t.archives, s.env)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.close()) }()
	listen, stop := context.WithCancel(ctx)
	defer stop()
	if t.sensor.Streams() {
		s.warn("listening to %s for %s", t.sensor.Ref, flags.duration)
		listen, stop = context.WithTimeout(ctx, flags.duration)
		defer stop()
	}
	poll, err := s.pollTarget(listen, run, sensor.PollRequest{
		Sensor: t.sensor, Cursor: t.cursor, Timeout: t.sensor.Spec(cfg.SensorSettings()).Timeout,
		Seq: func() int64 { return 0 }, Entries: t.entries,
		Take: func(_ context.Context, part sensor.Part) error {
			r.take(part)
			if t.sensor.Streams() {
				s.sayPart(r)
				if flags.events > 0 && len(r.Events) >= flags.events {
					stop()
				}
			}
			return nil
		},
	}, r)
	r.finish(poll)
	lines, logErr := run.finish(t.sensor.Ref)
	fault, failed := errors.AsType[*sensor.Fault](err)
	r.note(lines, fault, func(text string) string { return t.asSaved(cfg, text) })
	if failed {
		return logErr
	}
	if err != nil && ctx.Err() == nil && listen.Err() != nil {
		return logErr // it was listened to for long enough, or has said enough
	}
	return errors.Join(err, logErr)
}

// entries returns what the sensor keeps besides its cursor; of one that is in a folder, nothing.
func (t *target) entries(ctx context.Context) ([]sensor.Entry, error) {
	if t.store == nil {
		return nil, nil
	}
	return t.store.Entries(ctx, t.sensor.Ref)
}

// note adds the log, and the fault if there is one; spell is how their texts are shown.
func (r *trialReport) note(lines []sensorlog.Line, fault *sensor.Fault, spell func(string) string) {
	for _, line := range lines {
		if fault != nil && line.Source == sensorlog.SourceError && strings.HasPrefix(line.Text, faultInLog) {
			break // the log ends with the fault
		}
		line.Text = spell(line.Text)
		r.Log = append(r.Log, line)
	}
	if fault != nil {
		r.Fault = &trialFault{Kind: fault.Kind, Message: spell(fault.Message), Traceback: spell(fault.Traceback)}
	}
}

// asSaved names files of the pack where the author saves them, instead of in the copy that is run.
func (t *target) asSaved(cfg config.Config, text string) string {
	if t.source == sourceDatabase {
		return text
	}
	copied := filepath.Join(cfg.Worker.CacheDir, "packs", t.sensor.PackDigest) + "/"
	saved := strings.TrimSuffix(filepath.ToSlash(t.source), "/") + "/"
	return strings.NewReplacer("file://"+copied, saved, copied, saved).Replace(text)
}

// pollTarget polls once the code can be run: what it depends on may have to be installed first.
func (s *session) pollTarget(ctx context.Context, run *trialRunner, req sensor.PollRequest, r *trialReport) (sensor.Poll, error) {
	said := ""
	for {
		r.started = time.Now()
		poll, err := run.Poll(ctx, req)
		wait, ok := errors.AsType[*sensor.NotReady](err)
		if !ok {
			return poll, err
		}
		if strings.HasPrefix(wait.Reason, "failed: ") {
			return poll, fmt.Errorf("the dependencies of the pack cannot be installed, so that no code was run: %s", wait.Reason)
		}
		if wait.Reason != said {
			said = wait.Reason
			s.warn("%s", wait.Reason)
		}
		select {
		case <-ctx.Done():
			return sensor.Poll{}, fmt.Errorf("%s: %w", wait.Reason, ctx.Err())
		case <-time.After(wait.RetryAfter):
		}
	}
}

// sayPart shows that a stream has brought something.
func (s *session) sayPart(r *trialReport) {
	part := r.Parts[len(r.Parts)-1]
	s.say("after %.1fs  %s, cursor %s", part.After, count(part.Events, "event", "events"), shorten(compactJSON(part.Cursor)))
}
