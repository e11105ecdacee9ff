package correlation_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/correlation"
	"github.com/attune-automation/sensors/internal/throttle"
)

func fields(t *testing.T, list string) throttle.GroupBy {
	t.Helper()
	var problems throttle.Problems
	by := throttle.ParseGroupBy(json.RawMessage(list), "", &problems)
	require.Empty(t, problems)
	return by
}

func TestDefinitionsAreKeptAsJSON(t *testing.T) {
	t.Parallel()
	for name, d := range definitions() {
		d.Parts[0].By, d.Parts[1].By = fields(t, `["payload.order"]`), fields(t, `["payload.order_id"]`)
		for i := range d.Parts[2:] {
			d.Parts[i+2].By = d.Parts[0].By
		}
		raw, err := d.Encode(1)
		require.NoError(t, err, name)
		got, part, err := correlation.Parse(raw)
		require.NoError(t, err, name)
		require.Equal(t, 1, part, name)
		require.Equal(t, d, got, name)
	}
}

// Events of parts that name the field otherwise are in one group, if they have the same value.
func TestPartsShareTheirKeys(t *testing.T) {
	t.Parallel()
	d := definitions()["a then b"]
	d.Parts[0].By, d.Parts[1].By = fields(t, `["payload.order", "event.source_ref"]`), fields(t, `["payload.order_id", "payload.shop"]`)
	document := func(payload, event string) *condition.Document {
		var doc condition.Document
		var err error
		doc[condition.Payload], err = condition.Decode([]byte(payload))
		require.NoError(t, err)
		doc[condition.Event], err = condition.Decode([]byte(event))
		require.NoError(t, err)
		return &doc
	}
	first := d.Key(0, document(`{"order": 7}`, `{"source_ref": "shop.web"}`))
	require.Equal(t, first, d.Key(1, document(`{"order_id": 7.0, "shop": "shop.web"}`, `{}`)))
	require.NotEqual(t, first, d.Key(1, document(`{"order_id": 8, "shop": "shop.web"}`, `{}`)))
	require.JSONEq(t, `{"payload.order": 7, "event.source_ref": "shop.web"}`, first)
}

func TestProgressSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	type step struct {
		part, minute int
		progress     string
	}
	for name, steps := range map[string][]step{
		"a then b then c": {
			{1, 0, "0 of 3 parts: no first, no b, no c yet"}, {0, 1, "1 of 3 parts: no b, no c yet"},
			{2, 2, "1 of 3 parts: no b, no c yet"}, {1, 3, "2 of 3 parts: no c yet"}, {0, 12, "1 of 3 parts: no b, no c yet"},
		},
		"a and b and c": {{1, 0, "1 of 3 parts: no first, no c yet"}, {2, 5, "2 of 3 parts: no first yet"}, {2, 11, "1 of 3 parts: no first, no b yet"}},
		"a then b then no c": {
			{2, 0, "0 of 2 parts: no first, no b yet"}, {0, 1, "1 of 2 parts: no b yet"}, {1, 2, "all 2 parts came: no c so far"},
			{0, 3, "all 2 parts came: no c so far"}, {2, 4, "c came, which must not"},
		},
	} {
		d, state := definitions()[name], correlation.State{}
		for i, s := range steps {
			d.Take(&state, correlation.Match{Part: s.part, Event: int64(i), At: minute(s.minute)})
			require.Equal(t, s.progress, d.Progress(&state, minute(s.minute)), "%s, step %d", name, i)
			kept, err := json.Marshal(state)
			require.NoError(t, err)
			var again correlation.State
			require.NoError(t, json.Unmarshal(kept, &again))
			require.Equal(t, state, again, "the state survives")
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"rule":"a.b","part":1,"within":"10m","then":[{"name":"first","trigger":"a.c"},{"name":"d","trigger":"a.e","group_by":[],"absent":true}]}`))
	f.Add([]byte(`{"rule":"a.b","part":0,"within":"1s","and":[{"name":"first","trigger":"a.c","group_by":["payload.x"]},{"name":"d","trigger":"a.e","group_by":["y"]}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, part, err := correlation.Parse(raw)
		if err != nil || d == nil {
			return
		}
		encoded, err := d.Encode(part)
		require.NoError(t, err)
		again, _, err := correlation.Parse(encoded)
		require.NoError(t, err)
		require.Equal(t, d, again)
		var state correlation.State
		for i := range 20 {
			d.Take(&state, correlation.Match{Part: i % len(d.Parts), Event: int64(i), At: midnight.Add(time.Duration(i) * time.Second)})
			require.NotEmpty(t, d.Progress(&state, midnight))
		}
	})
}
