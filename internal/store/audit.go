package store

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

// AuditView reads everything as it was at one moment, that of the first iteration, however much it is and whatever is
// written meanwhile. It has one connection: finish one iteration before the next begins. Each iteration streams, and
// its last pair carries the error if it failed.
type AuditView struct {
	tx pgx.Tx
}

// AuditBatch is a batch with what the tables say of it. It is sound when, for BatchStored, there are no rows and Seq is
// beyond CommittedSeq, and when, for every later status, Events + Rejected = Positions = Count, FirstPosition = 0 and
// LastPosition = Count-1, or both are -1 for a Count of 0, and Seq is not beyond CommittedSeq.
type AuditBatch struct {
	ID            int64
	SensorRef     string // empty: a system event, which has no sequence
	TriggerRef    string
	Seq           int64
	CommittedSeq  int64 // of the sensor
	Status        sensor.BatchStatus
	Count         int
	Events        int // rows
	Rejected      int // rows
	Positions     int // distinct ones in both
	FirstPosition int // -1: none
	LastPosition  int // -1: none
	Created       time.Time
}

// AuditEvent is an event with its batch's state and the refs of the rules that have an enforcement for it.
type AuditEvent struct {
	sensor.Event
	Seq         int64
	BatchStatus sensor.BatchStatus
	Ruleset     *int64   // of its trigger that it was matched against; nil: not yet
	RuleRefs    []string // sorted; a rule that is there twice is a fault
	ShadowRefs  []string // of the shadow rules that it is recorded as a match of
	HeldRefs    []string // of the rules whose throttle holds its match back
}

// AuditEnforcement is what a message of an enforcement is known by. One of a replay that goes on counts as one of a batch
// whose messages are still to be confirmed.
type AuditEnforcement struct {
	ID          int64
	RuleRef     string
	EventID     int64
	Status      string
	BatchStatus sensor.BatchStatus
	Created     time.Time
}

// AuditGroup is a group of matches whose enforcement is written when its time has come, and that is open or not finished.
type AuditGroup struct {
	ID      int64
	RuleRef string
	Status  string
	Due     time.Time
}

// AuditAnswer is a match that is held back for an enforcement of another event that is not there, though its event is.
type AuditAnswer struct {
	EventID    int64
	RuleRef    string
	State      string
	AnsweredBy int64
}

// AuditCorrelated is a group of a correlation that has an enforcement, with the matches that this stands for.
type AuditCorrelated struct {
	ID           int64
	RuleRef      string
	Status       string
	EventID      int64           // that the enforcement is of
	Enforcements int             // of that event and the rule
	Correlation  json.RawMessage // of the rule as it is now; nil: it is gone, or correlates no more
	Mark         string          // of the definition that the group was decided by
	Refs         []string        // of the parts that matched
	Events       []int64         // and what they matched
	Times        []time.Time     // and when that was recorded
}

// AuditKey is a key that suppresses events, with what there is of the event that it is of.
type AuditKey struct {
	SensorRef   string
	Key         string
	BatchID     int64
	Position    int
	BatchStatus sensor.BatchStatus
	Count       int  // of the batch's payloads
	HasEvent    bool // the event is written
}

// AuditDelivery is a delivery of a webhook with what the tables say of it. It is sound when it is pending and its sensor is
// a webhook, and when it is not and, for any Status but BatchStored and none, one row is there, whose Named is its ID or empty.
type AuditDelivery struct {
	ID        string
	SensorRef string
	Webhook   bool   // there is such a sensor, and it is a webhook
	BatchID   *int64 // nil: it is pending
	Position  int
	Status    sensor.BatchStatus // of the batch; empty: that is not there
	Rows      int                // events and rejected payloads at its place
	Sharing   int                // deliveries at its place, this one among them
	Named     string             // the delivery that the event's payload names; empty: it names none, or there is no event
}

// Audit calls f with a view of the database at one moment.
func (s *Store) Audit(ctx context.Context, f func(v *AuditView) error) error {
	return s.inSnapshot(ctx, func(tx pgx.Tx) error { return f(&AuditView{tx: tx}) })
}

// Batches yields every batch, those of a sensor together and in order of Seq.
func (v *AuditView) Batches(ctx context.Context) iter.Seq2[AuditBatch, error] {
	return stream[AuditBatch](ctx, v.tx, "reading batches", `
		select b.id, coalesce(b.sensor_ref, '') as sensor_ref, b.trigger_ref, b.seq,
			coalesce(st.committed_seq, 0) as committed_seq, b.status, b.count, b.created,
			n.events, n.rejected, n.positions, n.first_position, n.last_position
		from attune.poll_batch b
		left join attune.sensor_state st on st.sensor_ref = b.sensor_ref
		cross join lateral (
			select count(*) filter (where not rejected) as events, count(*) filter (where rejected) as rejected,
				count(distinct position) as positions, coalesce(min(position), -1) as first_position,
				coalesce(max(position), -1) as last_position
			from (
				select position, false as rejected from attune.event where batch = b.id
				union all
				select position, true from attune.rejected_event where batch = b.id
			) p
		) n
		order by b.sensor_ref, b.seq, b.id`)
}

// Events yields every event, those of a sensor together and in poll order: by batch's Seq, then Position. IDs must grow
// in this order within a sensor.
func (v *AuditView) Events(ctx context.Context) iter.Seq2[AuditEvent, error] {
	return stream[AuditEvent](ctx, v.tx, "reading events", `
		select `+eventColumns+`, b.seq, b.status as batch_status, (b.rulesets ->> e.trigger_ref)::bigint as ruleset,
			array(select n.rule_ref from attune.enforcement n where n.event = e.id and n.replay is null order by n.rule_ref) as rule_refs,
			array(select m.rule_ref from attune.shadow_match m where m.event = e.id) as shadow_refs,
			array(select h.rule_ref from attune.held_match h where h.event = e.id) as held_refs
		from attune.event e join attune.poll_batch b on b.id = e.batch
		order by b.sensor_ref, b.seq, b.id, e.position`)
}

// Enforcements yields every enforcement, by ID.
func (v *AuditView) Enforcements(ctx context.Context) iter.Seq2[AuditEnforcement, error] {
	return stream[AuditEnforcement](ctx, v.tx, "reading enforcements", `
		select n.id, n.rule_ref, n.event as event_id, n.status, n.created,
			case when n.replay is not null and r.finished is null or exists (
				select from attune.match_group g where g.event = n.event and g.rule_ref = n.rule_ref and g.status = 'closed'
			) then 'matched' else b.status end as batch_status
		from attune.enforcement n
		join attune.event e on e.id = n.event
		join attune.poll_batch b on b.id = e.batch
		left join attune.replay r on r.id = n.replay
		order by n.id`)
}

// Groups yields every group of matches that is still to be closed, or finished, by ID.
func (v *AuditView) Groups(ctx context.Context) iter.Seq2[AuditGroup, error] {
	return stream[AuditGroup](ctx, v.tx, "reading groups", `
		select g.id, g.rule_ref, g.status, g.due from attune.match_group g
		where g.status in ('open', 'completed', 'closed') and `+waiting+` order by g.id`)
}

// Answers yields every match that is held back for an enforcement that is not there. That of an event which retention has
// deleted is not missed.
func (v *AuditView) Answers(ctx context.Context) iter.Seq2[AuditAnswer, error] {
	return stream[AuditAnswer](ctx, v.tx, "reading matches that are held back", `
		select h.event as event_id, h.rule_ref, h.state, h.answered_by
		from attune.held_match h join attune.event e on e.id = h.answered_by
		where not exists (
			select from attune.enforcement n where n.event = h.answered_by and n.rule_ref = split_part(h.rule_ref, '/', 1)
		) and not exists (
			select from attune.match_group g where g.id = h.match_group and g.status = 'completed'
		)
		order by h.event`)
}

// Forgotten yields every match that its group collected and was closed without, but for those of events which retention has
// deleted.
func (v *AuditView) Forgotten(ctx context.Context) iter.Seq2[AuditForgotten, error] {
	return stream[AuditForgotten](ctx, v.tx, "reading matches that are collected", `
		select h.event as event_id, h.rule_ref, g.id as group_id, g.status
		from attune.match_group g join attune.held_match h on h.match_group = g.id and h.state = 'collected'
		join attune.event e on e.id = h.event
		where g.kind = 'once_after' and g.status in ('closed', 'done') and h.answered_by is distinct from g.event
		order by h.event`)
}

// AuditForgotten is a match that its group was closed without.
type AuditForgotten struct {
	EventID int64
	RuleRef string
	GroupID int64
	Status  string // of the group
}

// Correlated yields every group of a correlation that has an enforcement, by ID. One of whose events some are deleted is left
// out, and one whose enforcement is.
func (v *AuditView) Correlated(ctx context.Context) iter.Seq2[AuditCorrelated, error] {
	return stream[AuditCorrelated](ctx, v.tx, "reading groups of correlations", `
		select g.id, g.rule_ref, g.status, g.event as event_id, r.correlation, g.state ->> 'of' as mark, m.refs, m.events, m.times,
			(select count(*) from attune.enforcement n where n.event = g.event and n.rule_ref = g.rule_ref and n.forced = 0) as enforcements
		from attune.match_group g
		left join attune.rule r on r.ref = g.rule_ref
		cross join lateral (
			select array_agg(h.rule_ref order by h.event, h.rule_ref) as refs, array_agg(h.event order by h.event, h.rule_ref) as events,
				array_agg(e.created order by h.event, h.rule_ref) as times, count(*) - count(e.id) as deleted
			from attune.held_match h left join attune.event e on e.id = h.event
			where h.match_group = g.id and h.state = 'collected' and h.answered_by = g.event
		) m
		where g.kind = '`+kindCorrelation+`' and g.status in ('closed', 'done') and m.deleted = 0
			and exists (select from attune.event e where e.id = g.event)
		order by g.id`)
}

// Keys yields every key that has not expired and whose batch is there: retention may have deleted that of an older one.
func (v *AuditView) Keys(ctx context.Context) iter.Seq2[AuditKey, error] {
	return stream[AuditKey](ctx, v.tx, "reading keys", `
		select k.sensor_ref, k.key, k.batch as batch_id, k.position, b.status as batch_status, b.count,
			exists (select from attune.event e where e.batch = k.batch and e.position = k.position) as has_event
		from attune.event_key k join attune.poll_batch b on b.id = k.batch
		where k.expires > now()
		order by k.sensor_ref, k.key`)
}

// Deliveries yields every delivery, in the order of their arrival.
func (v *AuditView) Deliveries(ctx context.Context) iter.Seq2[AuditDelivery, error] {
	return stream[AuditDelivery](ctx, v.tx, "reading deliveries", `
		select d.id::text as id, d.sensor_ref, s.id is not null as webhook, d.batch as batch_id,
			coalesce(d.position, 0) as position, coalesce(b.status, '') as status,
			(e.id is not null)::int + (r.id is not null)::int as rows, d.sharing,
			coalesce(case when jsonb_typeof(e.payload) = 'object' then e.payload ->> 'delivery_id' end, '') as named
		from (
			select *, count(*) over (partition by batch, position) as sharing from attune.webhook_delivery
		) d
		left join attune.sensor s on s.ref = d.sensor_ref and s.runtime_ref = '`+sensor.RuntimeWebhook+`'
		left join attune.poll_batch b on b.id = d.batch
		left join attune.event e on e.batch = d.batch and e.position = d.position
		left join attune.rejected_event r on r.batch = d.batch and r.position = d.position
		order by d.id`)
}

// AuditRule is a version of a rule, which may be gone since.
type AuditRule struct {
	sensor.Rule
	TriggerID    int64
	EndedRuleset int64 // of its trigger, from which on it was another version, or none; 0: it is in force
}

// Rules yields every version of every rule, by ref and version. Those that are InForce are the ones that an event was matched
// against whose Ruleset is in their span.
func (v *AuditView) Rules(ctx context.Context) iter.Seq2[AuditRule, error] {
	return stream[AuditRule](ctx, v.tx, "reading rules", `
		select `+ruleColumns+`, r.trigger as trigger_id, 0::bigint as ended_ruleset from `+ruleTables+`
		union all
		select `+ruleColumns+`, r.trigger, v.ended_ruleset
		from attune.rule_version v
		cross join lateral jsonb_populate_record(null::attune.rule, v.definition) r
		cross join lateral (select split_part(v.rule_ref, '.', 1) as ref) p
		where v.ended_ruleset is not null
		order by ref, version`)
}

// stream yields the rows of a query as they arrive.
func stream[T any](ctx context.Context, q querier, doing, sql string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		rows, err := q.Query(ctx, sql)
		if err != nil {
			yield(zero, fmt.Errorf("%s: %w", doing, err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			v, err := pgx.RowToStructByName[T](rows)
			if err != nil {
				yield(zero, fmt.Errorf("%s: %w", doing, err))
				return
			}
			if !yield(v, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(zero, fmt.Errorf("%s: %w", doing, err))
		}
	}
}
