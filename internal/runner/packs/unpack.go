package packs

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// maxUnpacked bounds what a pack takes on disk, so that a small archive can't fill it.
const maxUnpacked = 1 << 30

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
