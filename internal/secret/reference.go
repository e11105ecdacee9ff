package secret

import (
	"fmt"
	"strings"
)

const (
	nameRule    = "use letters, digits, '_', '-' and '.', at most 200, and begin with a letter, a digit or '_'"
	writeInFull = "write ${secret:NAME}, or $${ for a literal ${"
)

// NameIn returns the name of the secret that a text is a reference to; false: it is something else, or more than that.
func NameIn(text string) (string, bool) {
	name, rest, err := parseReference(text)
	return name, err == nil && rest == ""
}

// piece is a part of a string: literal text, or the name of the secret whose value stands there.
type piece struct{ literal, name string }

// parse splits a string at its references. `$${` is a literal `${`; so is a `${` before which no "secret" stands, as in
// the templates of other programs. The error is about the first malformed reference.
func parse(text string) ([]piece, error) {
	var pieces []piece
	for text != "" {
		at := strings.Index(text, "${")
		switch {
		case at < 0:
			return append(pieces, piece{literal: text}), nil
		case at > 0 && text[at-1] == '$':
			pieces = append(pieces, piece{literal: text[:at-1] + "${"})
			text = text[at+2:]
		case !meansSecret(text[at+2:]):
			pieces = append(pieces, piece{literal: text[:at+2]})
			text = text[at+2:]
		default:
			name, rest, err := parseReference(text[at:])
			if err != nil {
				return nil, err
			}
			pieces = append(pieces, piece{literal: text[:at]}, piece{name: name})
			text = rest
		}
	}
	return pieces, nil
}

// meansSecret says whether what follows `${` was meant as a reference, well written or not.
func meansSecret(text string) bool {
	text = strings.TrimLeft(text, " \t")
	const word = "secret"
	return len(text) >= len(word) && strings.EqualFold(text[:len(word)], word)
}

// parseReference takes a reference off the beginning of a text.
func parseReference(text string) (name, rest string, err error) {
	reference, rest, closed := strings.Cut(text, "}")
	if !closed {
		return "", "", fmt.Errorf("%.80q has no closing }: %s", text, writeInFull)
	}
	name, ok := strings.CutPrefix(reference, "${secret:")
	switch {
	case !ok:
		return "", "", fmt.Errorf("%.80q is no reference to a secret: %s", reference+"}", writeInFull)
	case name == "":
		return "", "", fmt.Errorf("%q names no secret: %s", reference+"}", writeInFull)
	case !namePattern.MatchString(name):
		return "", "", fmt.Errorf("%.80q has a bad name: %s", reference+"}", nameRule)
	}
	return name, rest, nil
}
