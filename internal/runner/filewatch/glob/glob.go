// Package glob reads the paths of file sensors: files, folders, and patterns such as /srv/in/**/*.csv. A pattern is
// followed folder by folder, so that a walk enters only folders in which something can match.
package glob

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"
)

// maxSegments is how many positions a Place can hold.
const maxSegments = 60

// Pattern is an absolute path, of which segments may be patterns. In a segment * stands for any characters, ? for one,
// [abc] and [a-z] for one of some, {a,b} for one of several words, and a backslash takes the meaning from what follows.
// The segment ** stands for any number of folders.
type Pattern struct {
	text     string
	base     string // as much of the path as has no pattern
	plain    bool   // no segment is a pattern
	folder   bool   // it is plain and ends with a slash
	segments []segment
}

// Parse reads a path. A path without a pattern that turns out to be a folder stands for the files in it, with recursive
// for those at any depth.
func Parse(text string, recursive bool) (Pattern, error) {
	switch {
	case text == "":
		return Pattern{}, errors.New("is empty: write an absolute path, such as /srv/in/*.csv")
	case strings.ContainsRune(text, 0):
		return Pattern{}, errors.New("has a NUL character, which no path has")
	case text[0] != '/':
		return Pattern{}, fmt.Errorf("%q is relative: write an absolute path, such as /srv/in/*.csv", text)
	}
	p := Pattern{text: text, base: "/"}
	names, err := split(text)
	if err != nil {
		return Pattern{}, err
	}
	for _, name := range names {
		if len(p.segments) == 0 && !strings.ContainsAny(name, `*?[{\`) {
			p.base = Join(p.base, name)
			continue
		}
		if err := check(name); err != nil {
			return Pattern{}, err
		}
		if name != "**" && strings.HasPrefix(name, "**") {
			return Pattern{}, fmt.Errorf("the pattern %q stands for no folders: write **/%s, or one *", name, name[1:])
		}
		p.segments = append(p.segments, newSegment(name))
	}
	return p.complete(recursive)
}

func (p Pattern) complete(recursive bool) (Pattern, error) {
	p.plain = len(p.segments) == 0
	slash := strings.HasSuffix(p.text, "/")
	switch {
	case p.plain:
		p.folder = slash
		p.segments = []segment{newSegment("*")}
		if recursive {
			p.segments = []segment{newSegment("**")}
		}
	case slash:
		return Pattern{}, fmt.Errorf("%q names folders: write which files in them, such as %s*", p.text, p.text)
	case len(p.segments) > maxSegments:
		return Pattern{}, fmt.Errorf("%.40q... has more than %d segments: begin with a longer folder", p.text, maxSegments)
	}
	if p.base == "/" && p.segments[0].any {
		return Pattern{}, fmt.Errorf("%q is the whole machine: begin with a folder, such as /srv/**", p.text)
	}
	return p, nil
}

// split returns the segments of a path.
func split(text string) ([]string, error) {
	var names []string
	depth, start := 0, 0
	end := func(i int) error {
		name := text[start:i]
		start = i + 1
		switch name {
		case "":
			return nil
		case ".", "..":
			return fmt.Errorf("%q has the segment %q: write the path without it", text, name)
		}
		names = append(names, name)
		return nil
	}
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
			if i < len(text) && text[i] == '/' {
				return nil, fmt.Errorf("%q has a backslash before a slash: leave it out", text)
			}
		case '{':
			depth++
		case '}':
			depth--
		case '/':
			if depth > 0 {
				return nil, fmt.Errorf("%q has a slash within braces: write a path for each", text)
			}
			if err := end(i); err != nil {
				return nil, err
			}
		}
	}
	return names, end(len(text))
}

// Join returns the path of a name in a folder, which does not end with a slash unless it is the root.
func Join(folder, name string) string {
	if strings.HasSuffix(folder, "/") {
		return folder + name
	}
	return folder + "/" + name
}

// String returns the path as it was written.
func (p Pattern) String() string { return p.text }

// Base returns the folder in which a walk begins; of a path without a pattern the path, which may also be a file.
func (p Pattern) Base() string { return p.base }

// Plain says whether the path has no pattern, so that it is one file, or one folder.
func (p Pattern) Plain() bool { return p.plain }

// Folder says whether the path has no pattern and ends with a slash, so that it must be a folder.
func (p Pattern) Folder() bool { return p.folder }

// Place is a folder, as a pattern sees it: the set of the segments that the names in it are compared with.
type Place uint64

// Start returns the place of the pattern's base.
func (p Pattern) Start() Place { return p.close(1) }

// Enter returns the place of a folder in another one; 0: nothing in it can match.
func (p Pattern) Enter(at Place, name string) Place {
	var next Place
	for rest := at; rest != 0; rest &= rest - 1 {
		i := bits.TrailingZeros64(uint64(rest))
		switch {
		case p.segments[i].any:
			next |= 1 << i
		case i+1 < len(p.segments) && p.segments[i].match(name):
			next |= 1 << (i + 1)
		}
	}
	return p.close(next)
}

// Match says whether a file in a folder matches.
func (p Pattern) Match(at Place, name string) bool {
	last := len(p.segments) - 1
	return at&(1<<last) != 0 && p.segments[last].match(name)
}

// close adds what can be reached without entering a folder: a ** may stand for none.
func (p Pattern) close(at Place) Place {
	for i := range len(p.segments) - 1 {
		if at&(1<<i) != 0 && p.segments[i].any {
			at |= 1 << (i + 1)
		}
	}
	return at
}
