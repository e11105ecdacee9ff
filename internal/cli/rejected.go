package cli

import (
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/internal/store"
)

// rejectedRow is a refused payload as people and programs see it. It has Raw if the payload is text, and Bytes, which
// JSON writes in base64, if not.
type rejectedRow struct {
	ID         int64     `json:"id"`
	Created    time.Time `json:"created"`
	TriggerRef string    `json:"trigger_ref"`
	SensorRef  string    `json:"sensor_ref,omitempty"` // none: a system event
	BatchID    int64     `json:"batch_id"`
	Position   int       `json:"position"`
	Reason     string    `json:"reason"`
	Raw        *string   `json:"raw,omitempty"`
	Bytes      []byte    `json:"raw_base64,omitempty"`
}

func newRejectedRow(e store.RejectedEvent) rejectedRow {
	row := rejectedRow{
		ID: e.ID, Created: e.Created, TriggerRef: e.TriggerRef, SensorRef: e.SensorRef, BatchID: e.BatchID,
		Position: e.Position, Reason: e.Reason,
	}
	if utf8.Valid(e.Raw) {
		text := string(e.Raw)
		row.Raw = &text
	} else {
		row.Bytes = e.Raw
	}
	return row
}

func newRejected(s *session) *cobra.Command {
	var filter store.RejectedFilter
	var from since
	most := rowLimit
	c := &cobra.Command{
		Use:   "rejected",
		Short: "List payloads that could not become events, and why, newest first",
		Example: `  starter rejected --sensor examples.git_commits --since 24h
  starter rejected -o json | jq -r '.[0].raw'`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			db, err := s.store(c.Context())
			if err != nil {
				return err
			}
			filter.Since, filter.Limit = from.time, int(most)
			rejected, err := db.Rejected(c.Context(), filter)
			if err != nil {
				return err
			}
			rows := make([]rejectedRow, len(rejected))
			for i, e := range rejected {
				rows[i] = newRejectedRow(e)
			}
			return list(s, rows,
				column[rejectedRow]{"ID", func(r rejectedRow) string { return strconv.FormatInt(r.ID, 10) }},
				column[rejectedRow]{"CREATED", func(r rejectedRow) string { return moment(r.Created) }},
				column[rejectedRow]{"TRIGGER", func(r rejectedRow) string { return r.TriggerRef }},
				column[rejectedRow]{"SENSOR", func(r rejectedRow) string { return r.SensorRef }},
				column[rejectedRow]{"REASON", func(r rejectedRow) string { return r.Reason }},
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
