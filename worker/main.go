// Command worker runs sensors: it is one process of the fleet that Temporal gives work to.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/attune-automation/sensors/internal/config"
	"github.com/attune-automation/sensors/internal/logging"
	"github.com/attune-automation/sensors/internal/runner/jail"
	"github.com/attune-automation/sensors/internal/service"
)

func main() {
	if jail.RunWarden(os.Args) {
		return
	}
	if err := seclude(); err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		os.Exit(1)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		os.Exit(1)
	}
}

// gcPercent is how much of what is in use may be garbage before it is collected, unless GOGC says so. What a worker keeps is
// little beside what passes through it: that takes a tenth off the cost of an event, and some tens of MiB of memory.
const gcPercent = 300

// seclude makes this process's environment and memory, and so its passwords, unreadable for other processes of the same
// user: sensor code is one.
func seclude() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("shielding the process from its own children: %w", err)
	}
	return nil
}

type flags struct {
	file   string
	roles  string
	queues string
	print  bool
}

func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) error {
	var f flags
	cmd := &cobra.Command{
		Use:   "worker",
		Short: "Run sensors as Temporal workflows",
		Long: `Run sensors: poll them, turn what they see into events, match rules, publish.

Any number of workers may run, on any hosts; Temporal shares the work among them. SIGTERM finishes or hands back what
is in flight. Settings come from a YAML file and from ATTUNE__SECTION__KEY variables, see docs/configuration.md.`,
		Example: `  worker --config /etc/attune/config.yaml
  ATTUNE__DATABASE__URL=postgres://... ATTUNE__MESSAGE_QUEUE__URL=amqp://... worker
  worker --roles activities
  worker --roles activities --queues python3,gpu
  worker --print-config`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return start(cmd.Context(), f, environ, stdout, stderr)
		},
	}
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	cmd.Flags().StringVar(&f.file, "config", "", "YAML file with settings (default config.yaml in this folder, if there is one)")
	cmd.Flags().StringVar(&f.roles, "roles", "", "what this worker does, separated by commas: workflows, activities, webhooks (default worker.roles)")
	cmd.Flags().StringVar(&f.queues, "queues", "", "whose polls this worker takes, separated by commas: a sensor's queue, or the short name of its runtime (default worker.queues)")
	cmd.Flags().BoolVar(&f.print, "print-config", false, "print the settings in force, with secrets masked, and exit")
	return cmd.ExecuteContext(ctx)
}

func start(ctx context.Context, f flags, environ []string, stdout, stderr io.Writer) error {
	if f.roles != "" { // the last assignment of a variable counts
		environ = append(environ, "ATTUNE__WORKER__ROLES="+f.roles)
	}
	if f.queues != "" {
		environ = append(environ, "ATTUNE__WORKER__QUEUES="+f.queues)
	}
	cfg, err := config.Load(config.Options{File: f.file, Environ: environ})
	if err != nil {
		return err
	}
	if f.print {
		return cfg.Print(stdout)
	}
	logger, err := logging.New(logging.Config{Level: cfg.Log.Level, Format: cfg.Log.Format, Output: stderr})
	if err != nil {
		return err
	}
	err = service.Run(ctx, service.Config{Settings: cfg, Logger: logger, Warden: true})
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
