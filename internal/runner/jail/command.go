package jail

import (
	"os"
	"time"
)

// Command is a program to start.
type Command struct {
	Path string   // absolute, of the program
	Args []string // its arguments, its name first
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
	Memory    int64 // bytes in memory; shared ones count once
	OpenFiles int   // of each process
	Processes int   // at one time; threads don't count
}
