package jail

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// warden is a process of this one's own program that outlives it. The kernel kills what a worker itself started when the
// worker dies, but not what that started in turn without a sandbox, nor a bwrap that is about to make one. When the worker
// is gone, however it went, the warden ends all that has the worker's mark, and then itself.
//
// It waits for the end of a pipe whose other end only the worker has. The kernel closes that when nothing of the worker
// runs any more.
type warden struct {
	wanted bool
	self   worker

	mu      sync.Mutex
	process *os.Process
	ended   chan struct{} // nil: there was none yet
}

// wardenName is what a warden is called by its first argument, and is known by.
const wardenName = "attune-warden"

// wardenPatience is how long a warden tries to end what is stuck in the kernel. The next worker tries again.
const wardenPatience = time.Minute

// ensure starts a warden if none is up: the first one, or another, as somebody may have killed it.
func (w *warden) ensure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.wanted || w.up() {
		return nil
	}
	end, lifeline, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("making a pipe to the warden: %w", err)
	}
	cmd := &exec.Cmd{
		Path: "/proc/self/exe", // also when the file has been replaced
		Args: []string{wardenName, strconv.Itoa(w.self.pid), strconv.FormatUint(w.self.start, 10), strconv.FormatUint(w.self.ns, 10)},
		Env:  []string{}, Dir: "/", Stdin: end,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true}, // what ends the worker's group does not end it
	}
	err = cmd.Start()
	_ = end.Close()
	if err != nil {
		_ = lifeline.Close()
		return fmt.Errorf("starting a warden: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer lifeline.Close()
		_ = cmd.Wait()
	}()
	w.process, w.ended = cmd.Process, ended
	return nil
}

func (w *warden) up() bool {
	if w.ended == nil {
		return false
	}
	select {
	case <-w.ended:
		return false
	default:
		return true
	}
}

// close ends the warden, before it finds that it has work to do.
func (w *warden) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended == nil {
		return
	}
	_ = w.process.Kill()
	<-w.ended
}

// RunWarden does a warden's work, if this process was started as one with these arguments, and returns whether it was.
// The main function of a program with Config.Warden calls it first.
func RunWarden(args []string) bool {
	if len(args) == 0 || args[0] != wardenName {
		return false
	}
	var of worker
	if n, err := fmt.Sscan(strings.Join(args[1:], " "), &of.pid, &of.start, &of.ns); n != 3 || err != nil {
		return true
	}
	_ = os.WriteFile("/proc/self/comm", []byte(wardenName), 0) // what ps shows
	// It ends when its worker does, and at nobody's request.
	signal.Ignore(unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	_, _ = io.Copy(io.Discard, os.Stdin)
	if host, err := openProcfs("/proc"); err == nil {
		hunt{host: host, prey: of.marked}.until(time.Now().Add(wardenPatience))
	}
	return true
}
