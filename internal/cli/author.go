package cli

import (
	"github.com/spf13/cobra"
)

// newSensor returns the commands for authors of sensors.
func newSensor(s *session) *cobra.Command {
	c := &cobra.Command{
		Use:   "sensor",
		Short: "Write sensors, and try them out",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newSensorNew(s), newSensorTest(s), newSensorSDK(s))
	return c
}
