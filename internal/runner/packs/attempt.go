package packs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/attune-automation/sensors/internal/sensor"
)

// attempt installs in a new folder below dir, which the caller has locked, and makes that the current one: the packages
// are where they stay from the beginning, because a virtual environment can't be moved.
func (i *installer) attempt(ctx context.Context, p *plan, dir string) (err error) {
	if err := clearFolder(dir); err != nil {
		return err
	}
	folder, err := os.MkdirTemp(dir, "try-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(folder))
		}
	}()
	if err := os.Chmod(folder, 0o755); err != nil {
		return err
	}
	if err := stage(p, filepath.Join(folder, "src")); err != nil {
		return fmt.Errorf("copying the pack's files: %w", err)
	}
	if p.runtime == sensor.RuntimeNode {
		err = i.installNode(ctx, p, folder)
	} else {
		err = i.installPython(ctx, p, folder)
	}
	if err != nil {
		return err
	}
	if err := seal(folder); err != nil {
		return fmt.Errorf("making the installed files read-only: %w", err)
	}
	return publish(folder)
}

// publish makes the folder the current one, once all that is in it would survive the machine's power.
func publish(folder string) error {
	dir, err := os.Open(filepath.Dir(folder))
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := unix.Syncfs(int(dir.Fd())); err != nil {
		return fmt.Errorf("writing to disk: %w", err)
	}
	link := filepath.Join(filepath.Dir(folder), current)
	if err := os.Symlink(filepath.Base(folder), link); err != nil {
		return err
	}
	return dir.Sync()
}

// clearFolder removes what attempts that were killed left behind, and what somebody left of the current one.
func clearFolder(dir string) error {
	if err := os.Remove(filepath.Join(dir, current)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	left, err := filepath.Glob(filepath.Join(dir, "try-*"))
	for _, folder := range left {
		_ = os.RemoveAll(folder) // a program that is still writing there is in nobody's way
	}
	return err
}

// stage gives the installer copies of the pack's files that it may change.
func stage(p *plan, to string) error {
	if p.whole {
		return os.CopyFS(to, os.DirFS(p.pack))
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, name := range p.files {
		content, err := os.ReadFile(filepath.Join(p.pack, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// seal makes files read-only, and folders writable for this user alone.
func seal(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() && !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		mode := info.Mode() &^ 0o222
		if entry.IsDir() {
			mode = info.Mode() &^ 0o022
		}
		if mode == info.Mode() {
			return nil
		}
		return os.Chmod(path, mode)
	})
}
