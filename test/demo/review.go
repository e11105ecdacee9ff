package main

import (
	"fmt"
	"io"
	"log/slog"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/attune-automation/sensors/internal/config"
)

// reviewQueue is the task queue that the rule examples.commit_on_temporal names.
const reviewQueue = "reviews"

// commit is what that rule says of a commit.
type commit struct {
	Hash    string `json:"hash"`
	Subject string `json:"subject"`
	Lines   int    `json:"lines"`
}

// reviewCommit is a workflow as a user of rules would have one.
func reviewCommit(_ workflow.Context, c commit) (string, error) {
	return fmt.Sprintf("%.10s, %d lines: %s", c.Hash, c.Lines, c.Subject), nil
}

// startReviews runs a worker of that workflow until stop is called.
func startReviews(cfg config.Config) (stop func(), err error) {
	options, err := cfg.TemporalOptions(log.NewStructuredLogger(slog.New(slog.NewTextHandler(io.Discard, nil))), nil)
	if err != nil {
		return nil, err
	}
	c, err := client.NewLazyClient(options)
	if err != nil {
		return nil, err
	}
	w := worker.New(c, reviewQueue, worker.Options{})
	w.RegisterWorkflowWithOptions(reviewCommit, workflow.RegisterOptions{Name: "ReviewCommit"})
	if err := w.Start(); err != nil {
		c.Close()
		return nil, fmt.Errorf("starting the worker of reviews: %w", err)
	}
	return func() {
		w.Stop()
		c.Close()
	}, nil
}
