package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/attune-automation/sensors/internal/condition"
)

// misses returns how many clauses would have to come out differently for a condition to hold: 0 for one that does.
func misses(v condition.Verdict) int {
	switch {
	case v.Matched:
		return 0
	case v.All != nil:
		return missesOf(condition.All, v.All)
	case v.Any != nil:
		return missesOf(condition.Any, v.Any)
	}
	return 1
}

// missesOf is misses for a list that is combined by a mode.
func missesOf(mode condition.Mode, list []condition.Verdict) int {
	sum, least := 0, len(list)+condition.MaxConditions
	for _, v := range list {
		n := misses(v)
		sum, least = sum+n, min(least, n)
	}
	if mode == condition.Any {
		return least
	}
	return sum
}

// held counts the conditions of a list that hold.
func held(list []condition.Verdict) (n int) {
	for _, v := range list {
		if v.Matched {
			n++
		}
	}
	return n
}

// obstacle says what the first clause that does not hold found, and what it wanted.
func obstacle(list []condition.Verdict) string {
	for _, v := range list {
		if v.Matched {
			continue
		}
		switch {
		case v.All != nil:
			return obstacle(v.All)
		case v.Any != nil:
			return obstacle(v.Any)
		case v.Not != nil:
			return "not: " + clause(*v.Not)
		}
		return clause(v)
	}
	return ""
}

// clause says what a clause found and wanted: payload.branch was "Main", expected "main".
func clause(v condition.Verdict) string {
	if v.Field == "" {
		return v.Reason
	}
	found := "is missing"
	if len(v.Actual) > 0 {
		found = "was " + string(v.Actual)
	}
	if v.Operator == "equals" && v.ValueFrom == "" {
		return fmt.Sprintf("%s %s, expected %s", v.Field, found, v.Expected)
	}
	wanted := slices.DeleteFunc([]string{v.Operator, v.ValueFrom, string(v.Expected)}, func(part string) bool { return part == "" })
	return fmt.Sprintf("%s %s, expected %s", v.Field, found, strings.Join(wanted, " "))
}
