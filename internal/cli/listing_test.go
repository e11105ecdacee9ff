package cli_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/sensor"
)

// seed applies the shop and stores what a poll and a system event brought: three events, of which one has a total of
// more than 100, an enforcement of shop.every for each, one of shop.big, and a refused payload.
func (b *bench) seed() {
	b.t.Helper()
	b.ok("apply", folder(b.t, "shop"))
	turn, err := b.store.Turn(b.ctx, "shop.orders")
	require.NoError(b.t, err)
	appended, err := b.store.Append(b.ctx, turn, sensor.Part{
		Items: []sensor.Item{
			{Payload: []byte(`{"total": 5}`)}, {Payload: []byte("not JSON \xff")}, {Payload: []byte(`{"total": 250}`)},
		},
		Cursor: json.RawMessage(`"page 2"`),
	})
	require.NoError(b.t, err)
	b.process(appended.Batches[0].ID, []int{0, 2}, 1)
	b.emit(`{"total": 7}`)
}

// emit has the shop's trigger have an event that no sensor saw.
func (b *bench) emit(payload string) {
	b.t.Helper()
	id, err := b.store.StoreSystemEvent(b.ctx, sensor.SystemEvent{TriggerRef: "shop.order", Payload: json.RawMessage(payload)})
	require.NoError(b.t, err)
	b.process(id, []int{0})
}

// process takes a batch from stored to done: the accepted payloads become events, the others are refused.
func (b *bench) process(id int64, accepted []int, refused ...int) {
	b.t.Helper()
	batch, err := b.store.Batch(b.ctx, id)
	require.NoError(b.t, err)
	var events []sensor.NewEvent
	for _, i := range accepted {
		events = append(events, sensor.NewEvent{Position: i, Payload: batch.Payloads[i]})
	}
	var rejections []sensor.Rejection
	for _, i := range refused {
		rejections = append(rejections, sensor.Rejection{Position: i, Raw: batch.Payloads[i], Reason: "no JSON"})
	}
	rows, err := b.store.CommitEvents(b.ctx, batch, events, rejections)
	require.NoError(b.t, err)
	set, err := b.store.Ruleset(b.ctx, batch.TriggerRef)
	require.NoError(b.t, err)
	var matches []sensor.Match
	var errors []sensor.RuleErrors
	for j := range rows {
		e := &rows[j]
		doc, err := rule.NewReader(nil).Read(e)
		require.NoError(b.t, err)
		for i := range set.Rules {
			compiled, err := rule.Compile(&set.Rules[i])
			require.NoError(b.t, err)
			matched, failure, err := compiled.Evaluate(b.ctx, doc)
			require.NoError(b.t, err)
			if failure != nil {
				errors = append(errors, sensor.RuleErrors{Rule: &set.Rules[i], Count: 1, LastEvent: e.ID, LastReason: failure.Message})
			}
			if matched {
				matches = append(matches, sensor.Match{Event: e, Rule: &set.Rules[i], Grouping: compiled.Grouping(doc)})
			}
		}
	}
	_, err = b.store.CommitEnforcements(b.ctx, id, map[string]int64{set.TriggerRef: set.Version}, matches, errors)
	require.NoError(b.t, err)
	require.NoError(b.t, b.store.FinishBatch(b.ctx, id))
}

// column returns the values of a key in a listing.
func (b *bench) column(key string, args ...string) []any {
	b.t.Helper()
	values := []any{}
	for _, row := range decode[[]map[string]any](b.t, b.ok(append(args, "-o", "json")...)) {
		values = append(values, row[key])
	}
	return values
}

func TestListings(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase()
	b.seed()
	future := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for _, c := range []struct {
		args string
		key  string
		want []any
	}{
		{"events", "id", []any{3.0, 2.0, 1.0}},
		{"events --limit 2", "id", []any{3.0, 2.0}},
		{"events --before 3", "id", []any{2.0, 1.0}},
		{"events --sensor shop.orders", "id", []any{2.0, 1.0}},
		{"events --trigger shop.quiet", "id", []any{}},
		{"events --since 1h", "id", []any{3.0, 2.0, 1.0}},
		{"events --since " + future, "id", []any{}},
		{"enforcements", "rule_ref", []any{"shop.every", "shop.every", "shop.big", "shop.every"}},
		{"enforcements --rule shop.big", "event_id", []any{2.0}},
		{"enforcements --event 2", "rule_ref", []any{"shop.every", "shop.big"}},
		{"enforcements --status processed", "id", []any{}},
		{"enforcements --trigger shop.order --limit 1", "event_id", []any{3.0}},
		{"rejected", "reason", []any{"no JSON"}},
		{"rejected --sensor shop.returns", "reason", []any{}},
		{"rejected --trigger shop.order", "raw_base64", []any{"bm90IEpTT04g/w=="}},
		{"triggers --pack shop", "ref", []any{"shop.order", "shop.quiet"}},
		{"triggers --pack shop --limit 1", "ref", []any{"shop.order"}},
		{"triggers --pack none", "ref", []any{}},
		{"rules", "ref", []any{"shop.big", "shop.every"}},
		{"rules --trigger shop.quiet", "ref", []any{}},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			b := &bench{t: t, ctx: b.ctx, env: b.env}
			require.ElementsMatch(t, c.want, b.column(c.key, strings.Fields(c.args)...))
			require.NotEmpty(t, b.ok(strings.Fields(c.args)...), "as a table")
			var rows []map[string]any
			require.NoError(t, yaml.Unmarshal([]byte(b.ok(append(strings.Fields(c.args), "-o", "yaml")...)), &rows))
			require.Len(t, rows, len(c.want))
		})
	}
}

func TestListingAsTable(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase()
	b.seed()
	event, err := b.store.Event(b.ctx, 2)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf(""+
		"EVENT  CREATED               TRIGGER     SENSOR       PAYLOAD\n"+
		"2      %s  shop.order  shop.orders  {\"total\": 250}\n",
		event.Created.Format(time.RFC3339)), b.ok("events", "--before", "3", "--limit", "1"))
}

func TestShowOneRow(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase()
	b.seed()
	out := b.ok("event", "2")
	require.Contains(t, out, "sensor   shop.orders\n")
	require.Contains(t, out, "payload\n  {\n    \"total\": 250\n  }\n")
	event := decode[struct {
		TriggerRef string `json:"trigger_ref"`
		Payload    struct{ Total int }
		Config     sensor.Snapshot
	}](t, b.ok("event", "2", "-o", "json"))
	require.Equal(t, "shop.order", event.TriggerRef)
	require.Equal(t, 250, event.Payload.Total)
	require.Equal(t, "shop.orders", event.Config.Sensor.Ref)
	require.NotContains(t, b.ok("event", "3"), "sensor ", "a system event has none")

	id := fmt.Sprint(b.column("id", "enforcements", "--rule", "shop.big")[0])
	require.Contains(t, b.ok("enforcement", id), "rule              shop.big, version 1\n")
	enforcement := decode[struct {
		Config     struct{ Action string }
		ResolvedAt *time.Time `json:"resolved_at"`
	}](t, b.ok("enforcement", id, "-o", "json"))
	require.Equal(t, "mail.send", enforcement.Config.Action)
	require.Nil(t, enforcement.ResolvedAt)

	require.Equal(t, "starter: there is no event 99: `starter events` lists the newest\n", b.fails(2, "event", "99"))
	require.Equal(t, "starter: there is no enforcement 99: `starter enforcements` lists the newest\n", b.fails(2, "enforcement", "99"))
}
