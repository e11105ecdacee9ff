package jail

import (
	"context"
	"fmt"
	"os"
)

// Refusal says that a program was not started, since what its sensor wishes cannot be had on this worker.
type Refusal struct{ Reason string }

// Error returns the reason, with a remedy.
func (r *Refusal) Error() string { return r.Reason }

// Start starts the program, which is limited before its first instruction. The context is for the start alone. The error
// is a *Refusal when the wished containment is not there, and satisfies errors.Is for ENOENT, ENOEXEC or EACCES when the
// program, or the interpreter that its first line names, cannot be run.
func (j *Jail) Start(ctx context.Context, cmd Command) (*Process, error) {
	if err := cmd.validate(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	if info, err := os.Stat(cmd.Dir); err != nil || !info.IsDir() {
		// Not wrapped: it would be taken for an error of the program's file.
		return nil, fmt.Errorf("starting %s in %s: there is no such folder (%v)", cmd.Path, cmd.Dir, err)
	}
	mode, err := j.grant(cmd)
	if err != nil {
		return nil, err
	}
	return j.start(ctx, mode, cmd)
}

// grant decides what contains a program. It never gives less than was asked for.
func (j *Jail) grant(cmd Command) (Mode, error) {
	mode := j.mode
	switch {
	case cmd.Mode == ModeNone && j.wanted == ModeAuto:
		mode = ModeNone
	case cmd.Mode == ModeBwrap && mode != ModeBwrap:
		return "", &Refusal{fmt.Sprintf("`sandbox: bwrap`, and bwrap does not work on this worker: %v: %s", j.reason, "give the sensor a `queue` of workers where it does")}
	}
	switch {
	case cmd.Network:
	case mode != ModeBwrap && j.mode == ModeBwrap:
		return "", &Refusal{"`network: none` needs a sandbox: remove `sandbox: none`"}
	case mode != ModeBwrap:
		return "", &Refusal{fmt.Sprintf("`network: none` needs bwrap, which does not work on this worker: %v: %s", j.reason, "give the sensor a `queue` of workers where it does")}
	case j.bwrap.offline != nil:
		return "", &Refusal{fmt.Sprintf("`network: none`: bwrap cannot take the network away on this worker: %v", j.bwrap.offline)}
	}
	return mode, nil
}

func (j *Jail) start(ctx context.Context, mode Mode, cmd Command) (*Process, error) {
	if err := j.warden.ensure(); err != nil {
		return nil, err
	}
	p := &Process{mode: mode, limits: cmd.Limits, breach: make(chan Breach, 1), sampler: j.sampler, files: j.files}
	if mode == ModeBwrap {
		b, err := j.startBox(ctx, cmd)
		if err != nil {
			return nil, err
		}
		p.family, p.exited = b, b.exited
	} else {
		f, err := j.startPlain(cmd)
		if err != nil {
			return nil, err
		}
		p.family, p.exited = f, f.exited
	}
	if cmd.Limits.any() {
		j.sampler.add(p)
	}
	return p, nil
}
