package jail

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// memoryFiles counts files that are nowhere but in memory, and that do not show in the memory of the processes that fill
// them: those of memfd_create and of /dev/shm that a process has open, and a sandbox's own folders.
type memoryFiles struct {
	devices []uint64 // of file systems that open files count of
}

// newMemoryFiles finds out on which device the kernel keeps the files of memfd_create.
func newMemoryFiles() (memoryFiles, error) {
	fd, err := unix.MemfdCreate("probe", unix.MFD_CLOEXEC)
	if err != nil {
		return memoryFiles{}, fmt.Errorf("making a file in memory: %w", err)
	}
	defer unix.Close(fd)
	var info unix.Stat_t
	if err := unix.Fstat(fd, &info); err != nil {
		return memoryFiles{}, fmt.Errorf("looking at a file in memory: %w", err)
	}
	files := memoryFiles{devices: []uint64{info.Dev}}
	if err := unix.Stat("/dev/shm", &info); err == nil {
		files.devices = append(files.devices, info.Dev)
	}
	return files, nil
}

// open adds the bytes of files that a process has open, by their inodes: processes share them. What cannot be looked at
// is not counted, see docs/packs.md.
func (m memoryFiles) open(proc *procfs, pid int, found map[[2]uint64]int64) {
	fd, err := unix.Openat(proc.fd, strconv.Itoa(pid)+"/fd", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	dir := os.NewFile(uintptr(fd), "fd")
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		var info unix.Stat_t
		if unix.Fstatat(fd, name, &info, 0) != nil {
			continue
		}
		for _, device := range m.devices {
			if info.Dev == device {
				found[[2]uint64{info.Dev, info.Ino}] = info.Blocks * 512
			}
		}
	}
}

// folder is a folder in memory, as large as what is in it.
type folder struct{ file *os.File }

// openFolders opens folders of a sandbox by the number of a process in it. None that is gone already is an error.
func openFolders(pid int, paths ...string) ([]folder, error) {
	var all []folder
	for _, path := range paths {
		fd, err := unix.Open(fmt.Sprintf("/proc/%d/root%s", pid, path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
			break
		}
		if err != nil {
			for _, f := range all {
				f.close()
			}
			return nil, fmt.Errorf("looking at %s of the sandbox: %w", path, err)
		}
		all = append(all, folder{os.NewFile(uintptr(fd), path)})
	}
	return all, nil
}

func (f folder) bytes() int64 {
	conn, err := f.file.SyscallConn()
	if err != nil {
		return 0
	}
	var info unix.Statfs_t
	_ = conn.Control(func(fd uintptr) { err = unix.Fstatfs(int(fd), &info) })
	if err != nil {
		return 0
	}
	return int64(info.Blocks-info.Bfree) * info.Bsize
}

func (f folder) close() { _ = f.file.Close() }
