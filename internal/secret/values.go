package secret

import (
	"bytes"
	"encoding/base64"
	"maps"
	"slices"
	"strings"
)

// Mask is what stands in the place of a secret's value in text for people.
const Mask = "***"

// minEncoded is the fewest characters of base64 that are taken for a part of a secret: fewer are in any data.
const minEncoded = 8

// Values are the secrets of one poll. The zero Values are none, and cost nothing. Printing them shows their names only.
type Values struct{ set *set }

// set is what Values share between their copies.
type set struct {
	values  map[string]string
	needles []needle
}

// needle is one form of a secret's value, or of a part of it.
type needle struct {
	text []byte
	name string
	part bool // one line of several: masked in text for people, but no proof of a leak in data
}

func newValues(values map[string]string) Values {
	if len(values) == 0 {
		return Values{}
	}
	s := &set{values: values}
	seen := map[string]bool{}
	add := func(name, text string, part bool) {
		if !seen[text] {
			seen[text] = true
			s.needles = append(s.needles, needle{text: []byte(text), name: name, part: part})
		}
	}
	names := slices.Sorted(maps.Keys(values))
	for _, name := range names {
		add(name, values[name], false)
		// In a query, + is a space.
		add(name, strings.ReplaceAll(values[name], " ", "+"), false)
	}
	for _, name := range names {
		for _, form := range encodings(values[name]) {
			add(name, form, false)
		}
		for _, line := range wrapped(values[name]) {
			add(name, line, true)
		}
		// Logs are masked a line at a time, and what prints a value may trim it.
		for line := range strings.Lines(values[name]) {
			if line = strings.TrimSpace(line); len(line) >= minValue {
				add(name, line, true)
			}
		}
	}
	return Values{s}
}

// encodings returns what is the same in every base64 text that has the value in it, at each of the three ways in which
// it can fall on groups of three bytes: so the value is found in "Basic " + base64(user:value), too.
func encodings(value string) []string {
	var forms []string
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for shift := range 3 {
			encoded := encoding.EncodeToString(append(make([]byte, shift), value...))
			first, end := (8*shift+5)/6, 8*(shift+len(value))/6 // characters that all of whose bits are the value's
			if end-first >= minEncoded {
				forms = append(forms, encoded[first:end])
			}
		}
	}
	return forms
}

// wrapped returns the lines of the base64 text of a value alone, as base64(1), MIME and PEM break them.
func wrapped(value string) []string {
	var lines []string
	for _, width := range []int{76, 64} {
		for _, text := range []string{value, value + "\n"} { // as echo writes it
			encoded := base64.StdEncoding.EncodeToString([]byte(text))
			for len(encoded) > width {
				lines, encoded = append(lines, encoded[:width]), encoded[width:]
				if len(encoded) <= width && len(encoded) >= minEncoded {
					lines = append(lines, encoded)
				}
			}
		}
	}
	return lines
}

// Plain returns the values by the names of their secrets.
func (v Values) Plain() map[string]string {
	if v.set == nil {
		return map[string]string{}
	}
	return maps.Clone(v.set.values)
}

// String returns the names.
func (v Values) String() string {
	if v.set == nil {
		return "no secrets"
	}
	return "secrets " + strings.Join(slices.Sorted(maps.Keys(v.set.values)), ", ")
}

// GoString returns the names.
func (v Values) GoString() string { return v.String() }

// Mask replaces every value in a text for people by ***, also where it is JSON-escaped, percent-encoded or in base64. Of
// a value of several lines, each line is masked. What it returns has no value in it.
func (v Values) Mask(text string) string { return v.mask(text, false) }

// MaskCut is Mask for a text that was cut off: the beginning of a value at its end is masked as well.
func (v Values) MaskCut(text string) string { return v.mask(text, true) }

func (v Values) mask(text string, cut bool) string {
	if v.set == nil {
		return text
	}
	for {
		spans := v.set.spans([]byte(text), cut)
		if len(spans) == 0 {
			return text
		}
		// What now stands side by side may be a value again. A mask is shorter than what it hides, so this ends.
		text = cover(text, spans)
	}
}

// Find returns the name of a secret whose value is in data, which may be JSON; also where it is JSON-escaped,
// percent-encoded or in base64.
func (v Values) Find(raw []byte) (name string, found bool) {
	if v.set == nil {
		return "", false
	}
	for view := range views(raw, false) {
		for _, n := range v.set.needles {
			if !n.part && bytes.Contains(view.text, n.text) {
				return n.name, true
			}
		}
	}
	return "", false
}
