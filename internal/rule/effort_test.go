package rule_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/expression"
	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/sensor"
)

// list writes n texts with a number in each, and divides them.
func list(n int, format, divider string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = strings.ReplaceAll(format, "N", fmt.Sprint(i))
	}
	return strings.Join(all, divider)
}

// What it takes to look at the expressions of a rule has one limit for them all, whatever they are.
func TestEffortOfACheck(t *testing.T) {
	t.Parallel()
	const (
		most = 200
		ends = "the rule's expressions take more steps to look at than are taken"
	)
	known := list(180, "has(payload.kN)", " && ")
	for name, c := range map[string]struct {
		cel       string
		template  string // with the number of the parameter as M
		templates int
		warned    bool
	}{
		"ordinary":           {list(20, "payload.kN > N", " && "), "payload.?kM.orValue(0)", most, false},
		"much is known":      {known, "payload.kM", 180, false},
		"laborious":          {known, "[" + list(50, "size(payload.?l.orValue([]).filter(x, x > payload.kN)) > N ? payload.?l[?N].orValue(0) : 0", ", ") + "]", 3, false},
		"laborious and many": {known, "[" + list(50, "size(payload.l.filter(x, x > payload.kN)) > N ? payload.l[N] : payload.a", ", ") + "]", most, true},
		"many types":         {known, list(60, "string(payload.kN).replace(payload.aN, payload.bN, payload.cN)", " + "), most, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			params := map[string]string{}
			for i := range c.templates {
				params[fmt.Sprintf("p%d", i)] = "{{ " + strings.ReplaceAll(c.template, "M", fmt.Sprint(i)) + " }}"
			}
			text, err := json.Marshal(params)
			require.NoError(t, err)
			compiled, err := rule.Compile(&sensor.Rule{Ref: "shop.r", Conditions: json.RawMessage(`[]`), CEL: c.cel, ActionParams: text})
			require.NoError(t, err)
			var effort expression.Effort
			wrong, odd := compiled.CheckWithin(expression.NewSchema(nil), &effort)
			require.Nil(t, wrong, "what could not be looked at is not wrong")
			require.LessOrEqual(t, effort.Steps(), expression.MaxEffort+10_000)
			warnings := 0
			if odd != nil {
				warnings = strings.Count(odd.Error(), ends)
			}
			require.Equal(t, map[bool]int{true: 1}[c.warned], warnings, "after %d steps", effort.Steps())
		})
	}
}
