package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/attune-automation/sensors/internal/runner/jail"
	"github.com/attune-automation/sensors/internal/runner/packs"
)

// launcher runs installers as sensors are run: what packages bring runs during their installation, too.
type launcher struct{ jail *jail.Jail }

// envCommand sets the installer's home, where the jail's own would be in memory.
const envCommand = "/usr/bin/env"

// Launch runs the installer in the jail.
func (l launcher) Launch(ctx context.Context, cmd packs.Command) error {
	input, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer input.Close()
	args := []string{envCommand}
	for _, variable := range cmd.Env {
		if strings.HasPrefix(variable, "HOME=") || strings.HasPrefix(variable, "TMPDIR=") {
			args = append(args, variable)
		}
	}
	process, err := l.jail.Start(ctx, jail.Command{
		Path: envCommand, Args: append(append(args, cmd.Program), cmd.Args...), Env: cmd.Env, Dir: cmd.Dir,
		Files: []*os.File{input, cmd.Output, cmd.Output}, Visible: cmd.Visible, Writable: []string{cmd.Writable}, Network: true,
	})
	if err != nil {
		return fmt.Errorf("starting the installer: %w", err)
	}
	select {
	case <-process.Exited():
	case <-ctx.Done():
	}
	end := process.Kill()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case !end.Gone, !end.Started:
		return errors.New("the installer ended, and nothing says how")
	case end.Signal != 0 || end.Code != 0:
		return errors.New(describe(end))
	}
	return nil
}
