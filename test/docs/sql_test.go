package docs

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/audit"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/internal/testenv"
)

// database is a migrated database of the test's own, as its owner sees it.
type database struct {
	t   *testing.T
	url string
	*pgx.Conn
}

func newDatabase(t *testing.T) database {
	t.Helper()
	address := testenv.EmptyDatabase(t)
	_, err := store.Migrate(t.Context(), address)
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), address)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close(context.Background()) })
	return database{t, address, conn}
}

// as returns the store as a role sees it; "": the owner.
func (d database) as(role string) *store.Store {
	d.t.Helper()
	u, err := url.Parse(d.url)
	require.NoError(d.t, err)
	if role != "" {
		query := u.Query()
		query.Set("role", role)
		u.RawQuery = query.Encode()
	}
	s, err := store.New(d.t.Context(), store.Config{URL: u.String(), MaxConnections: 2})
	require.NoError(d.t, err)
	d.t.Cleanup(s.Close)
	return s
}

func (d database) run(sql string) {
	d.t.Helper()
	_, err := d.Exec(d.t.Context(), sql)
	require.NoError(d.t, err)
}

func (d database) count(table string) (n int) {
	d.t.Helper()
	require.NoError(d.t, d.QueryRow(d.t.Context(), "select count(*) from attune."+table).Scan(&n))
	return n
}

// sound audits what the database holds.
func (d database) sound() {
	d.t.Helper()
	report, err := audit.Run(d.t.Context(), audit.Config{Store: d.as("")})
	require.NoError(d.t, err)
	require.Empty(d.t, report.Findings)
}

func shop(label string) sensor.Pack {
	return sensor.Pack{
		Ref: "shop", Label: label, Digest: strings.Repeat("a", 64), Archive: []byte(label),
		Triggers: []sensor.Trigger{{Ref: "shop.order", PackRef: "shop", Label: "Order", Enabled: true}},
		Sensors: []sensor.Sensor{{
			Ref: "shop.orders", PackRef: "shop", Label: label, Enabled: true, Runtime: sensor.RuntimeExec, Entrypoint: "x",
			TriggerRef: "shop.order", Config: json.RawMessage(`{}`),
		}},
		Rules: []sensor.Rule{{
			Ref: "shop.all", PackRef: "shop", Label: label, TriggerRef: "shop.order", Condition: "all",
			Conditions: json.RawMessage(`[]`), ActionRef: "mail.send", ActionParams: json.RawMessage(`{}`), Enabled: true,
		}},
	}
}

// cycle does what a worker does: a poll of two payloads, of which the second is refused, up to the end of the batch, and
// one whose payload is suppressed.
func cycle(t *testing.T, s *store.Store) {
	t.Helper()
	ctx := t.Context()
	turn, err := s.Turn(ctx, "shop.orders")
	require.NoError(t, err)
	_, err = s.PackArchive(ctx, turn.Sensor.PackDigest)
	require.NoError(t, err)
	turn.Sensor.DedupeTTL = time.Hour
	good := sensor.Item{Payload: []byte(`{"n": 1}`), Key: fmt.Sprint("key ", turn.TailSeq)}
	bad := sensor.Item{Payload: []byte(`refused`), Key: "refused"}
	appended, err := s.Append(ctx, turn, sensor.Part{Items: []sensor.Item{good, bad}, Cursor: json.RawMessage(`1`)})
	require.NoError(t, err)
	process(t, s, appended.Batches[0].ID)
	turn.TailSeq = appended.Seq
	appended, err = s.Append(ctx, turn, sensor.Part{Items: []sensor.Item{good}})
	require.NoError(t, err)
	require.Equal(t, sensor.Appended{Seq: turn.TailSeq, Suppressed: 1}, appended)
	_, err = s.SweepKeys(ctx, 10)
	require.NoError(t, err)
}

func process(t *testing.T, s *store.Store, id int64) {
	t.Helper()
	ctx := t.Context()
	batch, err := s.Batch(ctx, id)
	require.NoError(t, err)
	good := []sensor.NewEvent{{Position: 0, Payload: batch.Payloads[0]}}
	var bad []sensor.Rejection
	if len(batch.Payloads) > 1 {
		bad = []sensor.Rejection{{Position: 1, Raw: batch.Payloads[1], Reason: "no JSON"}}
	}
	events, err := s.CommitEvents(ctx, batch, good, bad)
	require.NoError(t, err)
	rules, err := s.Ruleset(ctx, batch.TriggerRef)
	require.NoError(t, err)
	_, err = s.CommitEnforcements(ctx, id, map[string]int64{"shop.order": rules.Version},
		[]sensor.Match{{Event: &events[0], Rule: &rules.Rules[0]}}, nil)
	require.NoError(t, err)
	require.NoError(t, s.FinishBatch(ctx, id))
}

// roles returns the store as the roles of the page see it.
func (d database) roles() (worker, operator, author *store.Store) {
	t := d.t
	t.Helper()
	suffix := testenv.Name(t, "")
	d.run(strings.ReplaceAll(readPage(t, operationsPage).files()["grants.sql"], "attune_", "attune"+suffix+"_"))
	as := func(name string) *store.Store {
		role := "attune" + suffix + "_" + name
		t.Cleanup(func() {
			conn, err := pgx.Connect(context.Background(), d.url)
			require.NoError(t, err)
			defer conn.Close(context.Background())
			_, err = conn.Exec(context.Background(), "drop owned by "+role+"; drop role "+role)
			require.NoError(t, err)
		})
		return d.as(role)
	}
	return as("worker"), as("operator"), as("author")
}

// The roles of the page can do their work, and no other's.
func TestGrants(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	ctx := t.Context()
	worker, operator, author := d.roles()

	for _, label := range []string{"Shop", "Store"} {
		_, err := author.ApplyPack(ctx, shop(label), store.ApplyOptions{Prune: true})
		require.NoError(t, err)
	}
	require.NoError(t, worker.CheckSchema(ctx))
	cycle(t, worker)
	require.NoError(t, operator.SetStopped(ctx, "shop.orders", true))
	require.NoError(t, operator.SetCursor(ctx, "shop.orders", json.RawMessage(`7`)))
	cleared, err := operator.ClearKeys(ctx, "shop.orders", nil)
	require.NoError(t, err)
	require.Equal(t, 1, cleared, "that of a refused payload is free already")
	for name, emitter := range map[string]*store.Store{"worker": worker, "operator": operator} {
		id, err := emitter.StoreSystemEvent(ctx, sensor.SystemEvent{TriggerRef: "shop.order", Payload: json.RawMessage(`{}`), DedupeKey: name})
		require.NoError(t, err)
		process(t, worker, id)
	}
	d.sound()

	const denied = "SQLSTATE 42501"
	for _, s := range []*store.Store{worker, operator} {
		_, err := s.ApplyPack(ctx, shop("Other"), store.ApplyOptions{})
		require.ErrorContains(t, err, denied)
	}
	id, err := worker.StoreSystemEvent(ctx, sensor.SystemEvent{TriggerRef: "shop.order", Payload: json.RawMessage(`{}`)})
	require.NoError(t, err)
	_, err = author.CommitEvents(ctx, sensor.Batch{ID: id, TriggerRef: "shop.order"}, []sensor.NewEvent{{Payload: []byte(`{}`)}}, nil)
	require.ErrorContains(t, err, denied)
	deliveries(t, worker, operator, author)
}

// deliveries has the roles do what they do with deliveries of webhooks: workers accept them, operators repeat them, and
// authors make batches of those of a webhook that goes.
func deliveries(t *testing.T, worker, operator, author *store.Store) {
	t.Helper()
	ctx := t.Context()
	pack := shop("Shop")
	pack.Sensors[0].Runtime, pack.Sensors[0].Entrypoint = sensor.RuntimeWebhook, ""
	_, err := author.ApplyPack(ctx, pack, store.ApplyOptions{Prune: true})
	require.NoError(t, err)
	newDelivery := func() sensor.Delivery {
		return sensor.Delivery{ID: uuid.Must(uuid.NewV7()).String(), SensorRef: "shop.orders", Payload: []byte(`{}`), ReceivedAt: time.Now()}
	}
	first := newDelivery()
	receipts, err := worker.InsertDeliveries(ctx, []sensor.Delivery{first, newDelivery()})
	require.NoError(t, err)
	require.NoError(t, receipts[0].Err)
	require.NoError(t, operator.Redeliver(ctx, first.ID, newDelivery()))
	_, err = author.ApplyPack(ctx, shop("Shop"), store.ApplyOptions{Prune: true})
	require.NoError(t, err)
	heads, err := worker.Pending(ctx, "shop.orders")
	require.NoError(t, err)
	require.Equal(t, 3, heads[len(heads)-1].Count)
	_, err = worker.SweepDeliveries(ctx, time.Hour, 10)
	require.NoError(t, err)
}

// So they can with rules that group matches or take too long, with replays, and with actions of this service's own.
func TestGrantsOfRules(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	ctx := t.Context()
	worker, operator, author := d.roles()
	pack := shop("Shop")
	pack.Rules[0].Throttle = json.RawMessage(`{"once_after": "1s"}`)
	pack.Rules = append(pack.Rules, pack.Rules[0], pack.Rules[0])
	pack.Rules[1].Ref, pack.Rules[1].Throttle, pack.Rules[1].Shadow = "shop.shadow", nil, true
	pack.Rules[2].Ref, pack.Rules[2].Throttle, pack.Rules[2].ActionRef = "shop.start", nil, sensor.ActionTemporal
	_, err := author.ApplyPack(ctx, pack, store.ApplyOptions{})
	require.NoError(t, err)
	turn, err := worker.Turn(ctx, "shop.orders")
	require.NoError(t, err)
	appended, err := worker.AppendEvents(ctx, turn, sensor.Part{Items: []sensor.Item{{Payload: []byte(`{"n": 1}`)}}})
	require.NoError(t, err)
	rules, err := worker.Ruleset(ctx, "shop.order")
	require.NoError(t, err)
	matches := make([]sensor.Match, 3)
	for i := range matches {
		matches[i] = sensor.Match{Event: &appended.Events[0], Rule: &rules.Rules[i]}
		if rules.Rules[i].Throttle != nil {
			matches[i].Grouping = &sensor.Grouping{Key: `{}`}
		}
	}
	enforcements, err := worker.CommitEnforcements(ctx, appended.Batches[0].ID, map[string]int64{"shop.order": rules.Version}, matches,
		[]sensor.RuleErrors{{Rule: &rules.Rules[0], Count: 1, LastEvent: appended.Events[0].ID, LastReason: "no"}})
	require.NoError(t, err)
	require.Len(t, enforcements, 1)

	require.NoError(t, worker.DispatchFailed(ctx, enforcements[0].ID, "no"))
	_, err = operator.Redispatch(ctx, enforcements[0].ID)
	require.NoError(t, err)
	require.NoError(t, worker.Dispatched(ctx, enforcements[0].ID, sensor.Link{}))
	require.NoError(t, worker.FinishBatch(ctx, appended.Batches[0].ID))

	d.run(`update attune.match_group set opened = opened - interval '1 min', due = due - interval '1 min'`)
	groups, err := worker.OverdueGroups(ctx, 0, 10)
	require.NoError(t, err)
	require.Len(t, groups, 1)
	closed, err := worker.CloseGroup(ctx, groups[0], func(*sensor.Rule) sensor.GroupRender {
		return func(context.Context, *sensor.Event, json.RawMessage) (json.RawMessage, string, error) {
			return nil, "", nil
		}
	})
	require.NoError(t, err)
	require.NotNil(t, closed.Enforcement)
	require.NoError(t, worker.FinishGroup(ctx, groups[0].ID))
	_, err = worker.SweepGroups(ctx, 10)
	require.NoError(t, err)

	tripped, err := worker.TripRule(ctx, "shop.start", 1, "slow")
	require.NoError(t, err)
	require.True(t, tripped)
	reset, err := operator.ResetRule(ctx, "shop.start")
	require.NoError(t, err)
	require.True(t, reset)

	order, err := operator.OrderReplay(ctx, sensor.Replay{FirstEvent: appended.Events[0].ID, Forced: true, Rate: 1})
	require.NoError(t, err)
	_, err = worker.CommitReplay(ctx, order, sensor.Span{Last: order.LastEvent}, matches[2:])
	require.NoError(t, err)
	require.NoError(t, worker.FinishReplay(ctx, order.ID))
}

// What retention deletes is all of what is old and done, and nothing else.
func TestRetention(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	ctx := t.Context()
	s := d.as("")
	_, err := s.ApplyPack(ctx, shop("Shop"), store.ApplyOptions{})
	require.NoError(t, err)
	for range 3 {
		cycle(t, s)
	}
	inHand, err := s.StoreSystemEvent(ctx, sensor.SystemEvent{TriggerRef: "shop.order", Payload: json.RawMessage(`{}`)})
	require.NoError(t, err)
	d.run("update attune.poll_batch set created = created - interval '91 days', done = done - interval '91 days' where id <> 3")
	d.run(readPage(t, operationsPage).files()["retention.sql"])
	require.Equal(t, 2, d.count("poll_batch"), "the young one, and the one that is not done")
	for _, table := range []string{"event", "rejected_event", "enforcement"} {
		require.Equal(t, 1, d.count(table), table)
	}
	process(t, s, inHand)
	cycle(t, s)
	d.sound()
}

// What is to be published again is in hand again, and comes to the same rows.
func TestRepublish(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	ctx := t.Context()
	s := d.as("")
	_, err := s.ApplyPack(ctx, shop("Shop"), store.ApplyOptions{})
	require.NoError(t, err)
	cycle(t, s)
	d.run(readPage(t, operationsPage).files()["republish.sql"])
	turn, err := s.Turn(ctx, "shop.orders")
	require.NoError(t, err)
	require.Len(t, turn.Pending, 1)
	id := turn.Pending[0].ID
	events, err := s.EventsOfBatch(ctx, id)
	require.NoError(t, err)
	rules, err := s.Ruleset(ctx, "shop.order")
	require.NoError(t, err)
	enforcements, err := s.CommitEnforcements(ctx, id, map[string]int64{"shop.order": rules.Version},
		[]sensor.Match{{Event: &events[0], Rule: &rules.Rules[0]}}, nil)
	require.NoError(t, err)
	require.EqualValues(t, 1, enforcements[0].ID)
	require.NoError(t, s.FinishBatch(ctx, id))
	d.sound()
}

// The query for what is in hand runs.
func TestInHand(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	for _, b := range readPage(t, operationsPage).blocks("sql") {
		if strings.HasPrefix(b.text, "-- what is in hand") {
			d.run(b.text)
			return
		}
	}
	require.FailNow(t, "the query is gone")
}
