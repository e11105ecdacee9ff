package packs

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// stamp changes when a file does.
type stamp struct {
	device, inode  uint64
	size, modified int64 // bytes, ns
}

func stampOf(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	s := stamp{size: info.Size(), modified: info.ModTime().UnixNano()}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		s.device, s.inode = uint64(stat.Dev), stat.Ino
	}
	return s
}

// lookPath finds a command as a shell with that PATH does.
func lookPath(command, path string) (string, bool) {
	if strings.Contains(command, "/") {
		abs, err := filepath.Abs(command)
		return abs, err == nil && isExecutable(abs)
	}
	for _, dir := range filepath.SplitList(path) {
		if file := filepath.Join(dir, command); filepath.IsAbs(file) && isExecutable(file) {
			return file, true
		}
	}
	return "", false
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

func isScript(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	magic := make([]byte, 2)
	n, _ := f.Read(magic)
	return n == 2 && string(magic) == "#!"
}
