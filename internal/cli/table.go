package cli

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// cellWidth is how many characters of a long text a table shows.
const cellWidth = 80

// column is one column of a table of rows of type R.
type column[R any] struct {
	name string
	cell func(R) string
}

// list writes rows as a table, or as a list of what they are in JSON or YAML.
func list[R any](s *session, rows []R, columns ...column[R]) error {
	if s.format != formatTable {
		if rows == nil {
			rows = []R{}
		}
		return s.format.encode(s.env.Stdout, rows)
	}
	table := [][]string{make([]string, len(columns))}
	for i, c := range columns {
		table[0][i] = c.name
	}
	for _, row := range rows {
		cells := make([]string, len(columns))
		for i, c := range columns {
			cells[i] = shorten(c.cell(row))
		}
		table = append(table, cells)
	}
	return writeAligned(s.env.Stdout, table)
}

// writeAligned writes rows of cells with their columns below each other.
func writeAligned(w io.Writer, table [][]string) error {
	var widths []int
	for _, cells := range table {
		for i, cell := range cells {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var text strings.Builder
	for _, cells := range table {
		var line strings.Builder
		for i, cell := range cells {
			fmt.Fprintf(&line, "%-*s  ", widths[i], cell)
		}
		text.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// line is one line of what is known of one thing.
type line struct{ name, value string }

// show writes v in JSON or YAML, and its lines for people: name and value, with longer values below their names. Lines
// without a value are left out.
func show(s *session, v any, lines ...line) error {
	if s.format != formatTable {
		return s.format.encode(s.env.Stdout, v)
	}
	width := 0
	for _, l := range lines {
		if l.value != "" {
			width = max(width, len(l.name))
		}
	}
	var text strings.Builder
	for _, l := range lines {
		value := strings.TrimRight(l.value, "\n")
		switch {
		case value == "":
		case strings.Contains(value, "\n"):
			fmt.Fprintf(&text, "%s\n  %s\n", l.name, strings.ReplaceAll(printableLines(value), "\n", "\n  "))
		default:
			fmt.Fprintf(&text, "%-*s  %s\n", width, l.name, printable(value))
		}
	}
	_, err := io.WriteString(s.env.Stdout, text.String())
	return err
}

// shorten makes any text fit for a cell of a table: its first line, and not too much of that.
func shorten(text string) string {
	first, _, more := strings.Cut(strings.TrimSpace(text), "\n")
	runes := []rune(printable(first))
	if len(runes) > cellWidth {
		runes, more = runes[:cellWidth-1], true
	}
	if more {
		return string(runes) + "…"
	}
	return string(runes)
}

// shortenBoth is shorten for two texts, of which it leaves out the beginning that long ones have in common.
func shortenBoth(a, b string) (string, string) {
	const context = 12 // of what they have in common, to say where they differ
	x, y := []rune(a), []rune(b)
	same := 0
	for same < min(len(x), len(y)) && x[same] == y[same] {
		same++
	}
	if max(len(x), len(y)) <= cellWidth || same <= 2*context {
		return shorten(a), shorten(b)
	}
	rest := func(text []rune) string { return shorten("…" + string(text[same-context:])) }
	return rest(x), rest(y)
}

// printableLines is printable for text of several lines.
func printableLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = printable(strings.ReplaceAll(line, "\t", "    "))
	}
	return strings.Join(lines, "\n")
}

// printable replaces what could move the cursor or change the colours of a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '·'
	}, text)
}

// moment writes a time in UTC; nothing for none.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// count writes a number of things, with its word in the singular or the plural.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
