package walk

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/attune-automation/sensors/internal/runner/filewatch/glob"
)

// readNames is how many names are read from a folder at once.
const readNames = 1024

// visit is one walk.
type visit struct {
	*Walker
	ctx     context.Context //nolint:containedctx // it lives as long as the walk
	pattern glob.Pattern
	path    []byte // of the folder that is being visited
	above   []File // folders from the base to it
	folders int
	result  Result
}

// child is a folder that is still to be visited.
type child struct {
	name string
	at   glob.Place
}

func parent(path string) string { return filepath.Dir(path) }

// folder visits the folder at v.path. It is closed before those in it are visited, so that depth costs no descriptors.
func (v *visit) folder(at glob.Place, base bool) error {
	path := string(v.path)
	if v.folders++; v.folders > v.MaxDirs {
		return ErrTooMany
	}
	if v.Folder != nil {
		v.Folder(path)
	}
	children, self, err := v.read(path, at, base)
	if err != nil || len(children) == 0 {
		return err
	}
	v.above = append(v.above, self)
	defer func() { v.above = v.above[:len(v.above)-1] }()
	length := len(v.path)
	for _, c := range children {
		v.enter(c.name)
		if err := v.folder(c.at, false); err != nil {
			return err
		}
		v.path = v.path[:length]
	}
	return nil
}

// read visits the files of a folder and returns the folders in which more may be.
func (v *visit) read(path string, at glob.Place, base bool) (children []child, self File, err error) {
	flags := unix.O_RDONLY | unix.O_DIRECTORY
	if !base && !v.Follow {
		flags |= unix.O_NOFOLLOW // it may have become a link
	}
	f, err := os.OpenFile(path, flags, 0)
	if err != nil {
		return nil, self, v.unlessGone(path, base, err)
	}
	defer func() { _ = f.Close() }()
	if self, _, err = Stat(f); err != nil {
		return nil, self, &Unreadable{path, err}
	}
	if slices.ContainsFunc(v.above, self.Same) {
		v.result.Loops = append(v.result.Loops, path)
		return nil, self, nil
	}
	n := 0
	for {
		if err := v.ctx.Err(); err != nil {
			return nil, self, err
		}
		entries, err := f.ReadDir(readNames)
		n += len(entries)
		for _, entry := range entries {
			c, err := v.entry(f, path, at, entry)
			if err != nil {
				return nil, self, err
			}
			if c.at != 0 {
				children = append(children, c)
			}
		}
		if errors.Is(err, io.EOF) || err == nil && len(entries) == 0 {
			break
		}
		if err != nil {
			return nil, self, v.unlessGone(path, base, err)
		}
	}
	if n == 0 {
		v.result.Empty[path] = self.Device
	}
	return children, self, nil
}

// unlessGone returns nil if a folder vanished after its name was read, or is none any more.
func (v *visit) unlessGone(path string, base bool, err error) error {
	gone := errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP)
	if gone && !base {
		return nil
	}
	return &Unreadable{path, err}
}

// entry looks at one name of a folder. It returns the folder that is to be visited, if it is one.
func (v *visit) entry(f *os.File, folder string, at glob.Place, entry fs.DirEntry) (child, error) {
	name, kind := entry.Name(), entry.Type()
	link := kind&fs.ModeSymlink != 0
	switch {
	case link && !v.Follow:
		v.result.Links++
		return child{}, nil
	case !link && kind&fs.ModeIrregular == 0 && kind.IsDir():
		return v.child(folder, at, name), nil
	case !link && kind&fs.ModeIrregular == 0 && !kind.IsRegular():
		return child{}, nil // a pipe, a socket, a device
	}
	length := len(v.path)
	defer func() { v.path = v.path[:length] }()
	v.enter(name)
	known := v.Known != nil && v.Known(v.path)
	if !known && !link && !v.matches(folder, at, name) {
		return child{}, nil
	}
	st, err := v.stat(f, name, link)
	switch {
	case err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return v.child(folder, at, name), nil
	case err == nil && st.Mode&unix.S_IFMT == unix.S_IFREG:
		if known || v.matches(folder, at, name) {
			v.File(v.path, fileOf(&st))
		}
		return child{}, nil
	case errors.Is(err, unix.ELOOP):
		v.result.Loops = append(v.result.Loops, string(v.path))
		return child{}, nil
	case err == nil || errors.Is(err, unix.ENOENT):
		return child{}, nil // it is gone, or a link that leads nowhere
	}
	return child{}, &Unreadable{string(v.path), err}
}

func (v *visit) matches(folder string, at glob.Place, name string) bool {
	return v.pattern.Match(at, name) && !v.Ignore.Match(folder, name)
}

func (v *visit) stat(f *os.File, name string, follow bool) (st unix.Stat_t, err error) {
	flags := unix.AT_SYMLINK_NOFOLLOW
	if follow {
		flags = 0
	}
	err = retry(func() error { return unix.Fstatat(int(f.Fd()), name, &st, flags) })
	return st, err
}

func (v *visit) child(folder string, at glob.Place, name string) child {
	if v.Ignore.Match(folder, name) {
		return child{}
	}
	return child{name: name, at: v.pattern.Enter(at, name)}
}

// enter appends a name to the path.
func (v *visit) enter(name string) {
	if v.path[len(v.path)-1] != '/' {
		v.path = append(v.path, '/')
	}
	v.path = append(v.path, name...)
}
