// Package walk visits the files that patterns name. It tells apart what is not there from what cannot be seen: a folder
// that cannot be read ends the walk with an *Unreadable, so that nobody takes its files for deleted.
package walk

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/attune-automation/sensors/internal/runner/filewatch/glob"
)

// File is what a file system says of a file. Two of the same device and inode are one file, at least while it exists.
type File struct {
	Size          int64
	Modified      int64 // nanoseconds since 1970
	Changed       int64 // the same, of the last change of content or metadata
	Device, Inode uint64
}

// Same says whether two are the same file, under whatever names.
func (f File) Same(other File) bool { return f.Device == other.Device && f.Inode == other.Inode }

// fileOf reads what the kernel says.
func fileOf(st *unix.Stat_t) File {
	return File{
		Size: st.Size, Modified: st.Mtim.Nano(), Changed: st.Ctim.Nano(),
		Device: uint64(st.Dev), Inode: st.Ino, //nolint:unconvert // its type depends on the system
	}
}

// Stat returns what the file system says of a file that is open.
func Stat(f *os.File) (file File, regular bool, err error) {
	var st unix.Stat_t
	err = retry(func() error { return unix.Fstat(int(f.Fd()), &st) })
	return fileOf(&st), st.Mode&unix.S_IFMT == unix.S_IFREG, err
}

// Lstat returns what the file system says of a path; of a symbolic link itself.
func Lstat(path string) (file File, regular bool, err error) {
	var st unix.Stat_t
	err = retry(func() error { return unix.Lstat(path, &st) })
	return fileOf(&st), st.Mode&unix.S_IFMT == unix.S_IFREG, err
}

// Unreadable is a file or folder that cannot be seen.
type Unreadable struct {
	Path string
	Err  error
}

// Error says what cannot be seen, and what to do.
func (u *Unreadable) Error() string {
	return fmt.Sprintf("%s cannot be read: %s", glob.Printable(u.Path), u.remedy())
}

// Unwrap returns why.
func (u *Unreadable) Unwrap() error { return u.Err }

func (u *Unreadable) remedy() string {
	reason := u.Err.Error()
	if number, ok := errors.AsType[unix.Errno](u.Err); ok {
		reason = number.Error()
	}
	switch {
	case errors.Is(u.Err, unix.ENOENT):
		return "it does not exist: correct the path, or make the folder; if it is on a mount, mount it"
	case errors.Is(u.Err, unix.EACCES), errors.Is(u.Err, unix.EPERM):
		return fmt.Sprintf("%s: let the user of the worker (ID %d) read it, or leave it out by `ignore`", reason, os.Getuid())
	case errors.Is(u.Err, unix.ELOOP):
		return "it is a loop of symbolic links"
	case errors.Is(u.Err, unix.ENOTDIR):
		return "it is not a folder"
	}
	return reason
}

// Walker visits files. Its functions get paths that are valid until they return.
type Walker struct {
	Patterns []glob.Pattern
	Ignore   glob.Ignore
	Follow   bool // symbolic links below the base of a pattern
	MaxDirs  int  // how many folders a walk visits at most

	// Folder is called for each folder before it is read, with its path.
	Folder func(path string)
	// Known says that a path is a match, which saves the comparison; nil: of none is it known.
	Known func(path []byte) bool
	// File is called for each regular file that matches, by each pattern that it matches.
	File func(path []byte, file File)
}

// Result is what a walk has seen besides files.
type Result struct {
	Empty  map[string]uint64 // folders with nothing in them, and the devices that they are on
	Loops  []string          // symbolic links that lead back to a folder above them, or to themselves; they were not followed
	Absent []glob.Pattern    // plain ones that are neither file nor folder
	Links  int               // symbolic links that were not followed since Follow is false
}

// ErrTooMany says that there are more folders than MaxDirs.
var ErrTooMany = errors.New("too many folders")

// Walk visits the files of all patterns. What vanishes meanwhile is left out. Its error is ctx's, an *Unreadable or
// ErrTooMany.
func (w *Walker) Walk(ctx context.Context) (Result, error) {
	v := visit{Walker: w, ctx: ctx, result: Result{Empty: map[string]uint64{}}}
	for _, p := range w.Patterns {
		if err := v.begin(p); err != nil {
			return Result{}, err
		}
	}
	return v.result, nil
}

// begin visits the files of one pattern.
func (v *visit) begin(p glob.Pattern) error {
	base := p.Base()
	var st unix.Stat_t
	err := retry(func() error { return unix.Stat(base, &st) })
	switch {
	case err != nil && errors.Is(err, unix.ENOENT) && p.Plain() && !p.Folder():
		return v.absent(p)
	case err != nil:
		return &Unreadable{base, err}
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		v.pattern, v.path = p, append(v.path[:0], base...)
		return v.folder(p.Start(), true)
	case !p.Plain() || p.Folder():
		return &Unreadable{base, unix.ENOTDIR}
	case st.Mode&unix.S_IFMT == unix.S_IFREG:
		if v.Folder != nil {
			v.Folder(parent(base))
		}
		v.File([]byte(base), fileOf(&st))
		return nil
	}
	return v.absent(p)
}

// absent notes a file that is not there, whose folder must be.
func (v *visit) absent(p glob.Pattern) error {
	folder := parent(p.Base())
	var st unix.Stat_t
	if err := retry(func() error { return unix.Stat(folder, &st) }); err != nil {
		return &Unreadable{folder, err}
	}
	if v.Folder != nil {
		v.Folder(folder)
	}
	v.result.Absent = append(v.result.Absent, p)
	return nil
}

// retry repeats what a signal interrupted.
func retry(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
