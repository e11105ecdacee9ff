package jail

// view is what a look at a program's processes shows.
type view struct {
	count   int // of processes, zombies included
	threads int // of all of them
	usage   Usage
	others  []string // names of those that live, besides the program
}

// census has the processes of this machine that programs started, by their mark.
type census map[mark][]int

// takeCensus asks all processes for their mark.
func takeCensus(host *procfs) census {
	all := census{}
	// What cannot be listed is not there for us, and is listed again by the next look.
	_ = host.each(func(pid int) {
		if m, ok := readMark(pid); ok {
			all[m] = append(all[m], pid)
		}
	})
	return all
}

// look looks at all processes. all may be nil. The caller holds life.
func (p *Process) look(all census) view {
	if p.family.procfs() == nil {
		return view{}
	}
	return p.lookAt(p.family.members(all))
}

// lookAt looks at those processes.
func (p *Process) lookAt(members []int) view {
	proc := p.family.procfs()
	program := p.family.program()
	clock, exact := p.family.clock()
	v := view{count: len(members)}
	v.usage.CPU = p.family.reapedCPU()
	open := map[[2]uint64]int64{}
	for _, pid := range members {
		s, err := proc.stat(pid)
		if err != nil {
			continue // it has just gone
		}
		if pid == program && exact {
			s.cpu = clock
		}
		v.usage.CPU += s.cpu + s.reapedCPU
		v.usage.Memory += s.memory
		v.threads += s.threads
		p.files.open(proc, pid, open)
		if pid != program && s.state != 'Z' {
			v.others = append(v.others, s.comm)
		}
	}
	files := p.inFiles(open)
	v.usage.Memory += files
	if limit := p.limits.Memory; limit > 0 && v.usage.Memory > limit && (len(members) > 1 || files > 0) {
		v.usage.Memory = shared(proc, members, files, v.usage.Memory)
	}
	peak, _ := proc.peak(program) // 0 when it is a zombie

	p.mu.Lock()
	defer p.mu.Unlock()
	p.peak = max(p.peak, peak, v.usage.Memory)
	v.usage.Peak = p.peak
	p.cpu = max(p.cpu, v.usage.CPU)
	p.total, p.seen, p.alone = v.usage.CPU, clock, len(members) <= 1
	return v
}

// inFiles returns the bytes in files that are nowhere but in memory.
func (p *Process) inFiles(open map[[2]uint64]int64) (sum int64) {
	for _, bytes := range open {
		sum += bytes
	}
	for _, f := range p.family.folders() {
		sum += f.bytes()
	}
	return sum
}

// shared returns the bytes in memory with shared ones counted once. That takes the kernel milliseconds for processes
// that are large, and is therefore done only when the answer matters. Files in memory may be what processes share, as far
// as they are mapped: the more of both counts.
func shared(proc *procfs, members []int, files, atMost int64) int64 {
	var own, mapped int64
	for _, pid := range members {
		all, shmem, err := proc.proportional(pid)
		if err != nil {
			continue // gone or a zombie; or not ours to see, as the program is another user's: then nothing is known
		}
		own, mapped = own+all-shmem, mapped+shmem
	}
	if own == 0 {
		return atMost
	}
	return own + max(mapped, files)
}

// idle says whether nothing can have changed since the last look: the program is alone and has not run. The caller holds
// life.
func (p *Process) idle() bool {
	clock, ok := p.family.clock()
	p.mu.Lock()
	defer p.mu.Unlock()
	return ok && p.alone && clock == p.seen
}

// resting says whether there is no reason to look at it.
func (p *Process) resting() bool {
	p.life.RLock()
	defer p.life.RUnlock()
	return p.over || p.idle()
}

// check looks at the processes and ends the program when it takes more than it may.
func (p *Process) check(all census) {
	p.life.RLock()
	defer p.life.RUnlock()
	if p.over {
		return
	}
	members := p.family.members(all)
	if limit := p.limits.Processes; limit > 0 && len(members) > limit {
		// Before anything else is looked at: it may be a fork bomb, which leaves us little time of the processor.
		p.exceed(Breach{Limit: LimitProcesses, Used: int64(len(members)), Allowed: int64(limit)})
		return
	}
	v := p.lookAt(members)
	p.mu.Lock()
	limits, used := p.limits, p.used
	p.mu.Unlock()
	cpu := v.usage.CPU - used
	switch {
	case limits.Memory > 0 && v.usage.Memory > limits.Memory:
		p.exceed(Breach{Limit: LimitMemory, Used: v.usage.Memory, Allowed: limits.Memory})
	case limits.CPU > 0 && cpu > limits.CPU:
		p.exceed(Breach{Limit: LimitCPU, Used: int64(cpu), Allowed: int64(limits.CPU)})
	case limits.Processes > 0 && v.threads > limits.threads():
		p.exceed(Breach{Limit: LimitThreads, Used: int64(v.threads), Allowed: int64(limits.threads())})
	}
}
