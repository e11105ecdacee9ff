package messaging

// job is what one caller publishes in one call. Once a lane has taken it, only that lane touches it.
type job struct {
	messages  []message
	abandoned <-chan struct{} // closed when the caller no longer waits
	answer    chan error      // has room for the one answer, so that a caller who left holds nobody up

	sent       int   // messages that were sent
	unanswered int   // messages whose outcome is not known
	failure    error // the first one
}

func newJob(messages []message, abandoned <-chan struct{}) *job {
	return &job{
		messages:   messages,
		abandoned:  abandoned,
		answer:     make(chan error, 1),
		unanswered: len(messages),
	}
}

// settle records the outcome of n messages and answers the caller after the last.
func (j *job) settle(n int, err error) {
	if j.failure == nil {
		j.failure = err
	}
	if j.unanswered -= n; j.unanswered == 0 {
		j.answer <- j.failure
	}
}
