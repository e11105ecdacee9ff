// Command starter is the command line of the sensor service: see `starter --help`.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/attune-automation/sensors/internal/cli"
	"github.com/attune-automation/sensors/internal/runner/jail"
)

func main() {
	if jail.RunWarden(os.Args) {
		return
	}
	if err := seclude(); err != nil {
		fmt.Fprintln(os.Stderr, "starter:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(cli.Main(ctx, os.Args[1:], cli.Env{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ(), Warden: true,
	}))
}

// seclude makes this process's environment and memory unreadable for other processes of the same user: `sensor test` runs
// sensor code.
func seclude() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("shielding the process from its own children: %w", err)
	}
	return nil
}
