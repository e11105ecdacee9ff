package glob

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Ignore is what a walk leaves out: files, and folders with all that is in them.
type Ignore struct {
	names []segment
	paths []string
}

// Add adds a pattern. One without a slash is for names at any depth, such as *.tmp or .git; any other is for whole paths,
// and begins with / or **/.
func (g *Ignore) Add(text string) error {
	if text == "" {
		return errors.New("is empty: write a name such as *.tmp, or a path such as /srv/in/old/**")
	}
	if err := check(text); err != nil {
		return err
	}
	switch {
	case !strings.Contains(text, "/"):
		g.names = append(g.names, newSegment(text))
		return nil
	case text[0] != '/' && !strings.HasPrefix(text, "**/"):
		return fmt.Errorf("%q is relative: write **/%s, or an absolute path", text, text)
	}
	g.paths = append(g.paths, text)
	return nil
}

// Match says whether a file or folder is to be left out.
func (g *Ignore) Match(folder, name string) bool {
	for _, s := range g.names {
		if s.match(name) {
			return true
		}
	}
	if len(g.paths) == 0 {
		return false
	}
	path := Join(folder, name)
	return slices.ContainsFunc(g.paths, func(p string) bool { return doublestar.MatchUnvalidated(p, path) })
}
