package store_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

// Parameters that are an event's own are in its enforcement, one that has none is failed, and both are read back as they
// were written, so that what is published again is the same.
func TestCommitEnforcementsWithParameters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.poll(t, `1`, numbered(3)...)[0].ID
	events := b.generate(t, id)
	set, err := b.Ruleset(b.ctx, triggerRef)
	require.NoError(t, err)
	rule := &set.Rules[1]
	matches := []sensor.Match{
		{Event: &events[0], Rule: rule, Params: json.RawMessage(`{"n":1.50,"a":"x"}`)},
		{Event: &events[1], Rule: rule, Reason: "action.params.n: payload.n is missing"},
		{Event: &events[2], Rule: rule},
	}

	written, err := b.CommitEnforcements(b.ctx, id, versions(set), matches, nil)
	require.NoError(t, err)

	require.Len(t, written, 3)
	action := `{"action": "` + rule.ActionRef + `", "params": `
	require.Equal(t, action+`{"a": "x", "n": 1.50}}`, string(written[0].Config))
	require.Equal(t, sensor.EnforcementCreated, written[0].Status)
	require.Equal(t, action+`null}`, string(written[1].Config))
	require.Equal(t, sensor.EnforcementFailed, written[1].Status)
	require.Equal(t, "action.params.n: payload.n is missing", written[1].Reason)
	require.Equal(t, action+string(rule.ActionParams)+`}`, string(written[2].Config))
	require.Empty(t, written[2].Reason)
	read, err := b.EnforcementsOfBatch(b.ctx, id)
	require.NoError(t, err)
	require.Equal(t, written, read)

	matches[0].Params = json.RawMessage(`{"n":2}`)
	again, err := b.CommitEnforcements(b.ctx, id, versions(set), matches, nil)
	require.NoError(t, err)
	require.Equal(t, written, again, "rows are written once")
	failed, err := b.Enforcements(b.ctx, store.EnforcementFilter{Status: sensor.EnforcementFailed})
	require.NoError(t, err)
	require.Len(t, failed, 1)
	require.Equal(t, written[1], failed[0])
}

// Large parameters are spread over statements.
func TestCommitEnforcementsWithLargeParameters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.poll(t, `1`, numbered(10)...)[0].ID
	events := b.generate(t, id)
	set, err := b.Ruleset(b.ctx, triggerRef)
	require.NoError(t, err)
	params := json.RawMessage(`"` + strings.Repeat("x", 5<<20) + `"`)
	var matches []sensor.Match
	for i := range events {
		matches = append(matches, sensor.Match{Event: &events[i], Rule: &set.Rules[1], Params: params})
	}
	written, err := b.CommitEnforcements(b.ctx, id, versions(set), matches, nil)
	require.NoError(t, err)
	require.Len(t, written, 10)
	for i, e := range written {
		require.Equal(t, events[i].ID, e.EventID)
	}
}
