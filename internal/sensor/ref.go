package sensor

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	refPattern     = regexp.MustCompile(`^[a-z0-9_-]+\.[a-z0-9_.-]+$`)
	packRefPattern = regexp.MustCompile(`^[a-z0-9_-]+$`)
)

// MaxRef is how many characters a ref has at most: it keeps workflow IDs, search attributes and index entries well below their
// limits.
const MaxRef = 200

// CheckRef says what is wrong with the ref of a trigger, sensor or rule: `pack.name`, lower case.
func CheckRef(ref string) error {
	return checkRef(ref, refPattern, "pack.name in lower-case letters, digits, '_', '-' (and '.' in the name), such as github.push")
}

// CheckPackRef says what is wrong with the ref of a pack.
func CheckPackRef(ref string) error {
	return checkRef(ref, packRefPattern, "one word of lower-case letters, digits, '_' and '-', such as github")
}

func checkRef(ref string, pattern *regexp.Regexp, want string) error {
	switch {
	case len(ref) > MaxRef:
		return fmt.Errorf("ref %.40q... has %d characters: use at most %d", ref, len(ref), MaxRef)
	case !pattern.MatchString(ref):
		return fmt.Errorf("bad ref %q: write %s", ref, want)
	}
	return nil
}

// PackOf returns the pack's part of a ref, all before the first dot.
func PackOf(ref string) string {
	pack, _, _ := strings.Cut(ref, ".")
	return pack
}

// WholeOf returns the ref of the rule that a part of a correlation belongs to, pack.name of pack.name/part. Any other rule
// is a whole itself.
func WholeOf(ruleRef string) string {
	whole, _, _ := strings.Cut(ruleRef, "/")
	return whole
}
