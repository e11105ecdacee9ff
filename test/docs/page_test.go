package docs

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite what is computed in the documents")

// root is the top of the checkout, as seen from here.
const root = "../.."

// page is a document, by its path from the top of the checkout.
type page struct {
	path string
	text string
}

func readPage(t *testing.T, path string) page {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	require.NoError(t, err)
	return page{path, string(text)}
}

// pages are all documents for people, except for the change log, which speaks of what was.
func pages(t *testing.T) []page {
	t.Helper()
	var all []page
	for _, pattern := range []string{"README.md", "CONTRIBUTING.md", "docs/*.md", "docs/*/*.md"} {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		for _, path := range paths {
			relative, err := filepath.Rel(root, path)
			require.NoError(t, err)
			all = append(all, readPage(t, relative))
		}
	}
	require.Greater(t, len(all), 10)
	return all
}

// block is a fenced block of a document.
type block struct {
	language string
	text     string
	start    int // of text, in the page's text
}

var fenced = regexp.MustCompile("(?ms)^( *)```([a-z]*)\n(.*?)^ *```$")

// blocks returns the fenced blocks in one of the languages; of all of them if none is given.
func (p page) blocks(languages ...string) []block {
	var all []block
	for _, m := range fenced.FindAllStringSubmatchIndex(p.text, -1) {
		b := block{language: p.text[m[4]:m[5]], text: p.text[m[6]:m[7]], start: m[6]}
		if len(languages) == 0 {
			all = append(all, b)
		}
		for _, language := range languages {
			if b.language == language {
				all = append(all, b)
			}
		}
	}
	return all
}

var blockName = regexp.MustCompile(`^(?:#!.*\n)?(?:#|//|--) ([a-z_/]+\.[a-z]+)\n`)

// files returns the blocks that begin with a comment that names a file.
func (p page) files() map[string]string {
	files := map[string]string{}
	for _, b := range p.blocks() {
		if name := blockName.FindStringSubmatch(b.text); name != nil {
			files[name[1]] = b.text
		}
	}
	return files
}

// computed checks the text between the comments of a part of the page, or replaces it with -update.
func (p page) computed(t *testing.T, part, want string) {
	t.Helper()
	begin, end := "<!-- "+part+": begin -->\n", "<!-- "+part+": end -->"
	before, rest, found := strings.Cut(p.text, begin)
	require.True(t, found, "%s has no %s", p.path, begin)
	got, after, found := strings.Cut(rest, end)
	require.True(t, found, "%s has no %s", p.path, end)
	if *update && got != want {
		p.write(t, before+begin+want+end+after)
		return
	}
	require.Equal(t, want, got, "%s: run go test ./test/docs -update", p.path)
}

func (p page) write(t *testing.T, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(root, p.path), []byte(text), 0o644))
}
