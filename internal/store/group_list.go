package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/correlation"
	"github.com/attune-automation/sensors/internal/sensor"
)

// MatchGroup is a group of matches as it is stored.
type MatchGroup struct {
	ID            int64
	RuleRef       string
	RuleVersion   int64 // at its latest match
	Kind          string
	Key           json.RawMessage // the fields that the rule groups by, and their values
	Status        string
	Reason        string // why it has no enforcement; empty: it is open, or has one
	Progress      string // of an open group of a correlation: which parts came; empty: it is another
	Opened        time.Time
	Due           time.Time
	Count         int64
	FirstEvent    int64
	LastEvent     int64
	EnforcementID *int64 // nil: it has none of its own
	Closed        *time.Time
}

// progressRow has what progress is computed from.
type progressRow struct {
	GroupState  json.RawMessage
	Correlation json.RawMessage // of the rule as it is now
}

// progress says how far a group of a correlation is; empty: it is another one, or the correlation has changed.
func (r progressRow) progress(now time.Time) string {
	var state groupState
	if len(r.GroupState) == 0 || json.Unmarshal(r.GroupState, &state) != nil {
		return ""
	}
	d, _, err := correlation.Parse(r.Correlation)
	if err != nil || d == nil || d.Mark() != state.Of {
		return ""
	}
	return d.Progress(&state.State, now)
}

// GroupFilter selects groups. Zero fields select everything.
type GroupFilter struct {
	RuleRef string
	Open    bool // only those that are open
	Limit   int  // 0: 100
}

// MatchGroups returns the groups that the filter selects: open ones first, in the order of their times, then the latest.
// Those that no longer hold back anything, and wait to be deleted, are left out, and those of correlations that have not begun.
func (s *Store) MatchGroups(ctx context.Context, f GroupFilter) ([]MatchGroup, error) {
	w := where{args: pgx.NamedArgs{}}
	w.equal("g.rule_ref", "rule_ref", f.RuleRef)
	w.conditions = append(w.conditions, `g.status <> 'early' and (g.status <> 'open' or `+waiting+` or g.due > now())`)
	if f.Open {
		w.conditions = append(w.conditions, `g.status = 'open'`)
	}
	w.args["limit"] = f.Limit
	if f.Limit == 0 {
		w.args["limit"] = defaultLimit
	}
	type row struct {
		MatchGroup
		progressRow
	}
	rows, err := list[row](ctx, s.pool, `
		select g.id, g.rule_ref, g.rule_version, g.kind, g.key::jsonb as key, g.status, coalesce(g.reason, '') as reason, g.opened,
			g.due, g.count, g.first_event, g.last_event, n.id as enforcement_id, g.closed, '' as progress, g.state as group_state,
			r.correlation
		from (
			select * from attune.match_group g`+w.sql()+`
			order by g.status <> 'open', case when g.status = 'open' then g.due end, g.id desc limit @limit
		) g
		left join attune.enforcement n on n.event = g.event and n.rule_ref = g.rule_ref and n.forced = 0
		left join attune.rule r on r.ref = g.rule_ref
		order by g.status <> 'open', case when g.status = 'open' then g.due end, g.id desc`, w.args)
	if err != nil {
		return nil, fmt.Errorf("listing groups: %w", err)
	}
	groups := make([]MatchGroup, len(rows))
	for i, r := range rows {
		if groups[i] = r.MatchGroup; r.Status == sensor.GroupOpen {
			groups[i].Progress = r.progress(time.Now())
		}
	}
	return groups, nil
}

// HeldMatch is a match that the throttle of its rule holds back, with what is known of its group and of its answer.
type HeldMatch struct {
	EventID       int64
	RuleRef       string
	RuleVersion   int64
	State         string
	GroupID       *int64          // nil: it belongs to none
	Key           json.RawMessage // of the group; nil: it is gone
	Status        string          // of the group; empty: it is gone
	Reason        string          // of the group
	Progress      string          // of the group, if it is open and of a correlation: which parts came
	Due           *time.Time      // of the group
	Count         *int64          // of the group
	AnsweredBy    *int64          // event; nil: no enforcement answers it, or none yet
	AnsweredAt    *time.Time      // when that event was recorded
	EnforcementID *int64          // of that event
}

const heldSelect = `
	select h.event as event_id, h.rule_ref, h.rule_version, h.state, g.id as group_id, g.key::jsonb as key, coalesce(g.status, '') as status,
		coalesce(g.reason, '') as reason, g.due, g.count, h.answered_by, a.created as answered_at, n.id as enforcement_id,
		'' as progress, g.state as group_state, r.correlation
	from attune.held_match h
	left join attune.match_group g on g.id = h.match_group
	left join attune.rule r on r.ref = g.rule_ref
	left join attune.event a on a.id = h.answered_by
	left join attune.enforcement n on n.event = h.answered_by and n.rule_ref = split_part(h.rule_ref, '/', 1) and n.forced = 0`

func listHeld(ctx context.Context, q querier, where string, args pgx.NamedArgs) ([]HeldMatch, error) {
	type row struct {
		HeldMatch
		progressRow
	}
	rows, err := list[row](ctx, q, heldSelect+where, args)
	held := make([]HeldMatch, len(rows))
	for i, r := range rows {
		if held[i] = r.HeldMatch; r.Status == sensor.GroupOpen {
			held[i].Progress = r.progress(time.Now())
		}
	}
	return held, err
}

// HeldFor returns the matches of a rule that the enforcement of an event answers, by their events: at most limit.
func (s *Store) HeldFor(ctx context.Context, ruleRef string, eventID int64, limit int) ([]HeldMatch, error) {
	held, err := listHeld(ctx, s.pool, `
		where h.answered_by = @event and split_part(h.rule_ref, '/', 1) = @rule order by h.event limit @limit`,
		pgx.NamedArgs{"event": eventID, "rule": ruleRef, "limit": limit})
	if err != nil {
		return nil, fmt.Errorf("listing the matches that event %d answers: %w", eventID, err)
	}
	return held, nil
}
