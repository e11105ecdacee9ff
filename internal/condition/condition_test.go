package condition_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/condition"
)

func compile(t *testing.T, mode condition.Mode, conditions string) *condition.Program {
	t.Helper()
	program, err := condition.Compile(mode, json.RawMessage(conditions))
	require.NoError(t, err)
	return program
}

func decode(t *testing.T, text string) condition.Value {
	t.Helper()
	value, err := condition.Decode([]byte(text))
	require.NoError(t, err)
	return value
}

// match evaluates in both ways, which have to agree.
func match(t *testing.T, program *condition.Program, doc condition.Document) bool {
	t.Helper()
	matched := program.Match(&doc)
	require.Equal(t, matched, program.Explain(&doc).Matched, "Match and Explain disagree")
	return matched
}

func TestCombinations(t *testing.T) {
	t.Parallel()
	const (
		yes = `{"field": "n", "operator": "equals", "value": 1}`
		no  = `{"field": "n", "operator": "equals", "value": 2}`
	)
	tests := []struct {
		mode       condition.Mode
		conditions string
		want       bool
	}{
		{condition.All, `[]`, true},
		{condition.Any, `[]`, true},
		{condition.All, `[yes]`, true},
		{condition.All, `[yes, yes]`, true},
		{condition.All, `[yes, no]`, false},
		{condition.Any, `[yes, no]`, true},
		{condition.Any, `[no, yes]`, true},
		{condition.Any, `[no, no]`, false},
		{"", `[yes, no]`, false},
		{condition.All, `[{"not": no}]`, true},
		{condition.All, `[{"not": yes}]`, false},
		{condition.All, `[{"not": {"not": yes}}]`, true},
		{condition.All, `[{"any": [no, yes]}, yes]`, true},
		{condition.All, `[{"any": [no, no]}, yes]`, false},
		{condition.Any, `[{"all": [yes, no]}, no]`, false},
		{condition.Any, `[{"all": [yes, {"any": [no, {"not": {"all": [yes, no]}}]}]}, no]`, true},
		{condition.All, `[{"not": {"any": [no, no]}}, {"not": {"all": [yes, no]}}]`, true},
	}
	for _, test := range tests {
		t.Run(string(test.mode)+test.conditions, func(t *testing.T) {
			t.Parallel()
			conditions := strings.NewReplacer(`"not"`, `"not"`, "yes", yes, "no", no).Replace(test.conditions)
			program := compile(t, test.mode, conditions)
			doc := condition.Document{condition.Payload: decode(t, `{"n": 1}`)}
			require.Equal(t, test.want, match(t, program, doc))
		})
	}
}

func TestDocumentRoots(t *testing.T) {
	t.Parallel()
	doc := condition.Document{
		condition.Payload: decode(t, `{"x": "payload", "config": {"x": "inside"}, "user": {"profile": {"email": "a@b"}}}`),
		condition.Config:  decode(t, `{"x": "config"}`),
		condition.Event:   decode(t, `{"x": "event"}`),
		condition.Trigger: decode(t, `{"x": "trigger"}`),
		condition.Sensor:  decode(t, `{"x": "sensor"}`),
	}
	for field, want := range map[string]string{
		"payload.x":          "payload",
		"config.x":           "config",
		"event.x":            "event",
		"trigger.x":          "trigger",
		"sensor.x":           "sensor",
		"x":                  "payload",
		"user.profile.email": "a@b",
		"payload.config.x":   "inside",
		`"config".x`:         "inside",
	} {
		conditions, err := json.Marshal([]any{map[string]any{"field": field, "operator": "equals", "value": want}})
		require.NoError(t, err)
		require.True(t, match(t, compile(t, condition.All, string(conditions)), doc), field)
	}

	absent := compile(t, condition.All, `[{"field": "sensor.ref", "operator": "equals", "value": "core.x"}]`)
	require.False(t, match(t, absent, condition.Document{}))
	scalar := compile(t, condition.All, `[{"field": "payload", "operator": "starts_with", "value": "a"}]`)
	require.True(t, match(t, scalar, condition.Document{condition.Payload: decode(t, `"abc"`)}))
}

func TestUses(t *testing.T) {
	t.Parallel()
	program := compile(t, condition.All, `[
		{"field": "a.b", "operator": "equals", "value": 1},
		{"any": [{"not": {"field": "sensor.ref", "operator": "equals", "value": 1}}]}
	]`)
	used := map[condition.Root]bool{}
	for root := condition.Payload; root <= condition.Sensor; root++ {
		used[root] = program.Uses(root)
	}
	require.Equal(t, map[condition.Root]bool{
		condition.Payload: true, condition.Config: false, condition.Event: false,
		condition.Trigger: false, condition.Sensor: true,
	}, used)
}
