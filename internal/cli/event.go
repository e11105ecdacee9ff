package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/internal/explain"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

// rowLimit is how many rows a listing has unless --limit says otherwise.
const rowLimit = limit(20)

// eventRow is an event as people and programs see it.
type eventRow struct {
	ID         int64           `json:"id"`
	Created    time.Time       `json:"created"`
	OccurredAt *time.Time      `json:"occurred_at,omitempty"` // none: the sensor's code does not say
	TriggerRef string          `json:"trigger_ref"`
	SensorRef  string          `json:"sensor_ref,omitempty"` // none: a system event
	BatchID    int64           `json:"batch_id"`
	Position   int             `json:"position"`
	Payload    json.RawMessage `json:"payload"`
	Config     json.RawMessage `json:"config"`
}

func newEventRow(e sensor.Event) eventRow {
	return eventRow{
		ID: e.ID, Created: e.Created, OccurredAt: e.OccurredAt, TriggerRef: e.TriggerRef, SensorRef: e.SensorRef, BatchID: e.BatchID,
		Position: e.Position, Payload: e.Payload, Config: e.Config,
	}
}

func newEvents(s *session) *cobra.Command {
	var filter store.EventFilter
	var from since
	most := rowLimit
	c := &cobra.Command{
		Use:   "events",
		Short: "List events, newest first",
		Example: `  starter events --limit 5
  starter events --trigger examples.commit --since 1h
  starter events --sensor examples.git_commits --before 1200 -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			db, err := s.store(c.Context())
			if err != nil {
				return err
			}
			filter.Since, filter.Limit = from.time, int(most)
			events, err := db.Events(c.Context(), filter)
			if err != nil {
				return err
			}
			rows := make([]eventRow, len(events))
			for i, e := range events {
				rows[i] = newEventRow(e)
			}
			return list(s, rows,
				column[eventRow]{"EVENT", func(r eventRow) string { return strconv.FormatInt(r.ID, 10) }},
				column[eventRow]{"CREATED", func(r eventRow) string { return moment(r.Created) }},
				column[eventRow]{"TRIGGER", func(r eventRow) string { return r.TriggerRef }},
				column[eventRow]{"SENSOR", func(r eventRow) string { return r.SensorRef }},
				column[eventRow]{"PAYLOAD", func(r eventRow) string { return string(r.Payload) }},
			)
		},
	}
	flags := c.Flags()
	flags.StringVar(&filter.TriggerRef, "trigger", "", "only those of the trigger with this `REF`")
	flags.StringVar(&filter.SensorRef, "sensor", "", "only those of the sensor with this `REF`")
	addPage(c, &from, &filter.BeforeID, &most)
	s.completeRefFlag(c, "trigger", triggerRefs)
	s.completeRefFlag(c, "sensor", sensorRefs)
	return c
}

// addPage adds the flags by which rows are selected by time and number.
func addPage(c *cobra.Command, from *since, before *int64, most *limit) {
	flags := c.Flags()
	flags.Var(from, "since", "only those written since then: 2026-01-31T08:00:00Z, or 15m ago")
	flags.Int64Var(before, "before", 0, "only those with an ID below `ID`, for the next page")
	flags.Var(most, "limit", "at most this many")
}

func newEvent(s *session) *cobra.Command {
	var why bool
	most := explainLimit
	c := &cobra.Command{
		Use:   "event ID",
		Short: "Show an event, or why rules matched it or did not",
		Long: `Show an event.

With --why, say of each rule of its trigger whether it matched, and clause by clause why: near misses first, the nearest at
the top, then those that matched. It goes by the rules as they were when the event was matched, and where a rule has
changed since also by what it is now. Nothing of this is stored: it is computed again. Only what became of a match that a
throttle or a correlation held back is what was recorded.`,
		Example: `  starter event 1042
  starter event 1042 --why
  starter event 1042 -o json | jq .payload`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) error {
			id, err := readID("event", args[0])
			if err != nil {
				return err
			}
			db, err := s.store(c.Context())
			if err != nil {
				return err
			}
			if why {
				_, err = s.explainEvent(c.Context(), db, id, explain.Options{Limit: int(most)})
				return err
			}
			return s.showEvent(c.Context(), db, id)
		},
	}
	c.Flags().BoolVar(&why, "why", false, "say why rules matched it or did not")
	c.Flags().Var(&most, "limit", "with --why, show at most this many rules that did not match")
	return c
}

func (s *session) showEvent(ctx context.Context, db *store.Store, id int64) error {
	event, err := db.Event(ctx, id)
	if err != nil {
		return unknownID("event", "events", id, err)
	}
	row := newEventRow(event)
	return show(s, row,
		line{"event", strconv.FormatInt(row.ID, 10)},
		line{"created", moment(row.Created)},
		line{"occurred", optionalMoment(row.OccurredAt)},
		line{"trigger", row.TriggerRef},
		line{"sensor", row.SensorRef},
		line{"batch", fmt.Sprintf("%d, position %d", row.BatchID, row.Position)},
		line{"payload", indented(row.Payload)},
		line{"config", indented(row.Config)},
	)
}

func readID(kind, text string) (int64, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 {
		return 0, fmt.Errorf("%q is no ID: write the number of an %s, such as 1042", text, kind)
	}
	return id, nil
}

func unknownID(kind, command string, id int64, err error) error {
	if errors.Is(err, sensor.ErrNotFound) {
		return fmt.Errorf("there is no %s %d: `starter %s` lists the newest", kind, id, command)
	}
	return err
}

// indented writes JSON for people.
func indented(raw json.RawMessage) string {
	text, err := json.MarshalIndent(raw, "", "  ")
	if err != nil {
		return string(raw)
	}
	return string(text)
}
