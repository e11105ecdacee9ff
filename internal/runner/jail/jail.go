// Package jail starts programs of sensors, contains them, limits what they take, and ends them with all that they
// started. With bubblewrap (bwrap) a program has a PID namespace of its own and sees the file system read-only; without
// it, its processes are found by a mark that they inherit and cannot lose by accident. It needs 64-bit Linux.
//
// A process that makes a Jail becomes a child subreaper: orphans of all of its children, sensors or not, become its own.
package jail

import (
	"go.uber.org/zap"
)

// Mode says what contains a program.
type Mode string

// The modes. Empty means ModeAuto.
const (
	ModeAuto  Mode = "auto"  // bwrap where it works, else none
	ModeBwrap Mode = "bwrap" // bwrap, or not at all
	ModeNone  Mode = "none"  // limits and a clean end only
)

// Config says how programs are contained.
type Config struct {
	Mode   Mode     // default ModeAuto
	Bwrap  string   // the bwrap command, on PATH or a path; default bwrap
	Hidden []string // files and folders that programs in bwrap must not see. Prefer folders: a file that is replaced appears again. What does not exist when a program starts is not hidden from it.
	Temp   string   // folder for the programs' temporary folders where there is no bwrap; default: that of the system
	Logger *zap.Logger
}
