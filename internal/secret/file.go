package secret

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// read returns the content of a secret's file. It follows symbolic links, by which Kubernetes replaces all files of a
// folder at once, but never out of the folder.
func (s *Source) read(name string) (string, error) {
	root, err := os.OpenRoot(s.directory)
	if errors.Is(err, fs.ErrNotExist) {
		return "", s.missing(name)
	}
	if err != nil {
		return "", fmt.Errorf("secret %q cannot be read from secret.directory: %w", name, err)
	}
	defer func() { _ = root.Close() }()
	// A named pipe would block a poll for ever.
	file, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return "", s.missing(name)
	}
	if err != nil {
		return "", fmt.Errorf("secret %q cannot be read from secret.directory: %w", name, err)
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err != nil {
		return "", fmt.Errorf("secret %q cannot be read from %s: %w", name, s.directory, err)
	}
	content, err := io.ReadAll(io.LimitReader(file, maxValue+int64(len("\r\n"))+1))
	if err != nil {
		return "", fmt.Errorf("secret %q cannot be read from %s: %w", name, s.directory, err)
	}
	value, ended := strings.CutSuffix(string(content), "\n")
	if ended {
		value = strings.TrimSuffix(value, "\r")
	}
	return value, nil
}
