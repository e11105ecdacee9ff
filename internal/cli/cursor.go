package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/internal/fleet"
	"github.com/attune-automation/sensors/internal/sensor"
)

// cursorChange is what set-cursor did. null stands for no cursor: the sensor begins at the beginning.
type cursorChange struct {
	Ref    string          `json:"ref"`
	Before json.RawMessage `json:"before"`
	After  json.RawMessage `json:"after"`
}

func newSetCursor(s *session) *cobra.Command {
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "set-cursor REF CURSOR",
		Short: "Make a sensor's next poll start from another cursor",
		Long: `Make a sensor's next poll start from another cursor: JSON, @FILE, or - for the standard input. What a cursor means
is up to the sensor's code; null is the beginning. The sensor may be running or not; what it has in hand is finished
first.`,
		Example: `  starter set-cursor examples.git_commits '"4b825dc642cb6eb9a060e54bf8d69288fbee4904"'
  starter set-cursor examples.git_commits null
  starter status examples.git_commits -o json | jq .cursor | starter set-cursor examples.other -`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: s.completeSensor(),
		RunE: func(c *cobra.Command, args []string) error {
			cursor, err := s.readJSON("CURSOR", args[1])
			if err != nil {
				return err
			}
			o, err := s.operator(c.Context())
			if err != nil {
				return err
			}
			return o.setCursor(c.Context(), args[0], cursor, timeout)
		},
	}
	c.Flags().DurationVar(&timeout, "timeout", updateTimeout, "wait this long for a running sensor")
	return c
}

func (o *operator) setCursor(ctx context.Context, ref string, cursor json.RawMessage, timeout time.Duration) error {
	before, _, err := o.store.Cursor(ctx, ref)
	if err != nil {
		return unknownSensor(ctx, o.store, ref, err)
	}
	err = within(ctx, timeout, func(ctx context.Context) error { return o.fleet.SetCursor(ctx, ref, cursor) })
	if errors.Is(err, fleet.ErrNotRunning) {
		err = o.setStoredCursor(ctx, ref, cursor)
	}
	if err != nil {
		return err
	}
	after, _, err := o.store.Cursor(ctx, ref)
	if err != nil {
		return err
	}
	c := cursorChange{Ref: ref, Before: orNull(before), After: orNull(after)}
	o.say("cursor of sensor %s", ref)
	return show(o.session, c, line{"before", string(c.Before)}, line{"after", string(c.After)})
}

// setStoredCursor sets the cursor of a sensor that does not run.
func (o *operator) setStoredCursor(ctx context.Context, ref string, cursor json.RawMessage) error {
	if string(cursor) == "null" {
		cursor = nil
	}
	err := o.store.SetCursor(ctx, ref, cursor)
	switch {
	case errors.Is(err, sensor.ErrBatchInHand):
		return fmt.Errorf("sensor %q was stopped in the middle of a batch: start it, and set the cursor while it runs", ref)
	case errors.Is(err, sensor.ErrNotFound):
		return fmt.Errorf("there is no sensor %q any more: only its cursor is left", ref)
	}
	return err
}

func orNull(raw json.RawMessage) json.RawMessage {
	if raw == nil {
		return json.RawMessage("null")
	}
	return raw
}
