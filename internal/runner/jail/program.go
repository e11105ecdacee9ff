package jail

import (
	"bytes"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// checkProgram finds out what exec would refuse: in bwrap nobody tells us.
func checkProgram(path string) error {
	fail := func(err error) error { return &os.PathError{Op: "exec", Path: path, Err: err} }
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fail(unix.EACCES)
	}
	if err := unix.Access(path, unix.X_OK); err != nil {
		return fail(err)
	}
	head, err := readHead(path)
	switch {
	case err != nil:
		return nil // it may well be executed without being readable
	case bytes.HasPrefix(head, []byte("#!")):
		words := bytes.FieldsFunc(firstLine(head[2:]), func(r rune) bool { return r == ' ' || r == '\t' }) // as the kernel does
		if len(words) == 0 {
			return fail(unix.ENOEXEC)
		}
		if _, err := os.Stat(string(words[0])); err != nil {
			return fail(unix.ENOENT)
		}
		return nil
	case bytes.HasPrefix(head, []byte("\x7fELF")), hasEmulators():
		return nil
	}
	return fail(unix.ENOEXEC) // bwrap would have a shell run it
}

// readHead returns as much as the kernel looks at.
func readHead(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, 256)
	n, err := io.ReadFull(f, head)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return head[:n], err
}

func firstLine(text []byte) []byte {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return line
}

// hasEmulators says whether the kernel knows programs for other formats than its own.
func hasEmulators() bool {
	entries, _ := os.ReadDir("/proc/sys/fs/binfmt_misc")
	return len(entries) > 2 // register and status
}
