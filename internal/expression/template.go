package expression

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/schema"
	"github.com/attune-automation/sensors/internal/secret"
)

// MaxTemplates is how many `{{ }}` the parameters of one action may have.
const MaxTemplates = 200

// Template is a JSON value in whose texts stand expressions in `{{ }}`. It is immutable and safe for concurrent use.
//
// A text that is one template and nothing else becomes what the expression yields, of whatever type. In any other text
// each expression becomes a part of the text. Keys are no templates.
type Template struct {
	root     node
	programs []*located
}

// located is an expression with the place where it stands.
type located struct {
	*Program
	path         []string // keys and indexes that lead to its text
	line, column int      // where it begins in the text
	part         bool     // of a text, and not all of it
}

// PathProblem is a problem in a text of a template.
type PathProblem struct {
	Path    []string // keys and indexes that lead to the text
	Problem          // in the text, not in the expression
}

// PathProblems is all that is wrong with a template, as CompileTemplate's error. It is never empty.
type PathProblems []PathProblem

// String returns the problem as `headers[0]: line 1, column 9: ...`.
func (p PathProblem) String() string { return schema.FormatPath(p.Path) + ": " + p.Problem.String() }

// Error lists the problems, one a line.
func (p PathProblems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

// CompileTemplate prepares a JSON value; nil if there is no template in it. The error is PathProblems.
func CompileTemplate(rule Rule, value json.RawMessage) (*Template, error) {
	if !bytes.Contains(value, []byte(opening)) {
		return nil, nil
	}
	c := templateCompiler{rule: rule, template: &Template{}}
	c.template.root = c.node(value, nil)
	switch {
	case len(c.problems) > 0:
		return nil, c.problems
	case len(c.template.programs) > MaxTemplates:
		return nil, PathProblems{{Problem: Problem{Line: 1, Column: 1, Message: fmt.Sprintf(
			"has %d templates: at most %d are allowed", len(c.template.programs), MaxTemplates)}}}
	case len(c.template.programs) == 0:
		return nil, nil
	}
	return c.template, nil
}

// Uses reports whether an expression begins at the root.
func (t *Template) Uses(root condition.Root) bool {
	return slices.ContainsFunc(t.programs, func(p *located) bool { return p.Uses(root) })
}

// Render returns the value with what its expressions yield for an event. What they yield is never a reference to a
// secret: `${` is escaped in it where it would be one. The error is a *Failure that names the text, or the context's.
func (t *Template) Render(ctx context.Context, in *Input) (json.RawMessage, error) {
	e := encoder{escape: func(s string) string { return secret.Escape(secret.Part{Text: s, Data: true}) }}
	if err := t.root.render(ctx, in, &e); err != nil {
		return nil, err
	}
	if err := schema.CheckPayload(e.out.Bytes()); err != nil {
		return nil, &Failure{Message: fmt.Sprintf("the parameters cannot be stored: %v", err), Cause: CauseOther}
	}
	return e.out.Bytes(), nil
}

// at moves problems of the expression to where it stands.
func (l *located) at(problems Problems) PathProblems {
	moved := make(PathProblems, len(problems))
	for i, p := range problems {
		if p.Line == 1 {
			p.Column += l.column - 1
		}
		p.Line += l.line - 1
		moved[i] = PathProblem{Path: l.path, Problem: p}
	}
	return moved
}

type templateCompiler struct {
	rule     Rule
	template *Template
	problems PathProblems
}

func (c *templateCompiler) report(path []string, problems error) {
	found, ok := errors.AsType[Problems](problems)
	if !ok {
		found = Problems{{Line: 1, Column: 1, Message: problems.Error()}}
	}
	c.problems = append(c.problems, (&located{path: path, line: 1, column: 1}).at(found)...)
}

// node compiles the value at a path. What has no template in it stays the text that it is.
func (c *templateCompiler) node(raw json.RawMessage, path []string) node {
	if !bytes.Contains(raw, []byte(opening)) {
		return literal(raw)
	}
	switch raw[0] {
	case '{':
		return c.object(raw, path)
	case '[':
		return c.list(raw, path)
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		c.report(path, err)
		return literal(raw)
	}
	return c.text(text, path)
}

func (c *templateCompiler) object(raw json.RawMessage, path []string) node {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		c.report(path, err)
		return literal(raw)
	}
	o := objectNode{keys: slices.Sorted(maps.Keys(members))}
	for _, key := range o.keys {
		below := append(path[:len(path):len(path)], key)
		if HasTemplate(key) {
			c.report(below, Problems{{Line: 1, Column: 1, Message: "a key cannot be a template: write the whole object as one, such as {{ {payload.name: 1} }}"}})
		}
		o.values = append(o.values, c.node(bytes.TrimSpace(members[key]), below))
	}
	return o
}

func (c *templateCompiler) list(raw json.RawMessage, path []string) node {
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		c.report(path, err)
		return literal(raw)
	}
	l := make(listNode, len(items))
	for i, item := range items {
		l[i] = c.node(bytes.TrimSpace(item), append(path[:len(path):len(path)], strconv.Itoa(i)))
	}
	return l
}

func (c *templateCompiler) text(text string, path []string) node {
	pieces, err := scan(text)
	if err == nil {
		err = checkDollars(pieces)
	}
	if err != nil {
		c.report(path, err)
		return literal("null")
	}
	t := textNode{path: path}
	for _, p := range pieces {
		part := textPart{literal: p.literal}
		if p.isTemplate {
			part.program = &located{path: path, line: p.line, column: p.column, part: len(pieces) > 1}
			if part.program.Program, err = Compile(c.rule, p.expression); err != nil {
				if found, ok := errors.AsType[Problems](err); ok {
					c.problems = append(c.problems, part.program.at(found)...)
				} else {
					c.report(path, err)
				}
				continue
			}
			c.template.programs = append(c.template.programs, part.program)
		}
		t.parts = append(t.parts, part)
	}
	return t
}
