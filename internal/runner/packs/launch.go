package packs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Command is one run of an installer. What it runs comes from elsewhere: the packages' own build and install scripts.
type Command struct {
	Program  string   // absolute path
	Args     []string // without the program's name
	Dir      string   // working directory, in Writable
	Env      []string // all of the environment
	Output   *os.File // takes stdout and stderr
	Writable string   // the folder that it changes; its HOME and TMPDIR are in it
	Visible  []string // folders of the interpreter, which it must be able to read, besides what is on its PATH
}

// Launcher runs installers.
type Launcher interface {
	// Launch runs the command, which needs the network, until it ends; the error says how, unless it succeeded. It kills
	// the command when ctx ends. Nothing that the command started is left running.
	Launch(ctx context.Context, cmd Command) error
}

// Plain runs installers as processes of this user. It ends all that they start and that stays in their process group,
// and contains nothing else.
type Plain struct{}

// Launch runs the command, all on one thread: the kernel kills the program when the thread that started it dies, which
// then happens only together with this process.
func (Plain) Launch(ctx context.Context, cmd Command) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	input, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer input.Close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	proc, err := os.StartProcess(cmd.Program, append([]string{cmd.Program}, cmd.Args...), &os.ProcAttr{
		Dir:   cmd.Dir,
		Env:   cmd.Env,
		Files: []*os.File{input, cmd.Output, cmd.Output},
		Sys:   &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return fmt.Errorf("starting the installer: %w", err)
	}
	kill := func() { _ = unix.Kill(-proc.Pid, unix.SIGKILL) }
	killed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { kill(); close(killed) })
	awaitExit(proc.Pid)
	if !stop() {
		<-killed
	}
	kill() // what it left running; until Wait nobody else can have the group's number
	state, err := proc.Wait()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return err
	case !state.Success():
		return errors.New(state.String())
	}
	return nil
}

// awaitExit returns when the process has ended, and leaves it unreaped.
func awaitExit(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}
