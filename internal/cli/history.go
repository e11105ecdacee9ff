package cli

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/internal/fleet"
)

func newHistory(s *session) *cobra.Command {
	most := limit(20)
	c := &cobra.Command{
		Use:   "history REF",
		Short: "List a sensor's runs: attempts, failures and recoveries",
		Long: `List a sensor's runs, newest first, as the engine keeps them: attempts, failures and recoveries. A failure ends a
run, and the next attempt begins one; so does the first good poll after a failure, and a long history now and then.`,
		Example: `  starter history examples.git_commits
  starter history examples.git_commits --limit 100 -o json`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.completeSensor(),
		RunE: func(c *cobra.Command, args []string) error {
			f, err := s.fleet(c.Context())
			if err != nil {
				return err
			}
			runs, err := f.History(c.Context(), args[0], int(most))
			if err != nil {
				return err
			}
			if len(runs) == 0 {
				if err := s.checkKnown(c.Context(), args[0]); err != nil {
					return err
				}
			}
			return list(s, runs,
				column[fleet.Run]{"RUN", func(r fleet.Run) string { return r.RunID }},
				column[fleet.Run]{"STATUS", func(r fleet.Run) string { return r.Status }},
				column[fleet.Run]{"ATTEMPT", func(r fleet.Run) string { return strconv.Itoa(r.Attempt) }},
				column[fleet.Run]{"STARTED", func(r fleet.Run) string { return moment(r.Started) }},
				column[fleet.Run]{"CLOSED", func(r fleet.Run) string { return moment(r.Closed) }},
				column[fleet.Run]{"HISTORY", func(r fleet.Run) string { return strconv.FormatInt(r.Events, 10) }},
				column[fleet.Run]{"OUTCOME", outcome},
			)
		},
	}
	c.Flags().Var(&most, "limit", "at most this many")
	return c
}

// checkKnown refuses refs of no sensor.
func (s *session) checkKnown(ctx context.Context, ref string) error {
	db, err := s.store(ctx)
	if err != nil {
		return err
	}
	_, err = db.Sensor(ctx, ref)
	return unknownSensor(ctx, db, ref, err)
}

func outcome(r fleet.Run) string {
	switch {
	case r.Failure != "":
		return r.Failure
	case r.Recovered:
		return "recovered"
	}
	return ""
}
