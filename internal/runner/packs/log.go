package packs

import (
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	maxLogLines = 10
	maxLogBytes = 1500
	maxLogRead  = 64 << 10
)

// readEnd returns the end of a file.
func readEnd(f *os.File) (string, error) {
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	content, err := io.ReadAll(io.NewSectionReader(f, max(0, info.Size()-maxLogRead), maxLogRead))
	return string(content), err
}

// noise is what npm says of itself at the end.
var noise = regexp.MustCompile(`^npm .*Log files were not written`)

// lastLines returns the last lines that say something.
func lastLines(log string) string {
	var lines []string
	for line := range strings.Lines(strings.ToValidUTF8(log, "?")) {
		if line = strings.TrimRight(line, " \t\r\n"); line != "" && !noise.MatchString(line) {
			lines = append(lines, line)
		}
	}
	text := strings.Join(lines[max(0, len(lines)-maxLogLines):], "\n")
	start := max(0, len(text)-maxLogBytes)
	for start < len(text) && !utf8.RuneStart(text[start]) {
		start++
	}
	return text[start:]
}

// userInfo is the name and password in a URL.
var userInfo = regexp.MustCompile(`://[^/\s"'<>]*@`)

// secretName is a variable whose value is not to be seen.
var secretName = regexp.MustCompile(`(?i)token|password|passwd|secret|auth|credential|_key$`)

// mask hides what was given to installers in confidence.
type mask struct {
	values []string
}

func newMask(env []string) *mask {
	m := &mask{}
	for _, variable := range env {
		name, value, _ := strings.Cut(variable, "=")
		if secretName.MatchString(name) && len(value) >= 4 {
			m.values = append(m.values, value)
		}
	}
	// A value that contains another goes first, whole.
	slices.SortFunc(m.values, func(a, b string) int { return len(b) - len(a) })
	return m
}

func (m *mask) hide(text string) string {
	for _, value := range m.values {
		text = strings.ReplaceAll(text, value, "***")
	}
	return userInfo.ReplaceAllString(text, "://***@")
}

func nameOf(variable string) string {
	name, _, _ := strings.Cut(variable, "=")
	return name
}
