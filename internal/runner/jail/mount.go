package jail

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	sandboxTemp   = "/tmp"
	sandboxShared = "/dev/shm"
	sandboxRun    = "/run" // the sockets of the machine's services are there
	// minTemp is how much fits into a sandbox's /tmp at least, and the same again into /dev/shm.
	minTemp = 64 << 20
)

// mount is one of bwrap's operations on a path of the sandbox.
type mount struct {
	path  string   // without symbolic links, but for the last name of a link
	args  []string // of bwrap
	cover bool     // it hides what is there; otherwise it shows that
	sure  bool     // it is needed even where what is there can be seen
	seal  bool     // to be made read-only when all is mounted
}

// mounts returns bwrap's arguments for what the program sees: the machine's file system, read-only and without what is
// hidden.
func (j *Jail) mounts(cmd Command) ([]string, error) {
	size := j.bwrap.tempSize(cmd.Limits.Memory)
	// Root may write to /proc/sys without any capability, which bwrap does not prevent in a user namespace.
	args := slices.Concat([]string{"--ro-bind", "/", "/", "--dev", "/dev"}, size, []string{"--tmpfs", sandboxShared, "--remount-ro", "/dev"},
		[]string{"--proc", "/proc", "--remount-ro", "/proc"}, size, []string{"--tmpfs", sandboxTemp})
	all := []mount{{path: "/dev", cover: true}, {path: "/proc", cover: true}, {path: sandboxTemp, cover: true}}

	hidden, err := hide(j.hidden)
	if err != nil {
		return nil, err
	}
	shown, err := show(cmd)
	if err != nil {
		return nil, err
	}
	all = needed(slices.Concat(all, hidden, shown))
	for _, path := range []string{cmd.Path, cmd.Dir} {
		if path != sandboxTemp && isHidden(path, all) {
			return nil, fmt.Errorf("%s is hidden from the program that needs it", path)
		}
	}
	var seals []string
	for _, m := range all {
		args = append(args, m.args...)
		if m.seal {
			seals = append(seals, "--remount-ro", m.path)
		}
	}
	return append(args, seals...), nil
}

// needed sorts the operations so that what is below something comes after it, and what is shown after what hides it. It
// leaves out what would not change anything.
func needed(all []mount) []mount {
	slices.SortStableFunc(all, func(a, b mount) int {
		switch {
		case a.path != b.path || a.cover == b.cover:
			return cmp.Compare(a.path, b.path)
		case a.cover:
			return -1
		}
		return 1
	})
	var kept []mount
	for _, m := range all {
		if m.cover != isHidden(m.path, kept) || m.sure {
			kept = append(kept, m)
		}
	}
	return kept
}

// isHidden says whether the operations, in their order, hide what is at the path.
func isHidden(path string, all []mount) bool {
	above := mount{}
	for _, m := range all {
		if within(path, m.path) && len(m.path) >= len(above.path) {
			above = m
		}
	}
	return above.cover
}

// hide covers files and folders. Those that the worker itself may not look at, its programs may not either.
func hide(paths []string) ([]mount, error) {
	var all []mount
	for _, path := range paths {
		real, err := filepath.EvalSymlinks(path)
		var info os.FileInfo
		if err == nil {
			info, err = os.Stat(real)
		}
		switch {
		case errors.Is(err, os.ErrNotExist), errors.Is(err, os.ErrPermission):
		case err != nil:
			return nil, fmt.Errorf("hiding a path from programs: %w", err)
		case info.IsDir():
			all = append(all, mount{path: real, args: []string{"--tmpfs", real}, cover: true, seal: true})
		default:
			all = append(all, mount{path: real, args: []string{"--ro-bind", "/dev/null", real}, cover: true})
		}
	}
	return all, nil
}

// show mounts what the program must see, with the symbolic links on the way to it.
func show(cmd Command) ([]mount, error) {
	visible := cmd.Visible
	if cmd.Network {
		visible = append(slices.Clone(visible), resolver()...)
	}
	var all []mount
	for _, part := range []struct {
		option string
		paths  []string
	}{{"--ro-bind", visible}, {"--bind", cmd.Writable}} {
		for _, path := range part.paths {
			real, links, err := walk(path)
			if err != nil {
				return nil, fmt.Errorf("showing a path to the program: %w", err)
			}
			all = append(append(all, links...), mount{path: real, args: []string{part.option, real, real}, sure: part.option == "--bind"})
		}
	}
	return all, nil
}

// maxLinks is how many symbolic links the kernel follows in a path.
const maxLinks = 40

// walk returns where a path really is, and the symbolic links on the way.
func walk(path string) (real string, links []mount, err error) {
	rest := strings.Split(path, "/")
	for real = "/"; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		next := filepath.Join(real, name) // real has no links: .. means what it says
		info, err := os.Lstat(next)
		if err != nil {
			return "", nil, err
		}
		if info.Mode()&os.ModeSymlink == 0 {
			real = next
			continue
		}
		target, err := os.Readlink(next)
		if err != nil {
			return "", nil, err
		}
		if links = append(links, mount{path: next, args: []string{"--symlink", target, next}}); len(links) > maxLinks {
			return "", nil, fmt.Errorf("%s: too many symbolic links", path)
		}
		if filepath.IsAbs(target) {
			real = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return real, links, nil
}

// resolver returns the folders below /run that name resolution needs.
func resolver() []string {
	var folders []string
	for _, path := range []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"} {
		if real, err := filepath.EvalSymlinks(path); err == nil && within(real, sandboxRun) {
			folders = append(folders, filepath.Dir(real))
		}
	}
	return folders
}

// within says whether a path is the folder or below it.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

func (b *bwrap) tempSize(memory int64) []string {
	if memory <= 0 || !b.sizes {
		return nil
	}
	return []string{"--size", strconv.FormatInt(max(memory, minTemp), 10)}
}
