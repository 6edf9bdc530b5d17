package main

// timeoutMs is how long the loop may sleep; -1 for as long as nothing happens.
func (r *runner) timeoutMs() int {
	e := r.run
	if e == nil || e.draining {
		return -1
	}
	next := e.nextTickNs
	if wall := e.header.Limits.WallMs; wall > 0 && e.startedNs+wall*1e6 < next {
		next = e.startedNs + wall*1e6
	}
	left := next - monotonicNs()
	if left <= 0 {
		return 0
	}
	return int((left + 999_999) / 1e6)
}

// tick does what is due: limits of time, the memory sample, orphans, and STARTED for a silent program.
func (r *runner) tick() {
	e := r.run
	if e == nil || e.draining {
		return
	}
	now := monotonicNs()
	if wall := e.header.Limits.WallMs; wall > 0 && now >= e.startedNs+wall*1e6 {
		r.end("wall_timeout")
		return
	}
	if now < e.nextTickNs {
		return
	}
	e.nextTickNs = now + sampleTickMs*1e6
	if !e.started {
		r.checkStatus()
	}
	r.takeEnded()
	if r.run != e || e.draining {
		return
	}
	r.sample()
	if limit := e.header.Limits.CPUMs * 1e6; limit > 0 {
		left := limit - (r.cpuNs() - e.cpuAtStartNs)
		if left <= 0 {
			r.end("cpu_timeout")
			return
		}
		// Two cores may use it up at once.
		if soon := now + left/2 + 1e6; soon < e.nextTickNs {
			e.nextTickNs = soon
		}
	}
}

// cpuNs is the container's CPU time, or the main process's where there is no counter for the container.
func (r *runner) cpuNs() int64 {
	if ns, ok := r.cgroup.cpuNs(); ok {
		return ns
	}
	if r.run != nil && r.run.child.pid > 0 {
		return processCPUNs(r.run.child.pid)
	}
	return 0
}
