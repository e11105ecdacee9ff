package process

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/attune-automation/sensors/internal/sensor"
)

// maxLine bounds a line of fd 3: an event or a cursor, and the message around it.
const maxLine = maxEventBytes + 1<<10

// output gathers what a child writes during one poll.
type output struct {
	sdk      bool
	log      *logTail
	broken   chan struct{} // closed when the child broke the protocol or a limit: nothing more is read
	finished chan struct{} // closed when an SDK said that it is done, or what failed

	mu       sync.Mutex
	payloads [][]byte
	bytes    int
	cursor   json.RawMessage
	done     bool
	raised   *sensor.Fault // what the code said of its own failure
	breach   *sensor.Fault // what closed broken
	cut      []byte        // the beginning of a last message that nothing ended
}

func newOutput(sdk bool, log *logTail) *output {
	return &output{sdk: sdk, log: log, broken: make(chan struct{}), finished: make(chan struct{})}
}

// errBroken ends the reading of a pipe once output.broken is closed.
var errBroken = errors.New("the child broke the protocol")

// readData takes the messages of fd 3.
func (o *output) readData(r io.Reader) {
	lines(r, maxLine, func(line []byte, dropped int, whole bool) error {
		if dropped > 0 {
			return o.fail("a message of more than %d bytes (`limits.event_bytes`): split the event, or put a link into it: %s", maxEventBytes, excerpt(line))
		}
		if len(bytes.TrimSpace(line)) == 0 {
			return nil
		}
		m, err := parseMessage(line)
		switch {
		case err != nil && !whole:
			o.cut = slices.Clone(line)
			return nil
		case err != nil:
			return o.fail("what it wrote on fd 3 is %w", err)
		}
		return o.take(m)
	})
}

// readEvents takes the stdout of a program without SDK: each JSON object is an event, the rest is its log.
func (o *output) readEvents(r io.Reader) {
	lines(r, maxLine, func(line []byte, dropped int, _ bool) error {
		switch {
		case isObject(line) && dropped > 0:
			return o.fail("an event of more than %d bytes (`limits.event_bytes`): split it, or put a link into it: %s", maxEventBytes, excerpt(line))
		case isObject(line) && isJSON(line):
			return o.event(line)
		}
		o.log.add(line, dropped)
		return nil
	})
}

// readLog takes what is only for people.
func (o *output) readLog(r io.Reader) {
	lines(r, maxLogLine, func(line []byte, dropped int, _ bool) error {
		o.log.add(line, dropped)
		return nil
	})
}

// take acts on one message.
func (o *output) take(m message) error {
	if o.sdk && o.isDone() {
		return o.fail("a message of type %q after done", m.Type)
	}
	switch m.Type {
	case "event":
		return o.event(m.Payload)
	case "cursor":
		return o.setCursor(m.Cursor)
	case "log":
		line := m.Message
		if m.Level != "" && m.Level != "info" {
			line = m.Level + ": " + line
		}
		for part := range bytes.Lines([]byte(line)) {
			o.log.add(bytes.TrimRight(part, "\n"), 0)
		}
	case "skip":
		o.log.add([]byte("skipped: "+m.Reason), 0)
	case "error":
		o.finish(&sensor.Fault{Kind: sensor.FaultException, Message: clip(m.Message, maxFaultText, 0), Traceback: clip(m.Traceback, maxFaultText, 0)})
	case "done":
		o.finish(nil)
	default:
		return o.fail("a message of type %q: there are event, cursor, log, skip, error and done", m.Type)
	}
	return nil
}

func (o *output) event(payload []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case !isObject(payload):
		return o.failLocked("event %d is not a JSON object: %s", len(o.payloads)+1, excerpt(payload))
	case len(payload) > maxEventBytes:
		return o.failLocked("event %d has %d bytes, more than %d (`limits.event_bytes`): split it, or put a link into it",
			len(o.payloads)+1, len(payload), maxEventBytes)
	case len(o.payloads) == maxEvents:
		return o.failLocked("more than %d events in one poll (`limits.events`): stop there, set the cursor, and yield the rest in the next poll", maxEvents)
	case o.bytes+len(payload) > maxPollBytes:
		return o.failLocked("more than %d bytes of events in one poll (`limits.poll_bytes`): stop there, set the cursor, and yield the rest in the next poll", maxPollBytes)
	}
	o.bytes += len(payload)
	o.payloads = append(o.payloads, slices.Clone(payload))
	return nil
}

func (o *output) setCursor(cursor json.RawMessage) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case cursor == nil:
		return o.failLocked("a message of type cursor without `cursor`")
	case len(cursor) > maxEventBytes:
		return o.failLocked("a cursor of more than %d bytes (`limits.event_bytes`): keep positions in it, not data", maxEventBytes)
	}
	o.cursor = slices.Clone(cursor)
	return nil
}

// finish notes that the code is done, or failed if raised is not nil. An SDK writes nothing after that; the first word
// counts.
func (o *output) finish(raised *sensor.Fault) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.done || o.raised != nil {
		return
	}
	o.done, o.raised = raised == nil, raised
	close(o.finished)
}

func (o *output) isDone() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.done
}

func (o *output) fail(format string, args ...any) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failLocked(format, args...)
}

func (o *output) failLocked(format string, args ...any) error {
	if o.breach == nil {
		o.breach = &sensor.Fault{Kind: sensor.FaultOutput, Message: fmt.Errorf(format, args...).Error()}
		close(o.broken)
	}
	return errBroken
}

// lines calls do for each line until the end of r or an error.
func lines(r io.Reader, limit int, do func(line []byte, dropped int, whole bool) error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	var buf []byte
	for {
		line, dropped, whole, err := readLine(buffered, buf, limit)
		if err != nil {
			return
		}
		if do(line, dropped, whole) != nil {
			return
		}
		buf = line
	}
}
