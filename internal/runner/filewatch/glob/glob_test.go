package glob

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/stretchr/testify/require"
)

// matches follows a pattern as a walk does.
func matches(p Pattern, path string) bool {
	rest, ok := strings.CutPrefix(path, Join(p.Base(), ""))
	if !ok {
		return false
	}
	names := strings.Split(rest, "/")
	at := p.Start()
	for _, name := range names[:len(names)-1] {
		if at = p.Enter(at, name); at == 0 {
			return false
		}
	}
	return p.Match(at, names[len(names)-1])
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern string
		yes, no []string
	}{
		{"/a/*.csv", []string{"/a/x.csv", "/a/.csv"}, []string{"/a/x.txt", "/a/b/x.csv", "/b/x.csv"}},
		{"/a/**/*.csv", []string{"/a/x.csv", "/a/b/x.csv", "/a/b/c/x.csv"}, []string{"/a/x.txt", "/x.csv"}},
		{"/a/**", []string{"/a/x", "/a/b/c/.d"}, []string{"/b/x"}},
		{"/a/**/b/**/c", []string{"/a/b/c", "/a/x/b/c", "/a/b/y/c", "/a/x/b/b/y/c"}, []string{"/a/c", "/a/b/c/d"}},
		{"/a/*/in/?[0-9].{csv,txt}", []string{"/a/x/in/y7.csv", "/a/z/in/y7.txt"}, []string{"/a/in/y7.csv", "/a/x/in/yy.csv", "/a/x/in/y7.log"}},
		{`/a/\*.csv`, []string{"/a/*.csv"}, []string{"/a/x.csv"}},
		{"/*/x", []string{"/a/x"}, []string{"/x", "/a/b/x"}},
		{"/a", []string{"/a/x"}, []string{"/a/b/x"}},
		{"/a//b/", []string{"/a/b/x"}, nil},
	} {
		p, err := Parse(c.pattern, false)
		require.NoError(t, err, c.pattern)
		for _, path := range c.yes {
			require.True(t, matches(p, path), "%s %s", c.pattern, path)
		}
		for _, path := range c.no {
			require.False(t, matches(p, path), "%s %s", c.pattern, path)
		}
	}
	deep, err := Parse("/a", true)
	require.NoError(t, err)
	require.True(t, matches(deep, "/a/b/c/x"))
}

// A walk must not enter folders in which nothing can match.
func TestEnterOnlyWhereSomethingCanMatch(t *testing.T) {
	t.Parallel()
	p, err := Parse("/a/*/in/*.csv", false)
	require.NoError(t, err)
	require.Equal(t, "/a", p.Base())
	x := p.Enter(p.Start(), "x")
	require.NotZero(t, x)
	require.Zero(t, p.Enter(x, "out"))
	in := p.Enter(x, "in")
	require.NotZero(t, in)
	require.Zero(t, p.Enter(in, "deeper"))
}

func TestBadPatterns(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                  "is empty",
		"in/*.csv":                          `"in/*.csv" is relative`,
		"/a/[x":                             `the pattern "[x" is broken`,
		"/a/{x,y":                           `the pattern "{x,y" is broken`,
		"/a/x[0-9z-a]":                      `the range z-a of the pattern "x[0-9z-a]" is of no characters`,
		"/a/{x/y,z}":                        "slash within braces",
		"/a/" + strings.Repeat("{x,y}", 10): "more than 1000 words",
		"/a/../b":                           `has the segment ".."`,
		"/a\x00":                            "NUL",
		"/a/*/":                             "names folders",
		"/**":                               "whole machine",
		"/a/**.csv":                         `the pattern "**.csv" stands for no folders: write **/*.csv, or one *`,
		"/a/*" + strings.Repeat("/x", 60):   "more than 60 segments",
	} {
		_, err := Parse(text, true)
		require.ErrorContains(t, err, want, text)
	}
	_, err := Parse("/", true)
	require.ErrorContains(t, err, "whole machine")
}

func TestIgnore(t *testing.T) {
	t.Parallel()
	var g Ignore
	for _, text := range []string{"*.tmp", ".git", "/a/old/**", "**/cache/*.bin"} {
		require.NoError(t, g.Add(text))
	}
	for _, path := range []string{"/a/x.tmp", "/a/b/.git", "/a/old", "/a/old/x", "/b/cache/x.bin"} {
		i := strings.LastIndex(path, "/")
		require.True(t, g.Match(path[:i], path[i+1:]), path)
	}
	require.False(t, g.Match("/a", "tmp"))
	require.False(t, g.Match("/b/old", "x"))
	require.ErrorContains(t, g.Add("a/b"), "write **/a/b")
	require.ErrorContains(t, g.Add("[a"), "broken")
	require.ErrorContains(t, g.Add(""), "empty")
}

// A range that ends before it begins matches nothing.
func TestBackwards(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		"z-a[0-9_b-a]": "b-a", `[z-\a]`: "z-a", "[!9-0]": "9-0", `[\]-A]`: "]-A", "[é-a]": "é-a",
		"z-a": "", "[a-a]": "", "[^-A]": "", "[!- ]": "", `[z\-a]`: "", "[z-]": "", "[-a]": "", `\[z-a]`: "", "[a-z-A]": "", "{z-a,[x]}": "",
	} {
		require.Equal(t, want, backwards(pattern), pattern)
	}
}

// What the walk matches is what the library matches on the whole path.
func FuzzPattern(f *testing.F) {
	f.Add("/a/**/*.csv", "/a/b/x.csv")
	f.Add("/a/*/[a-c]?{x,y}", "/a/b/cdx")
	f.Add(`/a/\**/b`, "/a/*/b")
	f.Fuzz(func(t *testing.T, text, path string) {
		p, err := Parse(text, true)
		if err != nil || p.Plain() || !utf8.ValidString(text+path) || !strings.HasPrefix(path, "/") || strings.Contains(path, "//") || strings.HasSuffix(path, "/") {
			return
		}
		if strings.Contains(text, "//") || !strings.HasPrefix(path, Join(p.Base(), "")) {
			return
		}
		require.Equal(t, doublestar.MatchUnvalidated(text, path), matches(p, path), "%q %q", text, path)
	})
}
