package process

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// maxUnpacked bounds what a pack takes on disk, so that a small archive can't fill it.
const maxUnpacked = 1 << 30

// packCache keeps packs unpacked, a folder for each digest. Processes may share its folder.
type packCache struct {
	dir      string
	archives Archives
	mu       sync.Mutex // one download and unpacking at a time
}

// folder returns where the files of the pack are.
func (c *packCache) folder(ctx context.Context, digest string) (string, error) {
	if sum, err := hex.DecodeString(digest); err != nil || len(sum) != sha256.Size {
		return "", fmt.Errorf("pack digest %q is not a SHA-256 in hex", digest)
	}
	dir := filepath.Join(c.dir, digest)
	if isDir(dir) {
		return dir, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if isDir(dir) {
		return dir, nil
	}
	archive, err := c.archives.PackArchive(ctx, digest)
	if err != nil {
		return "", fmt.Errorf("reading pack archive %s: %w", digest, err)
	}
	if sum := sha256.Sum256(archive); hex.EncodeToString(sum[:]) != digest {
		return "", fmt.Errorf("pack archive %s is damaged: its SHA-256 is %x; apply the pack again", digest, sum)
	}
	err = install(dir, func(tmp string) error { return unpack(archive, tmp) })
	if err != nil {
		return "", fmt.Errorf("unpacking pack archive %s: %w", digest, err)
	}
	return dir, nil
}

// install makes a folder appear with all of its files or not at all, whoever else does the same at the same time.
func install(dir string, fill func(tmp string) error) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), ".new-")
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

func unpack(archive []byte, dir string) error {
	zipped, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return err
	}
	files := tar.NewReader(zipped)
	for total := int64(0); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if total += header.Size; total > maxUnpacked {
			return fmt.Errorf("more than %d bytes", maxUnpacked)
		}
		if err := unpackOne(dir, header, files); err != nil {
			return fmt.Errorf("%q: %w", header.Name, err)
		}
	}
}

func unpackOne(dir string, header *tar.Header, content io.Reader) error {
	name := filepath.FromSlash(header.Name)
	if !filepath.IsLocal(name) {
		return errors.New("leaves the pack's folder")
	}
	path := filepath.Join(dir, name)
	switch header.Typeflag {
	case tar.TypeDir:
		return os.MkdirAll(path, 0o755)
	case tar.TypeReg:
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		return writeReadOnly(path, content, header.FileInfo().Mode()&0o111 != 0)
	default:
		return errors.New("is neither a file nor a folder")
	}
}

// writeReadOnly writes a file that nobody is to change, and keeps forks away meanwhile: a child that inherits the open
// file until its exec makes another child's exec of that file fail (ETXTBSY).
func writeReadOnly(path string, content io.Reader, executable bool) error {
	mode := os.FileMode(0o444)
	if executable {
		mode = 0o555
	}
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close())
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
