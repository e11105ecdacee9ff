package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
)

// Links between documents lead to a file and, after #, to a heading of it.
func TestLinks(t *testing.T) {
	t.Parallel()
	for _, p := range append(pages(t), readPage(t, "CHANGELOG.md")) {
		for _, m := range link.FindAllStringSubmatch(prose(p.text), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			path := p.path
			if target != "" {
				path = filepath.Join(filepath.Dir(p.path), target)
			}
			_, err := os.Stat(filepath.Join(root, path))
			require.NoError(t, err, "%s links to %s", p.path, m[1])
			if anchor != "" {
				require.Contains(t, anchors(readPage(t, path)), anchor, "%s links to %s", p.path, m[1])
			}
		}
	}
}

// prose is the text without what is fenced.
func prose(text string) string { return fenced.ReplaceAllString(text, "") }

// anchors are the names of the headings as GitHub makes them.
func anchors(p page) []string {
	var names []string
	for _, m := range heading.FindAllStringSubmatch(prose(p.text), -1) {
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z':
				return r
			}
			return -1
		}, strings.ToLower(m[1]))
		names = append(names, name)
	}
	return names
}
