package process

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/runner/jail"
	"github.com/attune-automation/sensors/internal/sensorlog"
)

// warmGrace is how long a warm process has to take its request from the pipe.
const warmGrace = time.Second

// talk is one poll in a session.
type talk struct {
	*session
	journal   *journal
	collector *collector
	parts     *parts

	pumps sync.WaitGroup
	wrote chan struct{} // closed when the request is in the pipe, or as much of it as ever will be
	whole bool          // all of it is; for when wrote is closed
}

// reason is why a poll came to its end.
type reason int

const (
	said      reason = iota // the code said its last word, or broke the protocol or a limit of it
	exited                  // the process ended
	timedOut                // the poll's time is over
	cancelled               // the caller gave it up
	unstored                // what it brought could not be stored
	deaf                    // the process does not take its request
)

// ending is how a poll came to its end.
type ending struct {
	why   reason
	stale bool        // a warm process was no good
	keep  bool        // the process lives, and may do another poll
	last  jail.Ending // unless keep
	usage jail.Usage
}

// run returns when the poll is over, and nothing is left of the process unless it may do another poll. last says that it
// is to end with this poll.
func (t *talk) run(ctx, storing context.Context, request []byte, deadline time.Time, last bool) ending {
	warm := t.polls > 0
	t.polls++
	if warm {
		t.collector.hello = true
		if cpu := t.launch.limits.CPU; cpu > 0 {
			t.process.LimitCPU(cpu)
		}
	}
	last = last || !t.launch.warm
	var storer sync.WaitGroup
	storer.Go(func() { t.parts.run(storing) })
	t.begin(request, last)
	end := ending{why: t.await(ctx, deadline, warm)}
	if end.why == said && t.collector.succeeded() {
		if !last {
			t.rest(&end)
		} else {
			t.awaitExit(ctx)
		}
	}
	if !end.keep {
		end.last = t.process.Kill()
		end.usage = end.last.Usage
		end.stale = warm && t.stale(end.why)
	}
	close(t.parts.stopped)
	t.stopReading(end.keep)
	storer.Wait()
	if !end.keep {
		t.closePipes()
	}
	return end
}

// stale says of a warm process that is dead whether it was no good, so that another one may do its poll: it did not take
// the request. If it did, its code may have begun, and how that ended is its own matter.
func (t *talk) stale(why reason) bool {
	switch {
	case t.collector.spoke():
		return false
	case why == deaf:
		return true
	case why == exited, why == said:
		_ = t.stdin.SetWriteDeadline(time.Now()) // nobody reads any more
		<-t.wrote
		return t.untaken()
	}
	return false
}

// begin sends the request and reads what comes.
func (t *talk) begin(request []byte, last bool) {
	t.wrote = make(chan struct{})
	t.pumps.Go(func() {
		defer close(t.wrote)
		// A program that does not read its request is as good as any.
		_, err := t.stdin.Write(request)
		t.whole = err == nil
		if last {
			_ = t.stdin.Close()
		}
	})
	lines := func(source string) takeLine {
		return func(line []byte, dropped int, _ bool) error {
			t.journal.line(source, line, dropped)
			return nil
		}
	}
	if t.launch.sdk {
		t.stdout.open(lines(sensorlog.SourceStdout))
		t.data.open(t.collector.data)
	} else {
		t.stdout.open(t.collector.stdout)
		t.stderr.open(lines(sensorlog.SourceStderr))
		t.data.open(func(line []byte, dropped int, whole bool) error {
			t.stdout.catchUp() // a checkpoint is to be refused before its cursor leaves printed events behind
			return t.collector.data(line, dropped, whole)
		})
	}
	for _, tap := range t.taps() {
		t.pumps.Go(tap.pump)
	}
}

// await returns when the poll is to end, and why.
func (t *talk) await(ctx context.Context, deadline time.Time, warm bool) reason {
	var over, suspicious <-chan time.Time
	if !deadline.IsZero() {
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		over = timer.C
	}
	if warm {
		timer := time.NewTimer(warmGrace)
		defer timer.Stop()
		suspicious = timer.C
	}
	for {
		select {
		case <-t.collector.over:
			return said
		case <-t.process.Exited():
			return exited
		case <-t.parts.failed:
			return unstored
		case <-over:
			return timedOut
		case <-ctx.Done():
			return cancelled
		case <-suspicious:
			if t.untaken() {
				return deaf
			}
		}
	}
}

// untaken says whether the process has not read all of its request, without which its code does not begin.
func (t *talk) untaken() bool {
	select {
	case <-t.wrote:
	default:
		return true
	}
	if !t.whole {
		return true
	}
	conn, err := t.stdin.SyscallConn()
	return err == nil && inPipe(conn) > 0
}

// awaitExit lets a process that is done end by itself.
func (t *talk) awaitExit(ctx context.Context) {
	grace := time.NewTimer(exitGrace)
	defer grace.Stop()
	select {
	case <-t.process.Exited():
	case <-grace.C:
	case <-ctx.Done():
	}
}

// rest reads what the code printed until now, and finds out whether the process may do another poll.
func (t *talk) rest(end *ending) {
	late := time.NewTimer(exitGrace)
	defer late.Stop()
	select {
	case <-t.wrote:
	case <-late.C:
		return // it did not even read its request
	}
	t.stdout.cut()
	t.pumps.Wait()
	var left []string
	if end.usage, left = t.process.Look(); len(left) > 0 {
		t.journal.leftBehind(left)
		return
	}
	why := t.unfit(end.usage)
	if end.keep = why == ""; !end.keep {
		t.journal.logger.Debug("a warm process is replaced", zap.String("reason", why))
	}
}

// stopReading returns when all is read that the process wrote.
func (t *talk) stopReading(alive bool) {
	if !alive {
		for _, tap := range t.taps() {
			tap.cut()
		}
		_ = t.stdin.Close()
	}
	t.pumps.Wait()
}
