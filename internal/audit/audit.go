// Package audit checks that the guarantees of the service hold for everything that a database holds, and, given the
// messages that were published, for those too. It recomputes what it checks.
//
//  1. Every payload of a committed batch has exactly one event row, or is refused with a reason; and a key suppresses
//     nothing but what is an event already, or will be. So it is with every delivery that a webhook accepted.
//  2. Every event has exactly one enforcement of each enabled rule that matches it; or, of a rule with a throttle, one match
//     that is held back instead, for an enforcement that is there, or will be when its group's time has come.
//  3. Every event and enforcement was published, always under the same message ID; but for those enforcements that failed.
//  4. The order of a sensor's events is the order of its polls.
//  5. A cursor never moves without the events that it stands for.
package audit

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

// maxFindings is how many findings a report keeps; it counts them all.
const maxFindings = 1000

// overdue is how old an unfinished batch may be before it is a finding: retries after an outage are minutes apart at most.
const overdue = 10 * time.Minute

// Config says what to audit.
type Config struct {
	Store *store.Store
	// Messages are those that were published, in any order and with repetitions; nil: they are not checked.
	Messages iter.Seq2[Message, error]
	// MessagesSince is when the messages begin: rows written before need none.
	MessagesSince time.Time
}

// Kind is a table whose rows are published.
type Kind string

// The kinds of rows that are published.
const (
	KindEvent       Kind = "event"
	KindEnforcement Kind = "enforcement"
)

// Message is a message that was published for a row.
type Message struct {
	ID   uuid.UUID
	Kind Kind
	Row  int64 // ID of the event or enforcement
}

// Report is what an audit checked and found.
type Report struct {
	Batches      int64     `json:"batches"`
	Unfinished   int64     `json:"unfinished_batches"` // not done yet; a fault once overdue
	Events       int64     `json:"events"`
	Rejected     int64     `json:"rejected"`
	Enforcements int64     `json:"enforcements"`
	Evaluations  int64     `json:"evaluations"`        // of a rule on an event
	Keys         int64     `json:"keys"`               // that suppress events
	Deliveries   int64     `json:"deliveries"`         // that webhooks accepted, and that are kept yet
	Pending      int64     `json:"pending_deliveries"` // that no poll has taken; no fault while their sensor is paused
	Messages     int64     `json:"messages"`
	Findings     []Finding `json:"findings"` // the first 1,000
	Total        int64     `json:"total_findings"`
}

// Finding is one thing that is wrong.
type Finding struct {
	Invariant int    `json:"invariant"`
	Subject   string `json:"subject"` // such as event 12 or batch 7
	Message   string `json:"message"`
}

// Run audits the database as it is at one moment. The error is about the audit itself; what is wrong with the data is in
// the report.
func Run(ctx context.Context, cfg Config) (Report, error) {
	if cfg.Store == nil {
		return Report{}, errors.New("audit: Store is missing")
	}
	a := &auditor{since: cfg.MessagesSince, report: Report{Findings: []Finding{}}}
	triggers, err := cfg.Store.Triggers(ctx)
	if err != nil {
		return a.report, err
	}
	// The view is taken last, so that it has the row of every message that has been received.
	if cfg.Messages != nil {
		if a.published, err = a.collect(cfg.Messages); err != nil {
			return a.report, err
		}
	}
	err = cfg.Store.Audit(ctx, func(v *store.AuditView) error {
		rules, err := a.rules(v.Rules(ctx), triggers)
		if err != nil {
			return err
		}
		if err := a.batches(v.Batches(ctx)); err != nil {
			return err
		}
		if err := a.events(ctx, v.Events(ctx), rules); err != nil {
			return err
		}
		if err := a.enforcements(v.Enforcements(ctx)); err != nil {
			return err
		}
		if err := a.held(v.Groups(ctx), v.Answers(ctx), v.Forgotten(ctx)); err != nil {
			return err
		}
		if err := a.correlations(v.Correlated(ctx)); err != nil {
			return err
		}
		if err := a.keys(v.Keys(ctx)); err != nil {
			return err
		}
		return a.deliveries(v.Deliveries(ctx))
	})
	if err != nil {
		return a.report, err
	}
	a.strayMessages()
	return a.report, nil
}

// auditor is the state of one audit.
type auditor struct {
	since     time.Time
	published map[row]*publication // nil: messages are not checked
	report    Report
}

func (a *auditor) find(invariant int, subject string, format string, args ...any) {
	a.report.Total++
	if len(a.report.Findings) < maxFindings {
		a.report.Findings = append(a.report.Findings, Finding{invariant, subject, fmt.Sprintf(format, args...)})
	}
}

// batches checks that payloads, rows and cursor of each batch agree with its status.
func (a *auditor) batches(batches iter.Seq2[store.AuditBatch, error]) error {
	for b, err := range batches {
		if err != nil {
			return err
		}
		a.report.Batches++
		a.report.Rejected += int64(b.Rejected)
		subject := fmt.Sprintf("batch %d", b.ID)
		if b.Status != sensor.BatchDone {
			a.report.Unfinished++
			if age := time.Since(b.Created); age > overdue {
				a.find(1, subject, "of trigger %s is unfinished (%s) after %s: see that a worker and its servers are up",
					b.TriggerRef, b.Status, age.Round(time.Minute))
			}
		}
		a.batch(b, subject)
	}
	return nil
}

func (a *auditor) batch(b store.AuditBatch, subject string) {
	rows := b.Events + b.Rejected
	committed := b.Status != sensor.BatchStored
	switch {
	case !committed && rows > 0:
		a.find(1, subject, "is only stored, but has %d rows", rows)
	case committed && (rows != b.Count || b.Positions != b.Count || b.FirstPosition != min(b.Count-1, 0) || b.LastPosition != b.Count-1):
		a.find(1, subject, "has %d payloads, but %d events and %d refused at %d positions from %d to %d",
			b.Count, b.Events, b.Rejected, b.Positions, b.FirstPosition, b.LastPosition)
	}
	switch {
	case b.SensorRef == "": // a system event has no cursor
	case committed && b.Seq > b.CommittedSeq:
		a.find(5, subject, "of sensor %s has its events, but the cursor is still at %d and not at %d", b.SensorRef, b.CommittedSeq, b.Seq)
	case !committed && b.Seq <= b.CommittedSeq:
		a.find(5, subject, "of sensor %s has no events yet, but the cursor is at %d already, and the batch is %d",
			b.SensorRef, b.CommittedSeq, b.Seq)
	}
}

// events checks order, enforcements and messages of each event.
func (a *auditor) events(ctx context.Context, events iter.Seq2[store.AuditEvent, error], rules *ruleset) error {
	var last store.AuditEvent
	for e, err := range events {
		if err != nil {
			return err
		}
		a.report.Events++
		subject := fmt.Sprintf("event %d", e.ID)
		if e.SensorRef != "" && e.SensorRef == last.SensorRef && e.ID <= last.ID {
			a.find(4, subject, "of sensor %s comes after event %d, but was polled before it", e.SensorRef, last.ID)
		}
		last = e
		if err := a.match(ctx, &e, rules, subject); err != nil {
			return err
		}
		a.publishedRow(row{KindEvent, e.ID}, subject, e.BatchStatus, e.Created)
	}
	return nil
}

func (a *auditor) enforcements(enforcements iter.Seq2[store.AuditEnforcement, error]) error {
	for e, err := range enforcements {
		if err != nil {
			return err
		}
		a.report.Enforcements++
		if e.Status == sensor.EnforcementFailed && a.published[row{KindEnforcement, e.ID}] == nil {
			continue // nobody is told of what cannot be done
		}
		a.publishedRow(row{KindEnforcement, e.ID}, fmt.Sprintf("enforcement %d", e.ID), e.BatchStatus, e.Created)
	}
	return nil
}

// keys checks that what a key suppresses is not lost: the event that has the key is there, or still waits in its batch.
func (a *auditor) keys(keys iter.Seq2[store.AuditKey, error]) error {
	for k, err := range keys {
		if err != nil {
			return err
		}
		a.report.Keys++
		subject := fmt.Sprintf("key %q", k.Key)
		switch {
		case k.Position < 0 || k.Position >= k.Count:
			a.find(1, subject, "of sensor %s is of payload %d of batch %d, which has %d", k.SensorRef, k.Position, k.BatchID, k.Count)
		case k.BatchStatus != sensor.BatchStored && !k.HasEvent:
			a.find(1, subject, "of sensor %s suppresses events, but payload %d of batch %d is none: run `starter dedupe clear`",
				k.SensorRef, k.Position, k.BatchID)
		}
	}
	return nil
}
