package jail

// ForbidTracing makes the Jail start programs as on machines where tracing is forbidden. It must be the first call.
func (j *Jail) ForbidTracing() { j.starter.traceable = false }
