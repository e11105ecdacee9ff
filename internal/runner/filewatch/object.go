package filewatch

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/size"
	"github.com/attune-automation/sensors/internal/typo"
)

// object reads the keys of a JSON object. What is wrong it notes, and goes on with what holds by default.
type object struct {
	problems *sensor.ConfigProblems
	path     []string
	values   map[string]json.RawMessage
	known    []string // keys that were asked for
	bad      map[string]bool
}

func read(problems *sensor.ConfigProblems, path []string, raw json.RawMessage) *object {
	o := &object{problems: problems, path: path, bad: map[string]bool{}}
	if err := json.Unmarshal(raw, &o.values); err != nil {
		o.note(nil, fmt.Sprintf("got %s: write keys and values", shorten(raw)))
	}
	return o
}

func (o *object) note(below []string, message string) {
	path := append(o.path[:len(o.path):len(o.path)], below...)
	*o.problems = append(*o.problems, sensor.ConfigProblem{Path: path, Message: message})
}

func (o *object) problem(key, message string) {
	o.bad[key] = true
	o.note([]string{key}, message)
}

func (o *object) problemAt(key string, i int, message string) {
	o.bad[key] = true
	o.note([]string{key, strconv.Itoa(i)}, message)
}

// broken says whether a problem with a key is noted already.
func (o *object) broken(key string) bool { return o.bad[key] }

// finish notes keys that nobody asked for.
func (o *object) finish() {
	var unknown []string
	for key := range o.values {
		if !slices.Contains(o.known, key) {
			unknown = append(unknown, key)
		}
	}
	slices.Sort(unknown)
	for _, key := range unknown {
		o.problem(key, "unknown key: "+didYouMean(key, o.known))
	}
}

// didYouMean hints at the closest of some words.
func didYouMean(got string, words []string) string {
	best, closest := "", len(got)/3+1
	for _, word := range words {
		if d := typo.Distance(got, word); d <= closest {
			best, closest = word, d-1
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return "use one of " + strings.Join(words, ", ")
}

// value returns what is at a key; false if it is absent or null.
func (o *object) value(key string) (json.RawMessage, bool) {
	if !slices.Contains(o.known, key) {
		o.known = append(o.known, key)
	}
	raw, ok := o.values[key]
	return raw, ok && !bytes.Equal(raw, []byte("null"))
}

func (o *object) has(key string) bool {
	_, ok := o.value(key)
	return ok
}

func (o *object) flag(key string, fallback bool) bool {
	raw, ok := o.value(key)
	if !ok {
		return fallback
	}
	var v bool
	if json.Unmarshal(raw, &v) != nil {
		o.problem(key, fmt.Sprintf("got %s: write true or false", shorten(raw)))
		return fallback
	}
	return v
}

func textOf(raw json.RawMessage) (text string, ok bool) {
	return text, json.Unmarshal(raw, &text) == nil && len(raw) > 0 && raw[0] == '"'
}

func (o *object) text(key, fallback string) string {
	raw, ok := o.value(key)
	if !ok {
		return fallback
	}
	text, ok := textOf(raw)
	if !ok || text == "" {
		o.problem(key, fmt.Sprintf("got %s: write a text", shorten(raw)))
		return fallback
	}
	return text
}

// choice returns one of a few words. Without a fallback the key must be there.
func (o *object) choice(key, fallback string, words ...string) string {
	raw, ok := o.value(key)
	if !ok {
		if fallback == "" {
			o.problem(key, "missing: write "+strings.Join(words, " or "))
		}
		return fallback
	}
	text, ok := textOf(raw)
	if !ok || !slices.Contains(words, text) {
		o.problem(key, fmt.Sprintf("unknown %s %s: %s", key, shorten(raw), didYouMean(text, words)))
		return fallback
	}
	return text
}

// elements returns the elements of a list of bounded length.
func (o *object) elements(key string, most int) []json.RawMessage {
	raw, ok := o.value(key)
	if !ok {
		return nil
	}
	var list []json.RawMessage
	switch err := json.Unmarshal(raw, &list); {
	case err != nil:
		o.problem(key, fmt.Sprintf("got %s: write a list", shorten(raw)))
		return nil
	case len(list) > most:
		o.problem(key, fmt.Sprintf("has %d elements: write at most %d", len(list), most))
		return nil
	}
	return list
}

func (o *object) texts(key string, most int) []string {
	list := o.elements(key, most)
	texts := make([]string, len(list))
	for i, raw := range list {
		text, ok := textOf(raw)
		if !ok {
			o.problemAt(key, i, fmt.Sprintf("got %s: write a text", shorten(raw)))
			return nil
		}
		texts[i] = text
	}
	return texts
}

func (o *object) choices(key string, words []string) []string {
	texts := o.texts(key, len(words))
	for i, text := range texts {
		if !slices.Contains(words, text) {
			o.problemAt(key, i, fmt.Sprintf("unknown word %q: %s", text, didYouMean(text, words)))
		}
	}
	return texts
}

func (o *object) duration(key string, fallback, least, most time.Duration) time.Duration {
	raw, ok := o.value(key)
	if !ok {
		return fallback
	}
	text, ok := textOf(raw)
	if !ok && string(raw) == "0" {
		text = "0"
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		o.problem(key, fmt.Sprintf("got %s: write a duration such as 500ms, 30s or 5m", shorten(raw)))
	case d < least || d > most:
		o.problem(key, fmt.Sprintf("%s is out of bounds: write a duration from %s to %s", text, plain(least), plain(most)))
	default:
		return d
	}
	return fallback
}

// plain writes a duration without units that are zero.
func plain(d time.Duration) string {
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}

func (o *object) size(key string, fallback, least, most int64) int64 {
	raw, ok := o.value(key)
	if !ok {
		return fallback
	}
	text, ok := textOf(raw)
	if !ok {
		text = string(raw)
	}
	v, err := size.Parse(text)
	switch {
	case err != nil:
		o.problem(key, fmt.Sprintf("%s %v", shorten(raw), err))
	case v < least || v > most:
		o.problem(key, fmt.Sprintf("%s is out of bounds: write a size from %s to %s", text, size.Format(least), size.Format(most)))
	default:
		return v
	}
	return fallback
}

func (o *object) regexp(key string) *regexp.Regexp {
	text := o.text(key, "")
	if text == "" {
		return nil
	}
	expression, err := compile(text)
	if err != nil {
		o.problem(key, err.Error())
		return nil
	}
	return expression
}

// object returns what is at a key; nil if it is absent.
func (o *object) object(key string) *object {
	raw, ok := o.value(key)
	if !ok {
		return nil
	}
	return read(o.problems, append(o.path[:len(o.path):len(o.path)], key), raw)
}

func (o *object) element(key string, i int, raw json.RawMessage) *object {
	return read(o.problems, append(o.path[:len(o.path):len(o.path)], key, strconv.Itoa(i)), raw)
}

func shorten(raw json.RawMessage) string {
	const most = 60
	if text := []rune(string(raw)); len(text) > most {
		return string(text[:most]) + "..."
	}
	return string(raw)
}

// fingerprint returns a short text that is the same for the same values only.
func fingerprint(values ...any) string {
	raw, err := json.Marshal(values)
	if err != nil {
		panic(err) // flags and texts always can be written
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8])
}
