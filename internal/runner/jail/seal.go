package jail

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A program that is not in bwrap could lose its mark by setting the resource limit that the mark is. Its thread is
// therefore sealed before it is started: the kernel refuses that one call to the program and to all that it will ever
// start, root or not, and gives none of them more rights than the worker has, as a setuid program would.

// abi is how a machine's programs make system calls. Most machines run those of a smaller one, too.
type abi struct {
	audit      uint32 // AUDIT_ARCH_*
	setrlimit  uint32
	prlimit64  uint32
	numberMask uint32 // the bits of a call's number that count; x32 programs set one more
}

// abis are those of the machines that can be sealed.
func abis() []abi {
	const all, x32 = ^uint32(0), uint32(1) << 30
	switch runtime.GOARCH {
	case "amd64":
		return []abi{{unix.AUDIT_ARCH_X86_64, 160, 302, all &^ x32}, {unix.AUDIT_ARCH_I386, 75, 340, all}}
	case "arm64":
		return []abi{{unix.AUDIT_ARCH_AARCH64, 164, 261, all}, {unix.AUDIT_ARCH_ARM, 75, 369, all}}
	}
	return nil
}

// Where a filter finds what a system call is, see seccomp(2). Of each argument the lower half comes first.
const (
	offNumber = 0
	offArch   = 4
	offArgs   = 16
)

// filter returns the program for the kernel: it refuses to set the limit, in every ABI, and allows all else.
func filter(abis []abi) []unix.SockFilter {
	var program []unix.SockFilter
	for _, a := range abis {
		program = append(program, a.filter()...)
	}
	return append(program, answer(refused)) // no such machine
}

const refused = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)

// filter returns the part for one ABI, behind which comes what is for others.
func (a abi) filter() []unix.SockFilter {
	const first, prlimit, allow, refuse, end = 2, 7, 14, 15, 16 // places in the list
	return []unix.SockFilter{
		load(offArch),
		jump(1, a.audit, first, end),
		first: load(offNumber),
		{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: a.numberMask},
		jump(4, a.setrlimit, 5, prlimit),
		load(offArgs), // setrlimit(resource, limit)
		jump(6, unix.RLIMIT_RTTIME, refuse, allow),
		prlimit:           jump(prlimit, a.prlimit64, 8, allow),
		load(offArgs + 8), // prlimit64(pid, resource, limit, old); without limit it only asks
		jump(9, unix.RLIMIT_RTTIME, 10, allow),
		load(offArgs + 16),
		jump(11, 0, 12, refuse),
		load(offArgs + 20),
		jump(13, 0, allow, refuse),
		allow:  answer(unix.SECCOMP_RET_ALLOW),
		refuse: answer(refused),
	}
}

func load(offset uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
}

// jump goes on at the place yes if the value was loaded, else at no; at is its own place.
func jump(at uint8, value uint32, yes, no uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: value, Jt: yes - at - 1, Jf: no - at - 1}
}

func answer(what uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: what}
}

const setModeFilter = 1 // SECCOMP_SET_MODE_FILTER

// sealThread seals the calling thread, for good. What it starts is sealed from its first instruction.
func sealThread() error {
	known := abis()
	if known == nil {
		return fmt.Errorf("not known how on %s", runtime.GOARCH)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("PR_SET_NO_NEW_PRIVS: %w", err)
	}
	code := filter(known)
	program := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	var err error
	// The first spares programs a mitigation that older kernels tie to filters.
	for _, flags := range []uintptr{unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, 0} {
		_, _, errno := unix.Syscall(unix.SYS_SECCOMP, setModeFilter, flags, uintptr(unsafe.Pointer(&program)))
		if errno == 0 {
			return nil
		}
		err = errno
	}
	return fmt.Errorf("seccomp: %w", err)
}
