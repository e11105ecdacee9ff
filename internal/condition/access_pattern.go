package condition

import (
	"regexp/syntax"
	"strings"
)

// pattern returns the ways to find what a pattern matches; none if nothing is known of it but the pattern.
func (c *clause) pattern(a *accessor) []access {
	switch c.operator.name {
	case "wildcard", "not_wildcard", "matchwildcard":
		return c.wildcard(a)
	case "matches", "not_matches", "regex", "iregex":
		folding := c.ignoreCase || c.operator.name == "iregex"
		pattern := c.value.str()
		if folding {
			pattern = "(?i)" + pattern
		}
		parsed, err := syntax.Parse(pattern, syntax.Perl)
		if err != nil {
			return nil
		}
		if found := c.anchored(parsed); found != nil {
			return found
		}
		if part, folded := requiredPart(parsed); part != "" {
			return []access{c.part(a, folded, part)}
		}
	}
	return nil
}

// wildcard finds by the longest of the texts between wildcards.
func (c *clause) wildcard(a *accessor) []access {
	glob := c.value.str()
	if strings.Contains(glob, "[") {
		if prefix, _, _ := strings.Cut(glob, "["); !strings.ContainsAny(prefix, "*?") && prefix != "" {
			return c.literal(byPrefix, c.ignoreCase, prefix)
		}
		return nil // where a class ends is more than this looks at
	}
	parts := strings.FieldsFunc(glob, func(r rune) bool { return r == '*' || r == '?' })
	longest := ""
	for _, part := range parts {
		if len(part) > len(longest) {
			longest = part
		}
	}
	switch {
	case longest == "":
		return nil
	case longest == parts[0] && strings.HasPrefix(glob, longest):
		return c.literal(byPrefix, c.ignoreCase, longest)
	case longest == parts[len(parts)-1] && strings.HasSuffix(glob, longest):
		return c.literal(bySuffix, c.ignoreCase, longest)
	default:
		return []access{c.part(a, c.ignoreCase, longest)}
	}
}

// anchored finds by what an expression begins with, if it begins at the text's beginning.
func (c *clause) anchored(re *syntax.Regexp) []access {
	if re.Op != syntax.OpConcat || len(re.Sub) < 2 || re.Sub[0].Op != syntax.OpBeginText {
		return nil
	}
	var found []access
	for _, prefix := range literalPrefixes(re.Sub[1:]...) {
		found = append(found, c.by(byPrefix, prefix))
	}
	return found
}

// literalPrefixes returns texts with one of which all begins that the expressions, one after the other, match; none if
// that is not known.
func literalPrefixes(all ...*syntax.Regexp) []string {
	const most = 100
	switch re := all[0]; re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 {
			return nil
		}
		text := string(re.Rune)
		if len(all) == 1 {
			return []string{text}
		}
		rest := literalPrefixes(all[1:]...)
		if rest == nil {
			return []string{text}
		}
		for i := range rest {
			rest[i] = text + rest[i]
		}
		return rest
	case syntax.OpConcat:
		return literalPrefixes(re.Sub...)
	case syntax.OpCapture, syntax.OpPlus:
		return literalPrefixes(re.Sub[0])
	case syntax.OpAlternate:
		var found []string
		for _, sub := range re.Sub {
			prefixes := literalPrefixes(sub)
			if prefixes == nil || len(found)+len(prefixes) > most {
				return nil
			}
			found = append(found, prefixes...)
		}
		return found
	}
	return nil
}

// requiredPart returns the longest text that is, folded if it says so, a part of all that the expression matches; "" if
// there is none.
func requiredPart(re *syntax.Regexp) (part string, folded bool) {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 {
			return fold(string(re.Rune)), true
		}
		return string(re.Rune), false
	case syntax.OpCapture, syntax.OpPlus:
		return requiredPart(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return requiredPart(re.Sub[0])
		}
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if text, isFolded := requiredPart(sub); len(text) > len(part) {
				part, folded = text, isFolded
			}
		}
	}
	return part, folded
}
