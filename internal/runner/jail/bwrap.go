package jail

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// bwrap is the bubblewrap of this machine, and what works here.
type bwrap struct {
	path        string
	users       bool  // it makes a user namespace
	sealed      bool  // in which no further ones can be made
	sizes       bool  // it can limit a tmpfs
	countsTasks bool  // the kernel counts tasks for each sandbox
	offline     error // why it cannot take the network away; nil: it can
}

const (
	probeTimeout   = 20 * time.Second
	diagnosisGrace = 2 * time.Second
)

// findBwrap tries bwrap, from its strictest form on. The error says why none works.
func (j *Jail) findBwrap(command string) error {
	path, err := exec.LookPath(cmp.Or(command, "bwrap"))
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return fmt.Errorf("%w: install bubblewrap on the worker's machine", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	help, err := exec.CommandContext(ctx, path, "--help").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s --help: %w", path, err)
	}
	has := func(option string) bool { return bytes.Contains(help, []byte(option+" ")) }
	form := bwrap{path: path, users: true, sealed: has("--disable-userns"), sizes: has("--size"), countsTasks: countsTasksPerNamespace()}
	forms := []bwrap{form}
	if form.sealed {
		form.sealed = false
		forms = append(forms, form)
	}
	if os.Geteuid() == 0 { // for others bwrap always makes a user namespace
		form.users, form.countsTasks = false, false
		forms = append(forms, form)
	}
	var problems error
	for _, form := range forms {
		j.bwrap = &form
		if err = j.probe(ctx, true); err == nil {
			form.offline = j.probe(ctx, false)
			return nil
		}
		problems = cmp.Or(problems, err) // that of the strictest form is the one to be solved
	}
	j.bwrap = nil
	return problems
}

// probe runs a program in a sandbox and looks at it.
func (j *Jail) probe(ctx context.Context, network bool) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	stdin, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer stdin.Close()
	defer w.Close()
	// A program that is certainly there, and waits for its input to end.
	p, err := j.start(ctx, ModeBwrap, Command{
		Path: j.bwrap.path, Args: []string{j.bwrap.path, "--args", "0", "--version"}, Dir: "/",
		Files: []*os.File{stdin, null, null}, Visible: []string{j.bwrap.path}, Network: network,
		Limits: Limits{CPU: time.Minute, Memory: minTemp, OpenFiles: 64, Processes: 8},
	})
	if err != nil {
		return err
	}
	defer p.Kill()
	for again := time.NewTicker(time.Millisecond); ; { // it is about to start
		if usage, _ := p.Look(); usage.Memory > 0 {
			break
		}
		select {
		case <-again.C:
		case <-p.Exited():
			return errors.New("a program in the sandbox ended at once")
		case <-ctx.Done():
			return errors.New("the processes of a sandbox cannot be looked at")
		}
	}
	_ = w.Close()
	select {
	case <-p.Exited():
	case <-ctx.Done():
		return ctx.Err()
	}
	if end := p.Kill(); !end.Started || end.Code != 0 || end.Signal != 0 {
		return fmt.Errorf("a program in the sandbox ended with status %d, signal %d", end.Code, end.Signal)
	}
	return nil
}

// arguments returns those for a command, with what it sees.
func (b *bwrap) arguments(cmd Command, mounts []string) []string {
	args := []string{
		"--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
		"--die-with-parent", "--new-session", "--cap-drop", "ALL",
	}
	if b.users {
		args = append(args, "--unshare-user")
	}
	if b.sealed {
		args = append(args, "--disable-userns")
	}
	if !cmd.Network {
		args = append(args, "--unshare-net")
	}
	args = append(append(args, mounts...), "--chdir", cmd.Dir, "--", cmd.Path)
	return append(args, cmd.Args[1:]...)
}

// diagnose starts bwrap once more, to a point before the program, for what it says when that fails: its error output is
// otherwise the program's.
func (j *Jail) diagnose(cmd Command, args []string) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return errSetup
	}
	defer null.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return errSetup
	}
	defer r.Close()
	gate, err := newGate()
	if err != nil {
		_ = w.Close()
		return errSetup
	}
	defer gate.close()
	cmd.Files = []*os.File{null, null, w}
	b, err := j.launch(cmd, args, gate)
	_ = w.Close()
	if err != nil {
		return err
	}
	await(b.exited, time.Now().Add(diagnosisGrace))
	b.bury(time.Now().Add(killGrace))
	b.release()
	_ = r.SetReadDeadline(time.Now().Add(killGrace))
	text, _ := io.ReadAll(io.LimitReader(r, 1<<10))
	if text = bytes.TrimSpace(text); len(text) == 0 {
		return errSetup
	}
	return errors.New(string(text))
}
