package rule_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/sensor"
)

// slowly is an expression that goes over all pairs of the list of numbers in numbered, and takes some milliseconds for it.
const slowly = `payload.list.exists(a, payload.list.exists(b, a + b == -1))`

func numbered(t *testing.T) *rule.Document {
	t.Helper()
	numbers := make([]string, 150)
	for i := range numbers {
		numbers[i] = fmt.Sprint(i)
	}
	return payload(t, `{"branch": "main", "list": [`+strings.Join(numbers, ", ")+`]}`)
}

// TestInspect proves that it is the slow rule that is found, and which of its parts takes long.
func TestInspect(t *testing.T) {
	t.Parallel()
	var book rule.Book
	put := func(name, of, cel, params string) {
		r := branch(name, of)
		r.CEL, r.ActionParams = cel, json.RawMessage(params)
		require.NoError(t, book.Put(r))
	}
	put("r.fast", "main", `payload.list.size() > 1`, `{"n": "{{ payload.list[0] }}"}`)
	put("r.slow", "main", slowly, `{}`)
	put("r.other", "dev", slowly, `{}`)
	put("r.params", "main", ``, `{"x": "{{ `+slowly+` }}"}`)
	var finder rule.Finder
	inspect := func(limits rule.Limits) map[string]rule.Overrun {
		overruns, err := book.Set().Inspect(t.Context(), numbered(t), &finder, limits)
		require.NoError(t, err)
		byRef := map[string]rule.Overrun{}
		for _, o := range overruns {
			byRef[o.Rule.Ref] = o
		}
		return byRef
	}
	found := inspect(rule.Limits{Overrun: time.Millisecond, Cut: time.Minute})
	require.Len(t, found, 2, "%v", found)
	require.Equal(t, rule.PartCEL, found["r.slow"].Part)
	require.Equal(t, rule.PartParams, found["r.params"].Part)
	require.False(t, found["r.slow"].Cut || found["r.params"].Cut)
	require.Greater(t, found["r.slow"].Took, time.Millisecond)

	found = inspect(rule.Limits{Overrun: 500 * time.Microsecond, Cut: 600 * time.Microsecond})
	require.True(t, found["r.slow"].Cut && found["r.params"].Cut, "loops are ended: %v", found)
	require.Empty(t, inspect(rule.Limits{Overrun: time.Minute, Cut: time.Hour}))

	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := book.Set().Inspect(canceled, numbered(t), &finder, rule.Limits{Overrun: time.Hour, Cut: time.Hour})
	require.ErrorIs(t, err, context.Canceled)
}

// TestInspectFindsWhatTheIndexEvaluates is about a clause that takes long for no rule to be found by it.
func TestInspectFindsWhatTheIndexEvaluates(t *testing.T) {
	t.Parallel()
	var book rule.Book
	require.NoError(t, book.Put(&sensor.Rule{Ref: "r.regex", Conditions: json.RawMessage(
		`[{"field": "text", "operator": "matches", "value": "(x*y*a*b*){35}[cd]$"}]`)}))
	require.NoError(t, book.Put(branch("r.fast", "main")))
	var finder rule.Finder
	doc := payload(t, `{"branch": "main", "text": "`+strings.Repeat("ab", 8000)+`"}`)
	overruns, err := book.Set().Inspect(t.Context(), doc, &finder, rule.Limits{Overrun: time.Millisecond, Cut: time.Minute})
	require.NoError(t, err)
	require.Len(t, overruns, 1)
	require.Equal(t, "r.regex", overruns[0].Rule.Ref)
	require.Equal(t, rule.PartConditions, overruns[0].Part)
}
