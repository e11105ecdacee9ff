package jail

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// procfs is a mounted /proc: the worker's, or that of a sandbox, whose PIDs are its own.
type procfs struct {
	dir *os.File
	fd  int        // of dir
	mu  sync.Mutex // of the position in the folder
}

func openProcfs(path string) (*procfs, error) {
	dir, err := os.OpenFile(path, unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	return &procfs{dir: dir, fd: int(dir.Fd())}, nil
}

func (p *procfs) close() { _ = p.dir.Close() }

// each calls visit for all processes, in ascending order of their PIDs: one that is forked meanwhile comes later in it,
// unless the numbers start again.
func (p *procfs) each(visit func(pid int)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer runtime.KeepAlive(p)
	var buf [4 << 10]byte // small on purpose: while a fork bomb goes on, what is listed is to be visited soon
	if _, err := unix.Seek(p.fd, 0, 0); err != nil {
		return fmt.Errorf("listing processes: %w", err)
	}
	for {
		n, err := unix.Getdents(p.fd, buf[:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("listing processes: %w", err)
		}
		if n == 0 {
			return nil
		}
		for entry := buf[:n]; len(entry) > 0; {
			size := binary.NativeEndian.Uint16(entry[16:]) // struct linux_dirent64: ino 8, off 8, reclen 2, type 1, name
			if pid := direntPID(entry[19:size]); pid > 0 {
				visit(pid)
			}
			entry = entry[size:]
		}
	}
}

// processes returns how many processes there are on the machine, in all PID namespaces, zombies included: the links of
// /proc. It is how a fork bomb shows before it has grown.
func (p *procfs) processes() uint64 {
	defer runtime.KeepAlive(p)
	var info unix.Stat_t
	if err := unix.Fstat(p.fd, &info); err != nil {
		return 0
	}
	return uint64(info.Nlink) // it has 32 bits on some machines
}

// direntPID returns the number that a NUL-terminated name is, or 0.
func direntPID(name []byte) int {
	pid := 0
	for _, c := range name {
		if c == 0 {
			return pid
		}
		if c < '0' || c > '9' {
			return 0
		}
		pid = pid*10 + int(c-'0')
	}
	return pid
}

// read reads a small file of a process into buf.
func (p *procfs) read(pid int, file string, buf []byte) ([]byte, error) {
	defer runtime.KeepAlive(p)
	fd, err := unix.Openat(p.fd, strconv.Itoa(pid)+"/"+file, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	n, err := unix.Read(fd, buf)
	if err != nil {
		return nil, err
	}
	return buf[:n], nil
}

// stat is what /proc/PID/stat tells.
type stat struct {
	comm      string
	state     byte // Z: zombie
	parent    int
	cpu       time.Duration // its own, in steps of 10 ms
	reapedCPU time.Duration // of its children that are gone and were waited for
	threads   int
	start     uint64 // clock ticks since the machine started
	memory    int64  // bytes in memory, shared ones included
}

// tick is the unit of times in /proc, the same on all machines (USER_HZ).
const tick = time.Second / 100

func (p *procfs) stat(pid int) (stat, error) {
	var buf [1024]byte
	text, err := p.read(pid, "stat", buf[:])
	if err != nil {
		return stat{}, err
	}
	return parseStat(text)
}

// dead says whether a process is gone or a zombie.
func (p *procfs) dead(pid int) bool {
	s, err := p.stat(pid)
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) || err == nil && s.state == 'Z'
}

// parseStat parses "PID (COMM) STATE PARENT ...", see proc_pid_stat(5). COMM may hold anything.
func parseStat(text []byte) (stat, error) {
	begin, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if begin < 0 || end < begin {
		return stat{}, fmt.Errorf("unexpected process state %q", text)
	}
	fields := bytes.Fields(text[end+1:]) // the first is number 3 of the manual page
	if len(fields) < 22 {
		return stat{}, fmt.Errorf("unexpected process state %q", text)
	}
	var wrong error
	number := func(n int) int64 {
		v, err := strconv.ParseInt(string(fields[n-3]), 10, 64)
		wrong = errors.Join(wrong, err)
		return v
	}
	s := stat{
		comm:      string(text[begin+1 : end]),
		state:     fields[0][0],
		parent:    int(number(4)),
		cpu:       time.Duration(number(14)+number(15)) * tick,
		reapedCPU: time.Duration(number(16)+number(17)) * tick,
		threads:   int(number(20)),
		start:     uint64(number(22)),
		memory:    number(24) * int64(os.Getpagesize()),
	}
	return s, wrong
}

// proportional returns the bytes that a process has in memory, those that it shares with n others counted as 1/n, and how
// many of them are of files in memory or of what is shared without a file. Kernels before 5.4 do not tell these apart.
func (p *procfs) proportional(pid int) (all, shmem int64, err error) {
	if all, err = p.kilobytes(pid, "smaps_rollup", "Pss:"); err != nil {
		return 0, 0, err
	}
	shmem, _ = p.kilobytes(pid, "smaps_rollup", "Pss_Shmem:")
	return all, shmem, nil
}

// peak returns the most bytes that a process had in memory.
func (p *procfs) peak(pid int) (int64, error) { return p.kilobytes(pid, "status", "VmHWM:") }

// kilobytes finds a line like "Pss:  12 kB".
func (p *procfs) kilobytes(pid int, file, name string) (int64, error) {
	var buf [4096]byte
	text, err := p.read(pid, file, buf[:])
	if err != nil {
		return 0, err
	}
	_, rest, ok := bytes.Cut(text, []byte("\n"+name))
	if !ok {
		return 0, fmt.Errorf("no %s in /proc/%d/%s", name, pid, file)
	}
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	kb, err := strconv.ParseInt(string(bytes.TrimSuffix(bytes.TrimSpace(line), []byte(" kB"))), 10, 64)
	return kb << 10, err
}
