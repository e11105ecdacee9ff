package condition

import (
	"cmp"
	"fmt"
	"strings"
)

// A version is one of Semantic Versioning 2.0.0 (https://semver.org). What follows a + says nothing about precedence and
// is left out.
type version struct {
	core       [3]string
	prerelease string // identifiers with dots between them, "" for a release
}

// parseVersion reads a version, before which a v may stand.
func parseVersion(text string) (version, bool) {
	var v version
	text = strings.TrimPrefix(text, "v")
	text, build, hasBuild := strings.Cut(text, "+")
	text, prerelease, hasPrerelease := strings.Cut(text, "-")
	if hasBuild && !areIdentifiers(build, false) || hasPrerelease && !areIdentifiers(prerelease, true) {
		return v, false
	}
	v.prerelease = prerelease
	for i := range v.core {
		part, rest, more := strings.Cut(text, ".")
		if !isNumeric(part) || len(part) > 1 && part[0] == '0' || more != (i < 2) {
			return v, false
		}
		v.core[i], text = part, rest
	}
	return v, true
}

// areIdentifiers reports whether text is identifiers with dots between them, of which numeric ones may not begin with a 0
// if canonical.
func areIdentifiers(text string, canonical bool) bool {
	for part := range strings.SplitSeq(text, ".") {
		for _, c := range []byte(part) {
			if !('0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '-') {
				return false
			}
		}
		if part == "" || canonical && len(part) > 1 && part[0] == '0' && isNumeric(part) {
			return false
		}
	}
	return true
}

func isNumeric(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// compareVersions orders by precedence (section 11 of the specification).
func compareVersions(a, b version) int {
	for i := range a.core {
		if order := compareNumeric(a.core[i], b.core[i]); order != 0 {
			return order
		}
	}
	switch {
	case a.prerelease == b.prerelease:
		return 0
	case a.prerelease == "":
		return 1
	case b.prerelease == "":
		return -1
	}
	return comparePrereleases(a.prerelease, b.prerelease)
}

func comparePrereleases(a, b string) int {
	for {
		x, restA, moreA := strings.Cut(a, ".")
		y, restB, moreB := strings.Cut(b, ".")
		if order := compareIdentifiers(x, y); order != 0 {
			return order
		}
		if !moreA || !moreB {
			return cmp.Compare(len(restA), len(restB)) // one of them is over, or both
		}
		a, b = restA, restB
	}
}

func compareIdentifiers(a, b string) int {
	switch numericA, numericB := isNumeric(a), isNumeric(b); {
	case numericA && numericB:
		return compareNumeric(a, b)
	case numericA:
		return -1
	case numericB:
		return 1
	default:
		return strings.Compare(a, b)
	}
}

// compareNumeric compares numbers without leading zeros, of any length.
func compareNumeric(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

func buildVersionEquals(o operand) (test, error)         { return buildVersion(o, isEqual) }
func buildVersionGreaterThan(o operand) (test, error)    { return buildVersion(o, isGreater) }
func buildVersionGreaterOrEqual(o operand) (test, error) { return buildVersion(o, isGreaterOrEqual) }
func buildVersionLessThan(o operand) (test, error)       { return buildVersion(o, isLess) }
func buildVersionLessOrEqual(o operand) (test, error)    { return buildVersion(o, isLessOrEqual) }

func buildVersion(o operand, wanted order) (test, error) {
	const shape = "write a semantic version, such as 1.4.0 or 2.0.0-rc.1"
	text, err := textOf(o, shape)
	if err != nil {
		return test{}, err
	}
	want, ok := parseVersion(text)
	if !ok {
		return test{}, fmt.Errorf("%s is not a version: %s", abbreviate(text), shape)
	}
	return test{
		takes: setOf(kindString), malformed: "value is not a semantic version",
		judge: func(v Value, _ *Document) outcome {
			actual, ok := parseVersion(v.str())
			switch {
			case !ok:
				return isMalformed
			case wanted.takes(compareVersions(actual, want)):
				return isTrue
			default:
				return isFalse
			}
		},
	}, nil
}
