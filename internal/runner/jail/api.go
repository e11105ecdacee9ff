package jail

import (
	"context"
	"errors"
	"time"
)

// Jail starts programs.
type Jail struct{}

// New returns a Jail after it tried bwrap, and ends what was left behind by workers that were killed. It fails when the
// mode is ModeBwrap and bwrap does not work.
func New(cfg Config) (*Jail, error) { return nil, errors.ErrUnsupported }

// Mode returns what contains programs that have no wish: ModeBwrap or ModeNone.
func (j *Jail) Mode() Mode { return ModeNone }

// Close ends what the Jail needed. The kernel kills programs that still run.
func (j *Jail) Close() error { return nil }

// Process is a program that was started. Kill must be called in any case, whether or not it has ended.
type Process struct{}

// Start starts the program. The error satisfies errors.Is for ENOENT, ENOEXEC and EACCES when the program, or the
// interpreter that its first line names, cannot be run, and is a *Refusal when the wished containment is not there.
func (j *Jail) Start(ctx context.Context, cmd Command) (*Process, error) {
	return nil, errors.ErrUnsupported
}

// Refusal says that a program was not started since what its sensor wishes cannot be had on this worker.
type Refusal struct{ Reason string }

// Error returns the reason, with a remedy.
func (r *Refusal) Error() string { return r.Reason }

// Mode returns what contains the program: ModeBwrap or ModeNone.
func (p *Process) Mode() Mode { return ModeNone }

// Exited is closed when the program has ended by itself, for a Breach or by Kill. What it started may still run until Kill.
func (p *Process) Exited() <-chan struct{} { return nil }

// Breach receives the limit that was exceeded, once. The program has been killed; Kill is still to be called.
func (p *Process) Breach() <-chan Breach { return nil }

// Usage returns what it took so far.
func (p *Process) Usage() Usage { return Usage{} }

// Leftovers returns the names of its processes besides the program itself.
func (p *Process) Leftovers() []string { return nil }

// LimitCPU sets what the program may take from now on.
func (p *Process) LimitCPU(d time.Duration) {}

// Kill ends the program and all that it started, and returns when nothing of it is left, after about a second at most.
// It may be called more than once, and returns the same.
func (p *Process) Kill() Ending { return Ending{} }
