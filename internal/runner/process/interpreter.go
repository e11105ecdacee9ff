package process

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// shimTimeout is how long a version manager may take to say which interpreter it starts.
const shimTimeout = 10 * time.Second

// interpreter is what runs the code of one runtime.
type interpreter struct {
	command string   // as configured
	setting string   // where
	path    string   // PATH on which command is looked up
	env     []string // of the question below
	self    []string // arguments that make it print where it is

	mu   sync.Mutex
	real map[string]string // by shim
}

// find returns the interpreter's file. What version managers put on PATH is a script that looks for the interpreter each
// time, which takes longer than a poll: it is asked once.
func (i *interpreter) find(ctx context.Context) (string, error) {
	found, ok := lookPath(i.command, i.path)
	if !ok {
		return "", startFault("interpreter %q is not there: install it on the worker's machine or set %s (PATH is %s, runtime.path)",
			i.command, i.setting, i.path)
	}
	if !isScript(found) {
		return found, nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if real := i.real[found]; real != "" && isExecutable(real) {
		return real, nil
	}
	real, err := i.ask(ctx, found)
	if err != nil {
		return "", err
	}
	i.real[found] = real
	return real, nil
}

func (i *interpreter) ask(ctx context.Context, shim string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, shimTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, shim, i.self...)
	cmd.Env = append(i.env[:len(i.env):len(i.env)], "HOME="+os.Getenv("HOME"))
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	switch real := strings.TrimSpace(string(out)); {
	case ctx.Err() != nil:
		return "", fmt.Errorf("asking %s which interpreter it starts: %w", shim, ctx.Err())
	case err != nil || !isExecutable(real):
		return "", startFault("%s is a script that does not start an interpreter: correct it or set %s to the interpreter itself: %s",
			shim, i.setting, clip(real, 500, 0))
	default:
		return real, nil
	}
}

// lookPath finds a command as a shell with that PATH does.
func lookPath(command, path string) (string, bool) {
	if strings.Contains(command, "/") {
		abs, err := filepath.Abs(command)
		return abs, err == nil && isExecutable(abs)
	}
	for _, dir := range filepath.SplitList(path) {
		if file := filepath.Join(dir, command); filepath.IsAbs(file) && isExecutable(file) {
			return file, true
		}
	}
	return "", false
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

func isScript(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	magic := make([]byte, 2)
	n, _ := f.Read(magic)
	return n == 2 && string(magic) == "#!"
}
