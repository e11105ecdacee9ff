package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/internal/audit"
	"github.com/attune-automation/sensors/internal/messaging"
)

func newAudit(s *session) *cobra.Command {
	var file string
	var from since
	c := &cobra.Command{
		Use:   "audit",
		Short: "Check that nothing was lost, doubled or put out of order",
		Long: `Check that nothing was lost, doubled or put out of order: that every stored payload has its event, that the rules
that match an event, and only they, have an enforcement each, that a sensor's events are in the order of its polls, and
that its cursor stands where they end. It reads everything, changes nothing, and can run at any time.

With --messages it also checks that each of these rows was published, and always under the same ID. The messages are the
output of ` + "`starter watch -o json`" + `, begun before the first of the rows, or before --since.

The exit code is 1 if anything is wrong.`,
		Example: `  starter audit
  starter watch -o json > messages.jsonl &
  starter audit --messages messages.jsonl --since 10m`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if file == "" && !from.time.IsZero() {
				return errors.New("--since says when the messages begin: it needs --messages")
			}
			return s.audit(c.Context(), file, from)
		},
	}
	c.Flags().StringVar(&file, "messages", "", "check the messages in this `FILE` too, or in the standard input for -")
	c.Flags().Var(&from, "since", "the messages begin then, and earlier rows need none: 2026-01-31T08:00:00Z, or 15m ago")
	return c
}

func (s *session) audit(ctx context.Context, file string, from since) error {
	db, err := s.store(ctx)
	if err != nil {
		return err
	}
	cfg := audit.Config{Store: db, MessagesSince: from.time}
	if file != "" {
		input := s.env.Stdin
		if file != "-" {
			f, err := os.Open(file)
			if err != nil {
				return fmt.Errorf("--messages: %w", err)
			}
			defer f.Close()
			input = f
		}
		cfg.Messages = readMessages(input)
	}
	report, err := audit.Run(ctx, cfg)
	if err != nil {
		return err
	}
	return s.showReport(report)
}

// readMessages reads what watch wrote: an envelope a line.
func readMessages(input io.Reader) iter.Seq2[audit.Message, error] {
	return func(yield func(audit.Message, error) bool) {
		decoder := json.NewDecoder(bufio.NewReaderSize(input, casesBuffer))
		for n := 1; ; n++ {
			var body json.RawMessage
			err := decoder.Decode(&body)
			if errors.Is(err, io.EOF) {
				return
			}
			var m audit.Message
			wanted := false
			if err == nil {
				m, wanted, err = readMessage(body)
			}
			if err != nil {
				yield(m, fmt.Errorf("message %d: %w", n, err))
				return
			}
			if wanted && !yield(m, nil) {
				return
			}
		}
	}
}

// readMessage reads an envelope; those of other services are not wanted.
func readMessage(body []byte) (m audit.Message, wanted bool, err error) {
	envelope, err := messaging.Decode(body)
	if err != nil {
		return m, false, err
	}
	m.ID = envelope.MessageID
	switch envelope.MessageType {
	case messaging.TypeEventCreated:
		p, err := messaging.DecodePayload[messaging.EventCreated](envelope)
		m.Kind, m.Row = audit.KindEvent, p.EventID
		return m, true, err
	case messaging.TypeEnforcementCreated:
		p, err := messaging.DecodePayload[messaging.EnforcementCreated](envelope)
		m.Kind, m.Row = audit.KindEnforcement, p.EnforcementID
		return m, true, err
	}
	return m, false, nil
}

func (s *session) showReport(r audit.Report) error {
	if s.format != formatTable {
		if err := s.format.encode(s.env.Stdout, r); err != nil {
			return err
		}
	} else if err := s.printReport(r); err != nil {
		return err
	}
	if r.Total > 0 {
		return no{count(int(r.Total), "finding", "findings")}
	}
	return nil
}

func (s *session) printReport(r audit.Report) error {
	if len(r.Findings) > 0 {
		err := list(s, r.Findings,
			column[audit.Finding]{"INVARIANT", func(f audit.Finding) string { return strconv.Itoa(f.Invariant) }},
			column[audit.Finding]{"SUBJECT", func(f audit.Finding) string { return f.Subject }},
			column[audit.Finding]{"FINDING", func(f audit.Finding) string { return f.Message }},
		)
		if err != nil {
			return err
		}
		s.say("")
	}
	s.say("checked %d batches (%d unfinished), %d events, %d refused payloads, %d enforcements, %d evaluations, %d deliveries (%d pending), %d messages",
		r.Batches, r.Unfinished, r.Events, r.Rejected, r.Enforcements, r.Evaluations, r.Deliveries, r.Pending, r.Messages)
	return nil
}
