package process

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/attune-automation/sensors/internal/runner/jail"
	"github.com/attune-automation/sensors/internal/sensor"
)

// ErrBusy says that a poll failed since the machine is too busy to start or to end a process in time. Its sensor did
// nothing wrong; the poll can be repeated.
var ErrBusy = errors.New("the machine is too busy")

func fault(kind sensor.FaultKind, format string, args ...any) *sensor.Fault {
	return &sensor.Fault{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// verdict returns what went wrong, first of all what came first, as one leads to the next; nil: nothing. What the sensor
// did wrong is a *sensor.Fault.
func (t *talk) verdict(end ending, timeout time.Duration) error {
	c := t.collector
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.breach != nil:
		return c.breach
	case c.raised != nil:
		return c.raised
	case c.cut || c.done && c.sdk || end.keep:
		return nil
	case end.why == deaf:
		return fmt.Errorf("%w: a process took its request after it was given up", ErrBusy)
	case end.last.Breach != nil:
		return fault(sensor.FaultLimit, "%s", end.last.Breach)
	case end.why == timedOut:
		return fault(sensor.FaultTimeout, "took longer than %gs (sensor's `timeout`)", timeout.Seconds())
	case !end.last.Gone:
		return fmt.Errorf("%w: the process was not gone a second after its end, and nothing says how it ended", ErrBusy)
	case !end.last.Started && end.why == exited && !c.hello && !c.heard:
		return fmt.Errorf("the sandbox did not start the program: %s", strings.Join(t.journal.tail(), " "))
	case end.last.Signal == syscall.SIGXCPU:
		return fault(sensor.FaultLimit, "took more than %v of processor time (`limits.cpu`)", t.launch.limits.CPU)
	case end.last.Signal != 0 || end.last.Code != 0:
		return fault(sensor.FaultExit, "the process %s", describe(end.last))
	case c.broken != "":
		return fault(sensor.FaultOutput, "its last message on fd 3 is incomplete: %s", c.broken)
	case c.sdk:
		return fault(sensor.FaultExit, "the process ended before poll() did: don't end it from within (os._exit, process.exit)")
	}
	return nil
}

// describe says how a process ended that did not end well.
func describe(end jail.Ending) string {
	switch {
	case end.Signal == syscall.SIGKILL:
		return "was killed by signal 9, perhaps for lack of memory"
	case end.Signal != 0:
		return fmt.Sprintf("was killed by signal %d (%v)", end.Signal, end.Signal)
	}
	return fmt.Sprintf("ended with exit status %d", end.Code)
}
