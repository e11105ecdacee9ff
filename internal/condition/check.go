package condition

import (
	"fmt"
	"strings"
)

// literal checks what JSON's grammar leaves open.
func (c *compiler) literal(path string, v Value, depth int) {
	kind := v.kind()
	if depth == MaxDepth && (kind == kindList || kind == kindObject) {
		c.report(path, "nested deeper than %d", MaxDepth)
		return
	}
	switch kind {
	case kindNumber:
		if n := parseNumber(v.raw()); n.exponent < -maxExponent || n.exponent > maxExponent {
			c.report(path, "the number %s is too large or too small: its exponent may be ±%d at most", shorten(v.raw()), maxExponent)
		}
	case kindList:
		i := 0
		for e, ok := v.first(); ok; e, ok = e.after(v) {
			c.literal(fmt.Sprintf("%s[%d]", path, i), e, depth+1)
			i++
		}
	case kindObject:
		keys, values := c.members(path, v)
		for _, key := range keys {
			c.literal(childPath(path, key), values[key], depth+1)
		}
	}
}

// members returns an object's keys, in order, and values. It reports repeated keys, of which
// one would silently be lost.
func (c *compiler) members(path string, v Value) ([]string, map[string]Value) {
	var keys []string
	values := map[string]Value{}
	for key, ok := v.first(); ok; {
		name, value := key.str(), key.value()
		if _, repeated := values[name]; repeated {
			c.report(childPath(path, name), "is there more than once: remove all but one")
		} else {
			keys = append(keys, name)
		}
		values[name] = value
		key, ok = value.after(v)
	}
	return keys, values
}

// childPath is the path of the key in the object that path leads to.
func childPath(path, key string) string {
	plain := key != "" && strings.Trim(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
	if plain {
		return path + "." + key
	}
	return path + "." + abbreviate(key)
}
