package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/internal/sensor"
)

func newRedispatch(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "redispatch ID",
		Short: "Try the failed action of an enforcement on Temporal again",
		Long: `Try the action of an enforcement again that the service was to carry out on Temporal itself, and that was refused, say
because the workflow that was to get a signal did not run. What the parameters say stays as it was at the match.`,
		Example:           `  starter redispatch 77`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) error {
			id, err := readID("enforcement", args[0])
			if err != nil {
				return err
			}
			o, err := s.operator(c.Context())
			if err != nil {
				return err
			}
			batch, err := o.store.Redispatch(c.Context(), id)
			if errors.Is(err, sensor.ErrNotFound) {
				return fmt.Errorf("enforcement %d has no action on Temporal that failed: `starter enforcements --status failed` lists those that did", id)
			}
			if err != nil {
				return err
			}
			if err := o.fleet.Dispatch(c.Context(), batch); err != nil {
				return err
			}
			s.say("the action of enforcement %d is tried again: `starter enforcement %d` says what came of it", id, id)
			return s.report(map[string]any{"enforcement": id, "batch": batch})
		},
	}
}
