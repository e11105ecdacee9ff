package pack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/attune-automation/sensors/internal/schema"
)

// converter writes YAML as JSON. Numbers keep their digits, and what YAML's versions read in different ways is refused.
type converter struct {
	doc    *document
	out    bytes.Buffer
	failed bool
	stop   bool // what follows would only fail in the same way, perhaps without end
}

// toJSON returns the value at a path of a document as JSON; nil, with the reasons reported, if JSON cannot express it.
func toJSON(doc *document, n *yaml.Node, path []string) json.RawMessage {
	c := converter{doc: doc}
	c.write(n, path)
	if c.failed {
		return nil
	}
	return c.out.Bytes()
}

func (c *converter) write(n *yaml.Node, path []string) {
	n = resolveAlias(n)
	switch {
	case c.stop:
		return
	case c.out.Len() > schema.MaxPayload:
		c.fail(path[:1], "grows beyond %d bytes: write less, or use fewer aliases", schema.MaxPayload)
		c.stop = true
		return
	case len(path) > maxDepth:
		c.fail(path[:1], "nests deeper than %d levels", maxDepth)
		c.stop = true
		return
	}
	switch n.Kind {
	case yaml.MappingNode:
		c.list(len(n.Content)/2, '{', '}', func(i int) {
			key := n.Content[2*i].Value
			c.out.Write(quote(key))
			c.out.WriteByte(':')
			c.write(n.Content[2*i+1], below(path, key))
		})
	case yaml.SequenceNode:
		c.list(len(n.Content), '[', ']', func(i int) { c.write(n.Content[i], below(path, strconv.Itoa(i))) })
	default:
		b, err := scalar(n)
		if err != nil {
			c.fail(path, "%v", err)
		}
		c.out.Write(b)
	}
}

func (c *converter) list(n int, open, end byte, item func(i int)) {
	c.out.WriteByte(open)
	for i := 0; i < n && !c.stop; i++ {
		if i > 0 {
			c.out.WriteByte(',')
		}
		item(i)
	}
	c.out.WriteByte(end)
}

func (c *converter) fail(path []string, format string, args ...any) {
	c.failed = true
	c.doc.report(c.doc.line(path), path, format, args...)
}

var (
	decimal = regexp.MustCompile(`^[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
	based   = regexp.MustCompile(`^0(x[0-9a-fA-F]+|o[0-7]+)$`)
	endless = regexp.MustCompile(`^[-+]?\.(inf|Inf|INF|nan|NaN|NAN)$`)
)

// scalar returns the JSON of a scalar by the core schema of YAML 1.2. Dates are texts.
func scalar(n *yaml.Node) ([]byte, error) {
	switch {
	case n.Style&yaml.TaggedStyle != 0 && n.Tag != "!!str":
		return nil, fmt.Errorf("tag %s is not supported: leave it out", n.Tag)
	case n.Style != 0:
		return text(n.Value)
	case isNull(n):
		return []byte("null"), nil
	}
	switch v := n.Value; {
	case v == "true" || v == "True" || v == "TRUE":
		return []byte("true"), nil
	case v == "false" || v == "False" || v == "FALSE":
		return []byte("false"), nil
	case decimal.MatchString(v):
		return number(v)
	case based.MatchString(v):
		whole, _ := new(big.Int).SetString(v, 0)
		return number(whole.String())
	case endless.MatchString(v):
		return nil, fmt.Errorf("%s is not a number that JSON has: leave it out, or write it in quotes", v)
	case n.Tag == "!!int" || n.Tag == "!!float":
		return nil, fmt.Errorf("%s is read as a number by some and as a text by others: write it in decimal, or in quotes", v)
	}
	return text(n.Value)
}

// number turns a YAML number into the JSON number with the same digits.
func number(v string) ([]byte, error) {
	v = strings.TrimPrefix(v, "+")
	sign := ""
	if v[0] == '-' {
		sign, v = "-", v[1:]
	}
	if v[0] == '.' {
		v = "0" + v
	}
	if whole, rest, ok := strings.Cut(v, "."); ok && (rest == "" || rest[0] == 'e' || rest[0] == 'E') {
		v = whole + rest
	}
	b := []byte(sign + v)
	if schema.CheckPayload(b) != nil {
		return nil, fmt.Errorf("is too long a number: at most %d digits and an exponent up to ±%d",
			schema.MaxDigits, schema.MaxExponent)
	}
	return b, nil
}

func text(v string) ([]byte, error) {
	if strings.ContainsRune(v, 0) {
		return nil, fmt.Errorf("%.60q holds the character NUL, which cannot be stored: leave it out", v)
	}
	return quote(v), nil
}

// quote is json.Marshal without the escapes that HTML would need.
func quote(v string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // a string always encodes
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Style == 0 && n.Tag == "!!null"
}

// isText says whether a scalar is a text under every version of YAML.
func isText(n *yaml.Node) bool {
	b, err := scalar(n)
	return err == nil && b[0] == '"'
}
