package process

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/attune-automation/sensors/internal/sensor"
)

// verdict returns what the run brought, or why it brought nothing.
func (o *output) verdict(end ending, timeout time.Duration) (sensor.Poll, error) {
	if end.ctxErr != nil {
		return sensor.Poll{}, end.ctxErr
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if fault := o.fault(end, timeout); fault != nil {
		fault.Log = o.log.tail()
		return sensor.Poll{}, fault
	}
	return sensor.Poll{Payloads: o.payloads, Cursor: o.cursor}, nil
}

// fault returns the failure that came first, as one leads to the next.
func (o *output) fault(end ending, timeout time.Duration) *sensor.Fault {
	exit := func(format string, args ...any) *sensor.Fault {
		return &sensor.Fault{Kind: sensor.FaultExit, Message: fmt.Sprintf(format, args...)}
	}
	switch {
	case o.breach != nil:
		return o.breach
	case o.raised != nil:
		return o.raised
	case o.done && o.sdk:
		return nil
	case end.timedOut:
		return &sensor.Fault{
			Kind:    sensor.FaultTimeout,
			Message: fmt.Sprintf("took longer than %gs (sensor's `timeout`)", timeout.Seconds()),
		}
	case end.state == nil:
		return exit("the process ended, and nothing says how")
	case !end.state.Success():
		return exit("%s", describe(end.state))
	case o.cut != nil:
		return &sensor.Fault{Kind: sensor.FaultOutput, Message: "its last message on fd 3 is incomplete: " + excerpt(o.cut)}
	case o.sdk:
		return exit("the process ended before poll() did: don't end it from within (os._exit, process.exit)")
	}
	return nil
}

func describe(state *os.ProcessState) string {
	status, ok := state.Sys().(syscall.WaitStatus)
	switch {
	case ok && status.Signal() == syscall.SIGKILL:
		return "the process was killed by signal 9, perhaps for lack of memory"
	case ok && status.Signaled():
		return fmt.Sprintf("the process was killed by signal %d (%v)", status.Signal(), status.Signal())
	}
	return fmt.Sprintf("the process ended with exit status %d", state.ExitCode())
}
