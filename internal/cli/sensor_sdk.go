package cli

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/internal/runner/sdk"
)

func newSensorSDK(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "sdk DIR",
		Short: "Write what Python and Node.js sensors import, for editors and debuggers",
		Long: `Write what Python and Node.js sensors import, for editors, which then know its types, and for runs without a worker, in
which breakpoints work. Workers bring their own and need none of this. A folder whose name begins with a dot does not
travel with its pack. This needs no server and no settings.`,
		Example: `  starter sensor sdk packs/house/.sdk
  PYTHONPATH=.sdk python3 -m attune_sensor run code/door.py --config '{"limit": 2}'
  node .sdk/attune_sensor.mjs run code/door.mjs --config '{"limit": 2}'`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := sdk.Write(args[0]); err != nil {
				return err
			}
			dir := quoteWord(filepath.Clean(args[0]))
			s.say("wrote the SDKs to %s\n", args[0])
			s.say("  PYTHONPATH=%s python3 -m attune_sensor run ENTRYPOINT", dir)
			s.say("  node %s/attune_sensor.mjs run ENTRYPOINT", dir)
			return s.report(map[string]string{"dir": args[0]})
		},
	}
}
