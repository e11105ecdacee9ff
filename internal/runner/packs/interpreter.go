package packs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// askTimeout is how long an interpreter, or the version manager that starts it, may take to say what it is.
const askTimeout = 10 * time.Second

// interpreter is what runs the code of one runtime.
type interpreter struct {
	command  string   // as configured
	setting  string   // where
	name     string   // for people
	oldest   string   // version that the SDK works with
	path     string   // PATH on which command is looked up
	question []string // arguments that make it print four lines: see answer

	mu    sync.Mutex
	known map[string]answer // by the file that is found
}

// answer is what an interpreter says of itself.
type answer struct {
	file     string   // the interpreter itself
	version  string   // such as 3.11
	identity string   // changes when installed packages must be built anew
	folders  []string // that it must be able to read
	asked    stamp    // of the file that was found
}

func newPython(command, path string) *interpreter {
	return &interpreter{
		command: command, setting: "runtime.python", name: "Python", oldest: "3.9", path: path, known: map[string]answer{},
		question: []string{"-I", "-c", `
import os, sys, sysconfig
print(sys.executable)
print("%d.%d" % sys.version_info[:2])
print(sys.implementation.cache_tag, sysconfig.get_config_var("SOABI"), sysconfig.get_platform(), sys.executable)
print(os.pathsep.join([sys.prefix, sys.base_prefix]))
`},
	}
}

func newNode(command, path string) *interpreter {
	return &interpreter{
		command: command, setting: "runtime.node", name: "Node.js", oldest: "18.0", path: path, known: map[string]answer{},
		question: []string{"-e", `
console.log(process.execPath);
console.log(process.versions.node.split(".").slice(0, 2).join("."));
console.log("node", process.versions.modules, process.platform, process.arch);
console.log(require("path").dirname(process.execPath));
`},
	}
}

// find returns the interpreter's file. What version managers put on PATH is a script that looks for the interpreter each
// time, which takes longer than a poll: it is asked once, as long as it stays the same file.
func (i *interpreter) find(ctx context.Context) (answer, error) {
	found, ok := lookPath(i.command, i.path)
	if !ok {
		return answer{}, startFault("interpreter %q is not there: install it on the worker's machine or set %s (PATH is %s, runtime.path)",
			i.command, i.setting, i.path)
	}
	now := stampOf(found)
	i.mu.Lock()
	defer i.mu.Unlock()
	if a, ok := i.known[found]; ok && a.asked == now && isExecutable(a.file) {
		return a, nil
	}
	a, err := i.ask(ctx, found)
	if err != nil {
		return answer{}, err
	}
	a.asked = now
	i.known[found] = a
	return a, nil
}

func (i *interpreter) ask(ctx context.Context, found string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var out, log bytes.Buffer
	cmd := exec.CommandContext(ctx, found, i.question...)
	cmd.Env = []string{"PATH=" + i.path, "LANG=C.UTF-8", "HOME=" + os.Getenv("HOME")} // version managers look there
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = &out, &log
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if ctx.Err() != nil {
		return answer{}, fmt.Errorf("asking %s which interpreter it starts: %w", found, ctx.Err())
	}
	if errors.Is(err, syscall.ETXTBSY) || errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.ENOMEM) {
		return answer{}, fmt.Errorf("starting %s: %w", found, err)
	}
	a, ok := i.parse(out.String())
	if err != nil || !ok {
		return answer{}, startFault("%s does not start %s: correct it or set %s to the interpreter itself: %s",
			found, i.name, i.setting, lastLines(log.String()+out.String()))
	}
	if !isScript(found) {
		a.file = found // as configured, not what it may be a link to
	}
	if older(a.version, i.oldest) {
		return answer{}, startFault("%s is %s %s: sensors need %s or newer; install it on the worker's machine and set %s to it",
			a.file, i.name, a.version, i.oldest, i.setting)
	}
	return a, nil
}

func (i *interpreter) parse(out string) (answer, bool) {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 4 || !isExecutable(lines[0]) {
		return answer{}, false
	}
	a := answer{file: lines[0], version: lines[1], identity: lines[2]}
	for _, folder := range filepath.SplitList(lines[3]) {
		// Who sees the root sees everything: that is no folder of the interpreter.
		if folder = filepath.Clean(folder); filepath.IsAbs(folder) && folder != "/" && !slices.Contains(a.folders, folder) {
			a.folders = append(a.folders, folder)
		}
	}
	return a, true
}

// older says whether version a, two numbers with a dot between them, comes before b.
func older(a, b string) bool {
	majorA, minorA, _ := strings.Cut(a, ".")
	majorB, minorB, _ := strings.Cut(b, ".")
	if x, y := number(majorA), number(majorB); x != y {
		return x < y
	}
	return number(minorA) < number(minorB)
}

func number(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}
