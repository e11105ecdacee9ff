package expression

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"

	"github.com/attune-automation/sensors/internal/typo"
)

// Problem is one thing that is wrong with an expression.
type Problem struct {
	Line    int    // in the expression, from 1
	Column  int    // in characters, from 1
	Message string // what is wrong and what to do
}

// String returns the problem as `line 1, column 9: ...`.
func (p Problem) String() string {
	return fmt.Sprintf("line %d, column %d: %s", p.Line, p.Column, p.Message)
}

// Problems is all that is wrong with an expression, as Compile's error. It is never empty.
type Problems []Problem

// Error lists the problems, one a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

// maxProblems is how many problems of one expression are reported: a slip in its syntax has CEL find many.
const maxProblems = 10

var (
	undeclared   = regexp.MustCompile(`^undeclared reference to '([^']*)'.*`)
	noOverload   = regexp.MustCompile(`^found no matching overload for '([^']*)' applied to '(.*)'$`)
	expectations = regexp.MustCompile(` expecting (\{.*\}|'.*'|<EOF>)$`)
	twoTypes     = regexp.MustCompile(`^(_\?_:_\((bool|dyn), |or(Value)?optional_type|\+\(list\(.*\), list\()`)
	operatorName = regexp.MustCompile(`^[_@]*([^_a-z]+)_*$`)
)

// problems says in other words what CEL found.
func (e *environ) problems(issues *cel.Issues) Problems {
	var all Problems
	for _, issue := range issues.Errors() {
		p := Problem{Line: max(issue.Location.Line(), 1), Column: max(issue.Location.Column(), 0) + 1, Message: e.message(issue.Message)}
		if !slices.Contains(all, p) && len(all) < maxProblems {
			all = append(all, p)
		}
	}
	return all
}

func (e *environ) message(text string) string {
	if m := undeclared.FindStringSubmatch(text); m != nil {
		name := m[1]
		if slices.Contains(groupNames, name) {
			return fmt.Sprintf("%s is known only in the action's parameters of a rule with throttle or correlate: give the rule one, or begin at payload", name)
		}
		if near := typo.Closest(name, slices.Concat(e.roots, e.names)); near != "" {
			return fmt.Sprintf("unknown name %q: did you mean %q?", name, near)
		}
		return fmt.Sprintf("unknown name %q: an expression begins at %s, or calls a function", name, strings.Join(e.roots, ", "))
	}
	if m := noOverload.FindStringSubmatch(text); m != nil {
		name := m[1]
		if o := operatorName.FindStringSubmatch(name); o != nil {
			name = o[1]
		}
		if twoTypes.MatchString(name + m[2]) {
			return fmt.Sprintf("%s does not take %s, which are of different types: write dyn(...) around one of them, if it may yield either",
				strings.Trim(strings.ReplaceAll(name, "_?_:_", "? :"), "_"), m[2])
		}
		return fmt.Sprintf("%s does not take %s: convert what it is given, such as by string(...) or int(...)", name, m[2])
	}
	switch {
	case strings.HasPrefix(text, "invalid argument to has()"):
		return "has() takes a field behind a dot, such as has(payload.x): of another key ask \"a-b\" in payload"
	case strings.Contains(text, "token recognition error at: '="):
		return "syntax error: = compares nothing: write =="
	case strings.Contains(text, "exceed"):
		return text + ": write less, such as conditions for parts of it"
	}
	text = expectations.ReplaceAllString(text, "")
	text = strings.ReplaceAll(text, "'<EOF>'", "the end")
	return strings.Replace(text, "Syntax error:", "syntax error:", 1)
}

// plainError says in other words what an evaluation ended with, in a text that can be stored.
func plainError(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD") // which a key may have that is computed
	switch key, missing := strings.CutPrefix(text, "no such key: "); {
	case missing:
		return fmt.Sprintf("%s is missing", key)
	case strings.HasPrefix(text, "no such overload"):
		return "does not take values of these types" + strings.TrimPrefix(text, "no such overload")
	case strings.HasPrefix(text, "no such attribute"):
		return "is missing on this event"
	case strings.HasPrefix(text, "unsupported conversion to ref.Val: (json.Number)"):
		return "the number " + strings.TrimPrefix(text, "unsupported conversion to ref.Val: (json.Number)") + " is too large"
	}
	return text
}

// cause is what kind of a failure it is that an evaluation ended with.
func cause(text string) Cause {
	switch {
	case strings.HasPrefix(text, "no such key"), strings.HasPrefix(text, "no such attribute"), strings.HasPrefix(text, "index "):
		return CauseMissing
	case strings.HasPrefix(text, "no such overload"):
		return CauseTypes
	}
	return CauseOther
}
