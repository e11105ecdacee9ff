package sensor

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Sentinels that callers tell apart with errors.Is.
var (
	// ErrNotFound: no row has that ref or ID.
	ErrNotFound = errors.New("not found")
	// ErrTurnLost: another poll of the same sensor, or an edit of its cursor, came first; read the turn again.
	ErrTurnLost = errors.New("the sensor's state moved on")
	// ErrBatchInHand: the cursor cannot be set while a batch is unfinished.
	ErrBatchInHand = errors.New("a batch is unfinished")
	// ErrDisabled: the trigger is disabled.
	ErrDisabled = errors.New("disabled")
	// ErrRejectedPayload: a payload is not acceptable as an event of its trigger.
	ErrRejectedPayload = errors.New("payload refused")
)

// FaultKind says in which way a sensor failed.
type FaultKind string

// The ways in which a sensor's own code or definition can fail.
const (
	FaultException FaultKind = "exception" // the code raised an error
	FaultTimeout   FaultKind = "timeout"   // the poll took longer than the sensor's timeout
	FaultExit      FaultKind = "exit"      // the process ended without saying that it is done
	FaultOutput    FaultKind = "output"    // what the code wrote breaks the protocol or a limit
	FaultStart     FaultKind = "start"     // the process could not be started
	FaultConfig    FaultKind = "config"    // the sensor's config names a secret or a setting that is not there
	FaultLimit     FaultKind = "limit"     // the code took more memory, time of the processor or processes than it may
)

// Fault is a failure of the sensor itself, not of what it runs on: it counts against the sensor.
type Fault struct {
	Kind      FaultKind
	Message   string   // what is wrong and what to do
	Traceback string   // as the code's language prints it; may be empty
	Log       []string // last lines that the code printed
}

// Error returns kind, message, traceback and the last lines of the log, as the Web UI shows them.
func (f *Fault) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", f.Kind, f.Message)
	if f.Traceback != "" {
		fmt.Fprintf(&b, "\n%s", strings.TrimRight(f.Traceback, "\n"))
	}
	if len(f.Log) > 0 {
		fmt.Fprintf(&b, "\nlast lines of its log:\n%s", strings.Join(f.Log, "\n"))
	}
	return b.String()
}

// NotReady says that a sensor's code was not run, and that nobody failed: what it needs is not there yet.
type NotReady struct {
	Reason     string        // such as: installing the dependencies of pack github
	RetryAfter time.Duration // when to look again
}

// Error returns the reason.
func (n *NotReady) Error() string { return n.Reason }
