package webhook

import (
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// place is what stands for a part of a request in a template of what is signed.
type place string

const (
	placeText      place = "text"
	placeBody      place = "body"
	placeTimestamp place = "timestamp"
	placeMethod    place = "method"
	placePath      place = "path"
	placeQuery     place = "query"
	placeHeader    place = "header"
)

// template says what is signed, as texts and places of a request.
type template []piece

type piece struct {
	place place
	text  string // literal, or the name of a header
}

const placesHelp = "use {body}, {timestamp}, {method}, {path}, {query} and {header:NAME}"

// parseTemplate reads a template such as {timestamp}.{body}. What a signature does not cover anybody can change, so it
// must have the body.
func parseTemplate(text string) (template, error) {
	var t template
	for text != "" {
		literal, rest, found := strings.Cut(text, "{")
		if literal != "" {
			t = append(t, piece{placeText, literal})
		}
		if !found {
			break
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return nil, fmt.Errorf("%.60q has no closing }: %s", "{"+rest, placesHelp)
		}
		p, err := parsePlace(name)
		if err != nil {
			return nil, err
		}
		t = append(t, p)
		text = after
	}
	if !t.has(placeBody) {
		return nil, errors.New("does not have {body}, so that anybody could change it: write what the sender signs, such as {timestamp}.{body}")
	}
	return t, nil
}

func parsePlace(name string) (piece, error) {
	if header, ok := strings.CutPrefix(name, "header:"); ok {
		if !httpguts.ValidHeaderFieldName(header) {
			return piece{}, fmt.Errorf("{%.60s} names no header: write one such as {header:X-Event-Id}", name)
		}
		return piece{placeHeader, header}, nil
	}
	p := place(name)
	if !slices.Contains([]place{placeBody, placeTimestamp, placeMethod, placePath, placeQuery}, p) {
		return piece{}, fmt.Errorf("{%.60s} is no part of a request: %s", name, placesHelp)
	}
	return piece{place: p}, nil
}

func (t template) has(p place) bool {
	return slices.ContainsFunc(t, func(one piece) bool { return one.place == p })
}

// write writes what is signed of a request. A header that is missing, or there more than once, is signed by nobody.
func (t template) write(to hash.Hash, r Request, timestamp string) error {
	for _, one := range t {
		text := one.text
		switch one.place {
		case placeBody:
			_, _ = to.Write(r.Body) // a hash takes all
			continue
		case placeTimestamp:
			text = timestamp
		case placeMethod:
			text = r.Method
		case placePath:
			text = r.Path
		case placeQuery:
			text = r.Query
		case placeHeader:
			var err error
			if text, err = r.only(one.text); err != nil {
				return err
			}
		}
		_, _ = io.WriteString(to, text)
	}
	return nil
}
