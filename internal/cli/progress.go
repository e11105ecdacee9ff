package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// progressEvery is how often a bar is drawn.
const progressEvery = 200 * time.Millisecond

// progress shows on a terminal how far something is; on anything else it shows nothing.
type progress struct {
	w     io.Writer // nil: no terminal
	drawn time.Time
	width int
}

// newProgress returns the bar of a command, below what it writes to the standard error.
func newProgress(stderr io.Writer) *progress {
	if f, ok := stderr.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			return &progress{w: stderr}
		}
	}
	return &progress{}
}

// show draws the bar, unless it has just done so.
func (p *progress) show(done, total int64, format string, args ...any) {
	if p.w == nil || time.Since(p.drawn) < progressEvery {
		return
	}
	p.drawn = time.Now()
	line := bar(done, total) + " " + fmt.Sprintf(format, args...)
	blank := max(p.width-len(line), 0)
	p.width = len(line)
	fmt.Fprintf(p.w, "\r%s%s", line, strings.Repeat(" ", blank))
}

// clear takes the bar away.
func (p *progress) clear() {
	if p.w != nil && p.width > 0 {
		fmt.Fprintf(p.w, "\r%s\r", strings.Repeat(" ", p.width))
		p.width = 0
	}
}

// bar is a line of a fixed length, filled as far as the work is done.
func bar(done, total int64) string {
	const width = 20
	part := 1.0
	if total > 0 {
		part = min(float64(done)/float64(total), 1)
	}
	full := int(part * width)
	return fmt.Sprintf("[%s%s] %3.0f%%", strings.Repeat("=", full), strings.Repeat(" ", width-full), part*100)
}
