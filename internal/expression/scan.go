package expression

import (
	"fmt"
	"strings"
)

// A piece is a part of a text with templates: literal text, or an expression with the place at which it begins.
type piece struct {
	literal    string
	expression string
	isTemplate bool
	line       int // of the expression's first character in the text, from 1
	column     int // likewise, in characters
}

const opening, closing = "{{", "}}"

// HasTemplate says whether a text has a template in it.
func HasTemplate(text string) bool { return strings.Contains(text, opening) }

// scan splits a text at its templates. `}}` ends one unless it stands inside a string, or closes braces that were opened
// in the expression. A text has no other way to write `{{` than as a template that yields it.
func scan(text string) ([]piece, error) {
	var pieces []piece
	rest := text
	for {
		at := strings.Index(rest, opening)
		if at < 0 {
			if rest != "" || len(pieces) == 0 {
				pieces = append(pieces, piece{literal: rest})
			}
			return pieces, nil
		}
		if at > 0 {
			pieces = append(pieces, piece{literal: rest[:at]})
		}
		start := len(text) - len(rest) + at + len(opening)
		line, column := place(text[:start])
		length, ok := expressionEnd(text[start:])
		if !ok {
			return nil, Problems{{Line: line, Column: column, Message: `{{ has no closing }}: close it, or write {{ "{{" }} for the text {{`}}
		}
		pieces = append(pieces, piece{isTemplate: true, expression: text[start : start+length], line: line, column: column})
		rest = text[start+length+len(closing):]
	}
}

// place returns line and column of what follows a text.
func place(before string) (line, column int) {
	last := before[strings.LastIndexByte(before, '\n')+1:]
	return 1 + strings.Count(before, "\n"), 1 + len([]rune(last))
}

// expressionEnd returns where the `}}` stands that ends the expression at the beginning of a text.
func expressionEnd(text string) (int, bool) {
	depth := 0
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case strings.HasPrefix(text[i:], closing) && depth == 0:
			return i, true
		case c == '{':
			depth++
		case c == '}':
			depth = max(depth-1, 0)
		case c == '"' || c == '\'':
			raw := i > 0 && strings.ContainsRune("rR", rune(text[i-1]))
			i += stringLength(text[i:], raw)
			continue
		case c == '`':
			if end := strings.IndexByte(text[i+1:], '`'); end >= 0 {
				i += end + 1
			}
		case strings.HasPrefix(text[i:], "//"):
			end := strings.IndexByte(text[i:], '\n')
			if end < 0 {
				return 0, false
			}
			i += end
		}
		i++
	}
	return 0, false
}

// stringLength returns how long the string literal is that a text begins with; the whole text if it has no end.
func stringLength(text string, raw bool) int {
	quote := text[:1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(text, triple) {
		quote = triple
	}
	for i := len(quote); i < len(text); i++ {
		switch {
		case text[i] == '\\' && !raw:
			i++
		case strings.HasPrefix(text[i:], quote):
			return i + len(quote)
		}
	}
	return len(text)
}

// checkDollars refuses texts in which a reference to a secret, or the beginning of one, would hold what a template
// yields: which secret it is must not be for an event to say.
func checkDollars(pieces []piece) error {
	for i, p := range pieces {
		if p.isTemplate || i+1 == len(pieces) {
			continue
		}
		next := pieces[i+1]
		open := strings.LastIndex(p.literal, "${")
		switch {
		case strings.HasSuffix(p.literal, "$"):
			return Problems{{Line: next.line, Column: next.column, Message: fmt.Sprintf(
				`a template is {{ }} without $: remove it, or write {{ "$" + string(%s) }} if it should be there`, strings.TrimSpace(next.expression))}}
		case open >= 0 && !strings.Contains(p.literal[open:], "}"):
			return Problems{{Line: next.line, Column: next.column,
				Message: "the name of a secret cannot be a template: write ${secret:NAME} out"}}
		}
	}
	return nil
}
