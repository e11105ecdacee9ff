// Command bench measures what the project says of its speed and its cost, and prints a line a figure: `name: value unit`.
//
//	go run ./test/bench [NAME...]
//
// It runs in the checkout's root and uses the programs in bin/ and the servers that the environment or .dev/env name: `make
// bench` and `make bench/NAME` see to both. All benchmarks run unless some are named; their figures are added to
// .dev/bench.json. Each has a database, an exchange, a Temporal server and a worker process of its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// timeout bounds one benchmark.
const timeout = 6 * time.Minute

type benchmark struct {
	name string
	run  func(*trial)
}

// benchmarks returns all of them, in the order of docs/performance.md.
func benchmarks() []benchmark {
	return []benchmark{
		{"batch", benchBatch},
		{"cycle", benchCycle},
		{"fleet", benchFleet},
		{"clauses", benchClauses},
		{"rules", benchRules},
		{"idle", benchIdle},
		{"timers", benchTimers},
		{"webhook", benchWebhook},
		{"groups", benchGroups},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, names []string) error {
	selected, err := choose(names)
	if err != nil {
		return err
	}
	var failures []error
	for _, b := range selected {
		if err := runTrial(ctx, b); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", b.name, err))
		}
	}
	return errors.Join(failures...)
}

func choose(names []string) ([]benchmark, error) {
	all := benchmarks()
	if len(names) == 0 {
		return all, nil
	}
	var known []string
	for _, b := range all {
		known = append(known, b.name)
	}
	var chosen []benchmark
	for _, name := range names {
		i := slices.Index(known, name)
		if i < 0 {
			return nil, fmt.Errorf("no benchmark %q: there are %s", name, strings.Join(known, ", "))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}
