// Command temporal-dev is a Temporal server for development and tests: all services, persistence, metrics
// and the Web UI in one process that listens on one address, by default the loopback interface.
//
// Its flags are also flags of `temporal server start-dev`, which takes its place where it is installed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "temporal-dev:", err)
		os.Exit(1)
	}
}

// run serves until ctx is done.
func run(ctx context.Context, args []string) error {
	config, err := parseFlags(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	server, err := newServer(config)
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return fmt.Errorf("starting the Temporal server: %w", err)
	}
	ui := newUI(config)
	failed := make(chan error, 1)
	go func() { failed <- ui.Start() }()

	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	ui.Stop()
	return errors.Join(err, server.Stop())
}

// settings is what the flags say.
type settings struct {
	ip          string // address that every port is bound to
	port        int    // gRPC frontend
	uiPort      int    // Web UI
	metricsPort int    // Prometheus metrics, at /metrics
	database    string // SQLite file
}

func (s settings) address(port int) string { return net.JoinHostPort(s.ip, strconv.Itoa(port)) }

func parseFlags(args []string) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("temporal-dev", flag.ContinueOnError)
	flags.StringVar(&s.ip, "ip", "127.0.0.1", "address to listen on")
	flags.IntVar(&s.port, "port", 7233, "port of the gRPC frontend")
	flags.IntVar(&s.uiPort, "ui-port", 8233, "port of the Web UI")
	flags.IntVar(&s.metricsPort, "metrics-port", 9233, "port of the Prometheus metrics, at /metrics")
	flags.StringVar(&s.database, "db-filename", "", "SQLite file that keeps the data, made when missing (required)")
	if err := flags.Parse(args); err != nil {
		return settings{}, err
	}
	if flags.NArg() > 0 {
		return settings{}, fmt.Errorf("unexpected argument %q: give flags only", flags.Arg(0))
	}
	if s.database == "" {
		return settings{}, errors.New("--db-filename is not set: name the file that keeps the data")
	}
	return s, nil
}
