package jail

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Command is a program to start.
type Command struct {
	Path string   // absolute, of the program
	Args []string // its arguments, its name first; in bwrap its name is always Path
	// Env is all of its environment but for HOME, TMPDIR and PWD, which Start sets: the first two to a private
	// temporary folder, which is gone with the program, PWD to Dir.
	Env      []string
	Dir      string     // absolute, where it starts
	Files    []*os.File // its descriptors 0, 1, ...; it gets no others. Start does not close them
	Visible  []string   // files and folders that it must see, read-only, though they are below hidden ones or below /tmp or /run
	Writable []string   // like Visible, and it may write there; the only such places in bwrap but for its temporary folder
	Network  bool       // without, it must have bwrap, and reaches nothing but itself
	Mode     Mode       // what the sensor wishes. ModeNone is granted only where Config.Mode is ModeAuto, else it gets bwrap
	Limits   Limits
}

// Limits bound what a program and all that it starts take together, but for OpenFiles. Zero values are no limit.
type Limits struct {
	CPU       time.Duration
	Memory    int64 // bytes in memory, with files that are only there; shared ones count once
	OpenFiles int   // of each process
	Processes int   // at one time; threads count by themselves, see LimitThreads
}

// any says whether there is anything that the sampler has to watch.
func (l Limits) any() bool { return l.CPU > 0 || l.Memory > 0 || l.Processes > 0 }

func (c Command) validate() error {
	for _, path := range slices.Concat([]string{c.Path, c.Dir}, c.Visible, c.Writable) {
		if !filepath.IsAbs(path) {
			return fmt.Errorf("path %q of the program, its folder or what it sees is not absolute", path)
		}
	}
	if len(c.Args) == 0 {
		return errors.New("no Args: the first is the program's name")
	}
	if len(c.Files) < 3 {
		return fmt.Errorf("%d Files: a program has at least its input, output and error output", len(c.Files))
	}
	switch c.Mode {
	case "", ModeAuto, ModeBwrap, ModeNone:
		return nil
	}
	return fmt.Errorf("sandbox %q: must be auto, bwrap or none", c.Mode)
}

// environment returns what the program has in its environment.
func (c Command) environment(temp string) []string {
	env := slices.DeleteFunc(slices.Clone(c.Env), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return name == "HOME" || name == "TMPDIR" || name == "PWD"
	})
	return append(env, "HOME="+temp, "TMPDIR="+temp, "PWD="+c.Dir)
}
