package process

import (
	"bytes"
	"fmt"
	"strings"
	"sync"

	"go.uber.org/zap"
)

const (
	// maxLogLine is the most bytes of a log line that are kept.
	maxLogLine = 1 << 10
	// maxFaultText bounds the message and the traceback of a Fault.
	maxFaultText = 16 << 10
)

// logTail logs what a child prints, a line at a time, and keeps the last lines for a Fault.
type logTail struct {
	logger *zap.Logger
	mu     sync.Mutex
	lines  []string // a ring once it is full
	next   int      // where the oldest line is, in a full ring
}

func newLogTail(logger *zap.Logger, lines int) *logTail {
	return &logTail{logger: logger, lines: make([]string, 0, lines)}
}

// add logs a line, of which dropped more bytes were not read.
func (l *logTail) add(line []byte, dropped int) {
	text := clip(string(bytes.TrimRight(line, "\r")), maxLogLine, dropped)
	l.logger.Debug("sensor output", zap.String("line", text))
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.lines) < cap(l.lines) {
		l.lines = append(l.lines, text)
		return
	}
	l.lines[l.next] = text
	l.next = (l.next + 1) % len(l.lines)
}

// tail returns the kept lines, oldest first.
func (l *logTail) tail() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append(append([]string{}, l.lines[l.next:]...), l.lines[:l.next]...)
}

// clip shortens text to limit bytes of valid UTF-8 and says by how much.
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
