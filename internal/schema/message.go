package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// collect flattens the validator's tree of causes into what a person has to correct. The value that was
// checked stands at the path name, above.
func collect(name string, above []string, err *jsonschema.ValidationError) Violations {
	c := collector{prefix: append([]string{name}, above...), printer: message.NewPrinter(language.English)}
	c.add(err)
	return c.found.sorted()
}

// collectWritten is collect for a value that somebody wrote, and who is told how to write it otherwise.
func collectWritten(name string, err *jsonschema.ValidationError) Violations {
	c := collector{prefix: []string{name}, printer: message.NewPrinter(language.English), written: true}
	c.add(err)
	return c.found.sorted()
}

type collector struct {
	prefix  []string
	printer *message.Printer
	written bool
	found   Violations
}

func (c *collector) add(err *jsonschema.ValidationError) {
	switch k := err.ErrorKind.(type) {
	case *kind.Required:
		for _, key := range k.Missing {
			c.report(err, "missing, the schema requires it", key)
		}
	case *kind.AdditionalProperties:
		for _, key := range k.Properties {
			c.report(err, "unknown key, the schema allows no such", key)
		}
	case *kind.Contains, *kind.MinContains, *kind.MaxContains:
		c.report(err, c.text(err))
	case *kind.AnyOf, *kind.OneOf:
		c.report(err, c.alternatives(err))
	case *kind.PropertyNames:
		c.report(err, "bad key: "+c.inline(err.Causes, err), k.Property)
	default:
		for _, cause := range err.Causes {
			c.add(cause)
		}
		if len(err.Causes) == 0 {
			c.report(err, c.text(err))
		}
	}
}

func (c *collector) report(err *jsonschema.ValidationError, text string, keys ...string) {
	path := slices.Concat(c.prefix, err.InstanceLocation, keys)
	c.found = append(c.found, Violation{Path: path, Message: text})
}

// alternatives says for each branch of an anyOf or oneOf why it does not fit.
func (c *collector) alternatives(err *jsonschema.ValidationError) string {
	if k, ok := err.ErrorKind.(*kind.OneOf); ok && len(k.Subschemas) > 1 {
		return fmt.Sprintf("fits alternatives %d and %d of oneOf, want exactly one", k.Subschemas[0]+1, k.Subschemas[1]+1)
	}
	var branches []string
	for _, cause := range err.Causes {
		branches = append(branches, c.inline([]*jsonschema.ValidationError{cause}, err))
	}
	slices.Sort(branches)
	return "fits none of the alternatives: " + strings.Join(slices.Compact(branches), ", or ")
}

// inline renders causes within one message, their paths relative to the value that the message is about.
func (c *collector) inline(causes []*jsonschema.ValidationError, about *jsonschema.ValidationError) string {
	inner := collector{printer: c.printer, written: c.written}
	for _, cause := range causes {
		inner.add(cause)
	}
	var parts []string
	for _, v := range inner.found.sorted() {
		if path := v.Path[min(len(about.InstanceLocation), len(v.Path)):]; len(path) > 0 {
			v.Message = FormatPath(path) + ": " + v.Message
		}
		parts = append(parts, v.Message)
	}
	return strings.Join(parts, " and ")
}

func (c *collector) text(err *jsonschema.ValidationError) string {
	switch k := err.ErrorKind.(type) {
	case *kind.Type:
		text := clip(k.LocalizedString(c.printer))
		if c.written {
			text += remedy(k)
		}
		return text
	case *kind.FalseSchema:
		return "not allowed by the schema"
	case *kind.Not:
		return "is what the schema excludes by not"
	case *kind.Const:
		return "must be " + show(k.Want)
	case *kind.Enum:
		want := make([]string, len(k.Want))
		for i, v := range k.Want {
			want[i] = show(v)
		}
		return "must be one of " + strings.Join(want, ", ")
	case *kind.Format:
		if k.Want == "regex" {
			return fmt.Sprintf("%s is no RE2 regular expression: %v", show(k.Got), k.Err)
		}
		return fmt.Sprintf("%s is no %s", show(k.Got), k.Want)
	case *kind.Pattern:
		return fmt.Sprintf("%s does not match pattern %s", show(k.Got), k.Want)
	case *kind.MinLength:
		return fmt.Sprintf("has %d characters, want at least %d", k.Got, k.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("has %d characters, want at most %d", k.Got, k.Want)
	case *kind.MinItems:
		return fmt.Sprintf("has %d elements, want at least %d", k.Got, k.Want)
	case *kind.MaxItems:
		return fmt.Sprintf("has %d elements, want at most %d", k.Got, k.Want)
	case *kind.MinProperties:
		return fmt.Sprintf("has %d keys, want at least %d", k.Got, k.Want)
	case *kind.MaxProperties:
		return fmt.Sprintf("has %d keys, want at most %d", k.Got, k.Want)
	case *kind.UniqueItems:
		return fmt.Sprintf("elements %d and %d are equal", k.Duplicates[0], k.Duplicates[1])
	}
	return c.comparison(err.ErrorKind)
}

// comparison prints both sides exactly, where the library would round them to 64 bits.
func (c *collector) comparison(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Minimum:
		return fmt.Sprintf("got %s, want at least %s", exact(k.Got), exact(k.Want))
	case *kind.Maximum:
		return fmt.Sprintf("got %s, want at most %s", exact(k.Got), exact(k.Want))
	case *kind.ExclusiveMinimum:
		return fmt.Sprintf("got %s, want more than %s", exact(k.Got), exact(k.Want))
	case *kind.ExclusiveMaximum:
		return fmt.Sprintf("got %s, want less than %s", exact(k.Got), exact(k.Want))
	case *kind.MultipleOf:
		return fmt.Sprintf("got %s, want a multiple of %s", exact(k.Got), exact(k.Want))
	}
	return clip(k.LocalizedString(c.printer))
}

func exact(n *big.Rat) string {
	if digits, finite := n.FloatPrec(); finite {
		return clip(n.FloatString(digits))
	}
	return clip(n.RatString())
}

func show(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%T", v)
	}
	return clip(string(b))
}

// compileViolations finds the place in the schema that a compiler's error is about.
func compileViolations(name string, err error) Violations {
	if invalid, ok := errors.AsType[*jsonschema.SchemaValidationError](err); ok {
		if cause, ok := errors.AsType[*jsonschema.ValidationError](invalid.Err); ok {
			return collect(name, pointer(invalid.URL), cause)
		}
	}
	path, text := []string{name}, strings.ReplaceAll(err.Error(), location, "")
	if bad, ok := errors.AsType[*jsonschema.InvalidRegexError](err); ok {
		path, text = append(path, pointer(bad.URL)...), bad.Err.Error()
	} else if bad, ok := errors.AsType[*jsonschema.LoadURLError](err); ok {
		text = bad.Err.Error()
	} else if bad, ok := errors.AsType[*jsonschema.JSONPointerNotFoundError](err); ok {
		text = fmt.Sprintf("$ref %q leads nowhere in the schema", strings.TrimPrefix(bad.URL, location))
	}
	return Violations{{Path: path, Message: text}}
}

// pointer returns the keys of the JSON pointer in a URL's fragment.
func pointer(address string) []string {
	_, fragment, _ := strings.Cut(address, "#")
	if decoded, err := url.PathUnescape(fragment); err == nil {
		fragment = decoded
	}
	keys := strings.Split(fragment, "/")[1:]
	for i, key := range keys {
		keys[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(key)
	}
	return keys
}
