package stack

import (
	"context"
	"fmt"
	"iter"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/audit"
	"github.com/attune-automation/sensors/internal/messaging"
)

// Audit checks the guarantees for everything in the database, and for the messages that came; nil: not for messages.
func (s *Stack) Audit(messages *Messages) audit.Report {
	s.t.Helper()
	report, err := s.audit(s.t.Context(), messages)
	require.NoError(s.t, err)
	return report
}

// Sound waits until no batch is in hand and every message has come, and returns an audit that found nothing wrong.
func (s *Stack) Sound(messages *Messages) audit.Report {
	s.t.Helper()
	var report audit.Report
	s.Eventually(func(ctx context.Context) (err error) {
		if report, err = s.audit(ctx, messages); err != nil {
			return err
		}
		if report.Unfinished > 0 || report.Pending > 0 || report.Total > 0 {
			return fmt.Errorf("%d batches are unfinished, %d deliveries wait, and the audit found: %+v", report.Unfinished, report.Pending, report.Findings)
		}
		return nil
	})
	return report
}

func (s *Stack) audit(ctx context.Context, messages *Messages) (audit.Report, error) {
	cfg := audit.Config{Store: s.Store}
	if messages != nil {
		cfg.Messages = messages.audited()
	}
	return audit.Run(ctx, cfg)
}

// audited yields the messages as an audit takes them.
func (m *Messages) audited() iter.Seq2[audit.Message, error] {
	return func(yield func(audit.Message, error) bool) {
		for _, d := range m.All() {
			if !yield(auditMessage(d.Message)) {
				return
			}
		}
	}
}

func auditMessage(message messaging.Message) (audit.Message, error) {
	switch message.MessageType {
	case messaging.TypeEventCreated:
		p, err := messaging.DecodePayload[messaging.EventCreated](message)
		return audit.Message{ID: message.MessageID, Kind: audit.KindEvent, Row: p.EventID}, err
	case messaging.TypeEnforcementCreated:
		p, err := messaging.DecodePayload[messaging.EnforcementCreated](message)
		return audit.Message{ID: message.MessageID, Kind: audit.KindEnforcement, Row: p.EnforcementID}, err
	}
	return audit.Message{}, fmt.Errorf("a message of type %s, which the service does not publish", message.MessageType)
}
