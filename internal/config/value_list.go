package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// listValue is a list of words of one kind, each at most once.
type listValue struct {
	field *[]string
	word  word
	off   bool // none is allowed
}

func (v listValue) set(text string) error {
	var list []string
	for word := range strings.SplitSeq(text, ",") {
		word = strings.TrimSpace(word)
		if word == "" {
			continue
		}
		if err := v.word.check(word); err != nil {
			return fmt.Errorf("has %w", err)
		}
		if slices.Contains(list, word) {
			return fmt.Errorf("has %q twice: name it once", word)
		}
		list = append(list, word)
	}
	if list == nil && !v.off {
		return fmt.Errorf("is empty: use %s", v.word.some())
	}
	*v.field = list
	return nil
}

func (v listValue) text() string { return strings.Join(*v.field, ",") }

func (v listValue) kind() string { return "list of " + v.word.kind() }

// word is a kind of words in a list. The error of check names the word that is wrong: it goes on from "has".
type word interface {
	check(word string) error
	some() string // what to write instead of an empty list
	kind() string
}

// choices are a few known words.
type choices []string

func (c choices) check(word string) error {
	if !slices.Contains(c, word) {
		return fmt.Errorf("the unknown word %q: use %s", word, c.some())
	}
	return nil
}

func (c choices) some() string { return "some of " + c.kind() }

func (c choices) kind() string { return strings.Join(c, ", ") }

// queueNames are words that can end the name of a task queue.
func queueNames() names {
	return names{regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]*$`),
		"lower-case letters, digits, '_', '.' and '-', such as python3 or on-site", "names of queues"}
}

// variableNames are names of variables of an environment.
func variableNames() names {
	return names{regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`), "letters, digits and '_', such as HTTPS_PROXY", "names of variables"}
}

// names are any words of one form.
type names struct {
	pattern *regexp.Regexp
	form    string // the pattern in words
	word    string // what they are
}

func (n names) check(word string) error {
	if !n.pattern.MatchString(word) {
		return fmt.Errorf("the name %q: use %s", word, n.form)
	}
	return nil
}

func (n names) some() string { return n.kind() }

func (n names) kind() string { return n.word }

// paths are files and folders of this machine.
type paths struct{}

func (paths) check(word string) error { return checkAbsolute(word) }

func (paths) some() string { return "absolute paths" }

func (paths) kind() string { return "absolute paths" }

func checkAbsolute(path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("the path %q: begin it with /", path)
	}
	return nil
}

// directoryValue is the absolute path of a folder.
type directoryValue struct {
	field *string
	off   bool // empty is allowed
}

func (v directoryValue) set(text string) error {
	switch {
	case text == "" && v.off:
		// none
	case !filepath.IsAbs(text):
		return errors.New("is not an absolute path: begin it with /")
	}
	*v.field = text
	return nil
}

func (v directoryValue) text() string { return *v.field }

func (v directoryValue) kind() string { return "absolute path" }
