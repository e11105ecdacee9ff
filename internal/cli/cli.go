// Package cli is the command line for operators and pack authors: it starts and stops sensors, shows what they saw and
// what came of it, applies packs, and tries rules out. Each command is a constructor that takes the session that it
// runs in, so that tests run commands against buffers.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// The exit codes of the program.
const (
	exitYes   = 0 // done, or the answer is yes
	exitNo    = 1 // the command did its work and the answer is no
	exitError = 2 // the command could not do its work
)

// Env is what the process gives to a command.
type Env struct {
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	Environ []string // as os.Environ returns it
	Warden  bool     // see jail.Config
}

// no is an answer, not a fault: the exit code is 1. Its message may be empty, when the output says it all.
type no struct{ message string }

func (n no) Error() string { return n.message }

// Main runs the command that args name and returns the exit code. It ends early when ctx does.
func Main(ctx context.Context, args []string, env Env) int {
	s := &session{env: env}
	defer s.close()
	root := newRoot(s)
	root.SetArgs(append([]string{}, args...)) // never nil, for which cobra would take the process's own
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitYes
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("interrupted: %w", err)
	}
	if message := err.Error(); message != "" {
		s.warn("%s", message)
	}
	if _, ok := errors.AsType[no](err); ok {
		return exitNo
	}
	return exitError
}

// The groups in which the help lists the commands.
const (
	groupSensors = "sensors"
	groupEvents  = "events"
	groupPacks   = "packs"
	groupSystem  = "system"
)

// newRoot returns the tree of all commands.
func newRoot(s *session) *cobra.Command {
	root := &cobra.Command{
		Use:   "starter",
		Short: "Run the sensors of the Attune platform, and see what they saw.",
		Long: `Run the sensors of the Attune platform, and see what they saw.

Settings come from config.yaml in the working directory, or the file of --config, and from the environment:
database.url is ATTUNE__DATABASE__URL. Exit codes: 0 done or yes, 1 no, 2 error.`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetIn(s.env.Stdin)
	root.SetOut(s.env.Stdout)
	root.SetErr(s.env.Stderr)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fmt.Errorf("%w: see %s --help", err, c.CommandPath())
	})
	s.addFlags(root)
	root.AddGroup(
		&cobra.Group{ID: groupSensors, Title: "Sensors:"},
		&cobra.Group{ID: groupEvents, Title: "Events and enforcements:"},
		&cobra.Group{ID: groupPacks, Title: "Packs and rules:"},
		&cobra.Group{ID: groupSystem, Title: "The system:"},
	)
	root.SetHelpCommandGroupID(groupSystem)
	add(root, groupSensors, sensorCommands(s)...)
	add(root, groupEvents, eventCommands(s)...)
	add(root, groupPacks, packCommands(s)...)
	add(root, groupSystem, systemCommands(s)...)
	return root
}

func add(root *cobra.Command, group string, commands ...*cobra.Command) {
	for _, c := range commands {
		c.GroupID = group
		root.AddCommand(c)
	}
}

func sensorCommands(s *session) []*cobra.Command {
	return []*cobra.Command{
		newStartSensor(s), newStopSensor(s), newRestartSensor(s), newPauseSensor(s), newResumeSensor(s), newPollSensor(s),
		newSetCursor(s), newSensors(s), newStatus(s), newHistory(s), newLogs(s), newDedupe(s), newDeliveries(s), newTimer(s),
	}
}

func eventCommands(s *session) []*cobra.Command {
	return []*cobra.Command{
		newEvents(s), newEvent(s), newEnforcements(s), newEnforcement(s), newGroups(s), newRedispatch(s), newRejected(s), newEmit(s), newReplay(s),
		newWatch(s),
	}
}

func packCommands(s *session) []*cobra.Command {
	return []*cobra.Command{newApply(s), newValidate(s), newTriggers(s), newRules(s), newRule(s), newSensor(s)}
}

func systemCommands(s *session) []*cobra.Command {
	return []*cobra.Command{newMigrate(s), newAudit(s), newCompletion()}
}
