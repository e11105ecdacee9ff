package packs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// copyOf returns the folder with the files of the pack. With a key, its node_modules is that of those dependencies. The
// link is there from the beginning, so nobody sees a copy that changes.
func (c *Cache) copyOf(ctx context.Context, digest, key string) (string, error) {
	if sum, err := hex.DecodeString(digest); err != nil || len(sum) != sha256.Size {
		return "", fmt.Errorf("pack digest %q is not a SHA-256 in hex", digest)
	}
	dir, link := filepath.Join(c.packs, digest), ""
	if key != "" {
		dir, link = dir+"-"+key, filepath.Join("..", "..", "deps", key, current, "src", "node_modules")
	}
	if ok, err := c.uses.use(dir); ok || err != nil {
		return dir, err
	}
	c.unpacking.Lock()
	defer c.unpacking.Unlock()
	if ok, err := c.uses.use(dir); ok || err != nil {
		return dir, err
	}
	archive, err := c.archives.PackArchive(ctx, digest)
	if err != nil {
		return "", fmt.Errorf("reading pack archive %s: %w", digest, err)
	}
	if sum := sha256.Sum256(archive); hex.EncodeToString(sum[:]) != digest {
		return "", fmt.Errorf("pack archive %s is damaged: its SHA-256 is %x; apply the pack again", digest, sum)
	}
	err = appear(dir, func(tmp string) error {
		if err := unpack(archive, tmp); err != nil || link == "" {
			return err
		}
		return os.Symlink(link, filepath.Join(tmp, "node_modules"))
	})
	if err != nil {
		return "", fmt.Errorf("unpacking pack archive %s: %w", digest, err)
	}
	_, err = c.uses.use(dir)
	return dir, err
}

// appear makes a folder appear with all of its files or not at all, whoever else does the same at the same time.
func appear(dir string, fill func(tmp string) error) error {
	if err := prepareFolder(filepath.Dir(dir)); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), leftover)
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	if err := fill(tmp); err != nil {
		return err
	}
	if err := os.Rename(tmp, dir); err != nil && !isDir(dir) {
		return err
	}
	return nil
}

// prepareFolder makes the folder unless it is there, and says whether it can be trusted.
func prepareFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	_, err := ours(dir)
	return err
}

// ours says whether the folder is there. One that somebody else owns or may write to is an error: its code would run with
// the rights of this worker.
func ours(dir string) (bool, error) {
	info, err := os.Lstat(dir)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir():
		return false, fmt.Errorf("%s is no folder: remove it", dir)
	case ok && int(stat.Uid) != os.Geteuid():
		return false, fmt.Errorf("%s belongs to user %d and this worker runs as user %d: remove it, or set worker.cache_dir to a folder of this user alone",
			dir, stat.Uid, os.Geteuid())
	case info.Mode()&0o022 != 0:
		return false, fmt.Errorf("%s can be written to by other users (its mode is %#o): remove it, or set worker.cache_dir to a folder of this user alone",
			dir, info.Mode().Perm())
	}
	return true, nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
