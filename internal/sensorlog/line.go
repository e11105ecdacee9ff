package sensorlog

import (
	"fmt"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"
)

// Where a line comes from: a stream of the sensor's processes, or its code's own log, by level.
const (
	SourceStdout  = "stdout"
	SourceStderr  = "stderr"
	SourceDebug   = "debug"
	SourceInfo    = "info"
	SourceWarning = "warning"
	SourceError   = "error"
)

const (
	timeLayout  = "2006-01-02T15:04:05.000Z"
	sourceWidth = len(SourceWarning)
	// maxText is the most bytes of a line that are kept.
	maxText = 16 << 10
)

// Line is one line of a sensor's log.
type Line struct {
	Time   time.Time `json:"time"` // UTC, to the millisecond
	Source string    `json:"source"`
	Text   string    `json:"text"` // without what could control a terminal
}

// String returns the line as it is in the file: `2026-01-31T09:30:00.123Z info    text`.
func (l Line) String() string {
	return fmt.Sprintf("%s %-*s %s", l.Time.UTC().Format(timeLayout), sourceWidth, l.Source, l.Text)
}

// appendLine appends a line and its end.
func appendLine(b []byte, at time.Time, source, text string) []byte {
	b = at.UTC().AppendFormat(b, timeLayout)
	b = append(append(b, ' '), source...)
	for n := len(source); n < sourceWidth; n++ {
		b = append(b, ' ')
	}
	b = append(b, ' ')
	dropped := max(0, len(text)-maxText)
	b = appendPrintable(b, text[:len(text)-dropped])
	if dropped > 0 {
		b = fmt.Appendf(b, "... (%d bytes more)", dropped)
	}
	return append(b, '\n')
}

// appendPrintable escapes control characters but the tab, and what else does not show; what is not UTF-8 is replaced.
func appendPrintable(b []byte, text string) []byte {
	for text != "" {
		plain := 0
		for plain < len(text) && (text[plain] >= ' ' && text[plain] < 0x7f || text[plain] == '\t') {
			plain++
		}
		b = append(b, text[:plain]...)
		if text = text[plain:]; text == "" {
			break
		}
		r, size := utf8.DecodeRuneInString(text)
		text = text[size:]
		if unicode.IsGraphic(r) {
			b = utf8.AppendRune(b, r) // U+FFFD for what is not UTF-8
			continue
		}
		quoted := strconv.AppendQuoteRuneToASCII(nil, r)
		b = append(b, quoted[1:len(quoted)-1]...)
	}
	return b
}

// parseLine reads a line without its end. A line that the end of a disk cut off may be none.
func parseLine(raw []byte) (Line, bool) {
	const start = len(timeLayout) + 1
	if len(raw) < start || raw[start-1] != ' ' {
		return Line{}, false
	}
	at, err := time.Parse(time.RFC3339, string(raw[:start-1]))
	if err != nil {
		return Line{}, false
	}
	rest := string(raw[start:])
	end := 0
	for end < len(rest) && rest[end] != ' ' {
		end++
	}
	text := max(end, sourceWidth) + 1
	if end == 0 || text > len(rest) {
		return Line{}, false
	}
	return Line{Time: at, Source: rest[:end], Text: rest[text:]}, true
}
