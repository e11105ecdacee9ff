package process

import (
	"errors"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// child is a running program and all that it starts, as far as it stays in the program's process group.
type child struct {
	pid     int
	exited  chan struct{}         // closed when the program has ended; it is a zombie until released
	release chan struct{}         // closed when nobody will signal the group any more
	state   chan *os.ProcessState // receives how it ended, once it is released and gone
}

// spawn starts the program with the given files as its descriptors 0, 1, ...
func spawn(cmd command, files []*os.File) (*child, error) {
	c := &child{exited: make(chan struct{}), release: make(chan struct{}), state: make(chan *os.ProcessState, 1)}
	started := make(chan error)
	go c.run(cmd, files, started)
	return c, <-started
}

// run starts the program and waits for its end, all on one thread: the kernel kills the program when the thread that
// started it dies, which then happens only together with this process.
func (c *child) run(cmd command, files []*os.File, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	proc, err := os.StartProcess(cmd.path, cmd.args, &os.ProcAttr{
		Dir:   cmd.dir,
		Env:   cmd.env,
		Files: files,
		Sys:   &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		started <- err
		return
	}
	c.pid = proc.Pid
	started <- nil
	awaitExit(proc.Pid)
	close(c.exited)
	<-c.release
	// The error says that somebody else reaped it: then there is no state to tell.
	state, _ := proc.Wait()
	c.state <- state
}

// awaitExit returns when the process has ended, and leaves it unreaped: until then no other process or group can get
// its number, so that killing the group cannot hit a stranger.
func awaitExit(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// kill ends the program and its group for good. It must be called once, whether or not the program has ended.
func (c *child) kill() {
	_ = unix.Kill(-c.pid, unix.SIGKILL)
	close(c.release)
}
