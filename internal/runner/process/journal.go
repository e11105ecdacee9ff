package process

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/secret"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/sensorlog"
	"github.com/attune-automation/sensors/internal/size"
)

const (
	// maxLogLine is the most bytes of a log line that are kept.
	maxLogLine = 16 << 10
	// maxTailLine is the most bytes of a log line that a Fault shows.
	maxTailLine = 1 << 10
	// maxFaultText bounds the message and the traceback of a Fault.
	maxFaultText = 16 << 10
	// streamWindow is how long a stream has for the output that a poll may have in all.
	streamWindow = time.Minute
)

// journal keeps what the code of a sensor says for people during one poll, with all secrets masked: all of it in the
// sensor's log, and the last lines for a Fault.
type journal struct {
	secrets secret.Values
	log     log
	logger  *zap.Logger
	limit   int64 // of bytes in the log, see sensor.Limits; 0: none
	stream  bool
	now     func() time.Time

	mu      sync.Mutex
	lines   []string // a ring once it is full
	next    int      // where the oldest line is, in a full ring
	began   time.Time
	written int64
	dropped int64
}

// log takes the lines of a sensor's log during one poll.
type log interface {
	WriteLine(at time.Time, source, text string)
	Close()
}

// line notes a line, of which dropped more bytes were not read.
func (j *journal) line(source string, line []byte, dropped int) {
	text := j.mask(bytes.TrimRight(line, "\r"), maxLogLine, dropped)
	j.logger.Debug("sensor output", zap.String("source", source), zap.String("line", text))
	j.mu.Lock()
	defer j.mu.Unlock()
	j.remember(clip(text, maxTailLine, 0))
	now := j.now()
	if j.stream && now.Sub(j.began) >= streamWindow {
		j.closeWindow(now)
	}
	size := int64(len(text) + 1)
	if j.limit > 0 && j.written+size > j.limit {
		j.written = j.limit // a shorter line would leave a gap in what looks whole
		j.dropped += int64(len(line)+1) + int64(dropped)
		return
	}
	j.written += size
	j.log.WriteLine(now, source, text)
}

// text notes what may be several lines.
func (j *journal) text(source, text string) {
	for line := range strings.Lines(text) {
		j.line(source, []byte(strings.TrimRight(line, "\n")), 0)
	}
}

func (j *journal) warn(format string, args ...any) {
	j.line(sensorlog.SourceWarning, fmt.Appendf(nil, format, args...), 0)
}

// fault notes why the poll failed, where the code's own words are.
func (j *journal) fault(f *sensor.Fault) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.log.WriteLine(j.now(), sensorlog.SourceError, strings.TrimRight(fmt.Sprintf("the poll failed: %s: %s\n%s", f.Kind, f.Message, f.Traceback), "\n"))
}

// leftBehind notes processes that the poll started and did not end.
func (j *journal) leftBehind(names []string) {
	j.warn("processes that the poll started were still running, and are ended now: %s", strings.Join(names[:min(len(names), 10)], ", "))
	j.logger.Warn("a sensor's poll left processes running", zap.Int("count", len(names)))
}

func (j *journal) remember(line string) {
	switch {
	case cap(j.lines) == 0:
	case len(j.lines) < cap(j.lines):
		j.lines = append(j.lines, line)
	default:
		j.lines[j.next] = line
		j.next = (j.next + 1) % len(j.lines)
	}
}

// tail returns the last lines, oldest first.
func (j *journal) tail() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append(append([]string{}, j.lines[j.next:]...), j.lines[:j.next]...)
}

// close says how much was dropped, and hands the log back.
func (j *journal) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closeWindow(j.now())
	j.log.Close()
}

func (j *journal) closeWindow(now time.Time) {
	if j.dropped > 0 {
		j.log.WriteLine(now, sensorlog.SourceWarning, fmt.Sprintf("%s of output was dropped: more than %s (sensor's `limits.output`)",
			size.Approximate(j.dropped), size.Format(j.limit)))
	}
	j.began, j.written, j.dropped = now, 0, 0
}

// mask returns the beginning of a text, of which dropped more bytes are not there, as people may see it.
func (j *journal) mask(text []byte, limit, dropped int) string {
	if len(text) <= limit && dropped == 0 {
		return clip(j.secrets.Mask(string(text)), limit, 0)
	}
	kept := min(len(text), limit)
	return clip(j.secrets.MaskCut(string(text[:kept])), limit, dropped+len(text)-kept)
}

// excerpt shows the beginning of what the code wrote.
func (j *journal) excerpt(line []byte) string { return j.mask(line, 200, 0) }

// clip shortens text to limit bytes of valid UTF-8 and says by how much, counting the dropped bytes behind it.
func clip(text string, limit, dropped int) string {
	if len(text) > limit {
		text, dropped = text[:limit], dropped+len(text)-limit
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	if dropped > 0 {
		text += fmt.Sprintf("... (%d bytes more)", dropped)
	}
	return text
}
