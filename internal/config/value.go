package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// value is a field of Config, as text. The error of set goes on from the text that it was given ("is too short: use
// ...") without quoting it, since it may be secret.
type value interface {
	set(text string) error
	text() string
	kind() string // type and limits, for the documentation
}

type textValue struct{ field *string }

func (v textValue) set(text string) error {
	if strings.TrimSpace(text) == "" {
		return errors.New("is empty: set it, or leave it out for the default")
	}
	*v.field = text
	return nil
}

func (v textValue) text() string { return *v.field }

func (v textValue) kind() string { return "text" }

// pathValue is a file or folder; a relative path starts at the working directory.
type pathValue struct{ field *string }

func (v pathValue) set(text string) error {
	if strings.TrimSpace(text) == "" {
		return errors.New("is empty: set it, or leave it out for the default")
	}
	path, err := filepath.Abs(text)
	if err != nil {
		return fmt.Errorf("is relative to a working directory that is gone: %w", err)
	}
	*v.field = path
	return nil
}

func (v pathValue) text() string { return *v.field }

func (v pathValue) kind() string { return "path" }

type choiceValue struct {
	field   *string
	choices []string
}

func (v choiceValue) set(text string) error {
	if !slices.Contains(v.choices, text) {
		return fmt.Errorf("is not known: use %s", oneOf(v.choices))
	}
	*v.field = text
	return nil
}

func (v choiceValue) text() string { return *v.field }

func (v choiceValue) kind() string { return oneOf(v.choices) }

type boolValue struct{ field *bool }

func (v boolValue) set(text string) error {
	b, err := strconv.ParseBool(text)
	if err != nil {
		return errors.New("is neither true nor false: write one of them")
	}
	*v.field = b
	return nil
}

func (v boolValue) text() string { return strconv.FormatBool(*v.field) }

func (v boolValue) kind() string { return "true or false" }

type intValue struct {
	field    *int
	min, max int
	off      bool // 0 is allowed too
}

func (v intValue) set(text string) error {
	n, err := strconv.Atoi(text)
	switch {
	case v.off && n == 0 && err == nil:
		// none
	case errors.Is(err, strconv.ErrSyntax):
		return fmt.Errorf("is not a whole number: use %s", v.span())
	case n > v.max: // Atoi returns the nearest number when there are too many digits
		return fmt.Errorf("is too large: use %s", v.span())
	case n < v.min:
		return fmt.Errorf("is too small: use %s", v.span())
	}
	*v.field = n
	return nil
}

func (v intValue) text() string { return strconv.Itoa(*v.field) }

func (v intValue) kind() string { return "number, " + v.span() }

func (v intValue) span() string { return orZero(v.off) + fmt.Sprintf("%d to %d", v.min, v.max) }

// orZero begins a span of values that 0, for none, belongs to as well.
func orZero(off bool) string {
	if off {
		return "0 (none) or "
	}
	return ""
}

type durationValue struct {
	field    *time.Duration
	min, max time.Duration
	off      bool // 0 is allowed too
}

func (v durationValue) set(text string) error {
	d, err := time.ParseDuration(text)
	switch {
	case v.off && d == 0 && err == nil:
		// none
	case err != nil && isNumber(text):
		return fmt.Errorf("has no unit: write %ss if seconds are meant", text)
	case err != nil:
		return errors.New("is not a duration: write one such as 500ms, 30s, 5m or 1h30m")
	case d > v.max:
		return fmt.Errorf("is too long: use %s", v.span())
	case d < v.min:
		return fmt.Errorf("is too short: use %s", v.span())
	}
	*v.field = d
	return nil
}

func isNumber(text string) bool {
	_, err := strconv.ParseFloat(text, 64)
	return err == nil
}

func (v durationValue) text() string { return short(*v.field) }

func (v durationValue) kind() string { return "duration, " + v.span() }

func (v durationValue) span() string {
	return orZero(v.off) + fmt.Sprintf("%s to %s", short(v.min), short(v.max))
}

// short writes 5m0s as 5m and 1h0m0s as 1h.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// addressValue is host:port.
type addressValue struct {
	field *string
	off   bool // empty is allowed
}

func (v addressValue) set(text string) error {
	if text == "" && v.off {
		*v.field = ""
		return nil
	}
	_, port, err := net.SplitHostPort(text)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return errors.New("is not an address: write host:port, such as localhost:7233 or [::1]:7233")
	}
	*v.field = text
	return nil
}

func (v addressValue) text() string { return *v.field }

func (v addressValue) kind() string { return "host:port" }

// amqpName names an exchange or a queue.
type amqpName struct{ field *string }

func (v amqpName) set(text string) error {
	switch {
	case strings.TrimSpace(text) == "":
		return errors.New("is empty: name it, or leave it out for the default")
	case len(text) > 255:
		return errors.New("is too long: use at most 255 bytes")
	case strings.HasPrefix(text, "amq."):
		return errors.New("is reserved: the broker keeps names that begin with amq. to itself")
	}
	*v.field = text
	return nil
}

func (v amqpName) text() string { return *v.field }

func (v amqpName) kind() string { return "name" }

type urlValue struct {
	field   *string
	schemes []string
}

func (v urlValue) set(text string) error {
	u, err := url.Parse(text)
	switch {
	case err == nil && !slices.Contains(v.schemes, u.Scheme):
		return fmt.Errorf("is no %s URL: begin it with %s://", v.schemes[0], strings.Join(v.schemes, ":// or "))
	case maskURL(text) == hidden:
		return errors.New("is not a URL: percent-encode special characters of the password, such as %40 for @ and %2F for /")
	}
	*v.field = text
	return nil
}

func (v urlValue) text() string { return *v.field }

func (v urlValue) kind() string { return "URL, secret" }

// oneOf writes a list as "a, b or c".
func oneOf(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
