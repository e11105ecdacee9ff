package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/attune-automation/sensors/internal/messaging"
	"github.com/attune-automation/sensors/internal/sensor"
)

const (
	groupSensors = 3                // that bring a full batch each, at the same time
	groupSpan    = 20 * time.Second // for which a group collects
	groupPatient = 2 * time.Second  // for which it is kept open at least after its time
	groupRounds  = 2
)

// groupPack has sensors that yield 1,000 payloads a poll, each with a number of its own, for a rule that orders for each of
// them, and as many for one that opens a group for each. They bring nothing until there is a file.
func groupPack(begun string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `
-- pack.yaml --
ref: b
-- triggers/plain.yaml --
ref: b.plain
-- triggers/gathered.yaml --
ref: b.gathered
-- rules/plain.yaml --
ref: b.plain
trigger: b.plain
action: {ref: core.echo}
-- rules/gathered.yaml --
ref: b.gathered
trigger: b.gathered
throttle: {once_after: %s, group_by: [payload.sensor, payload.n]}
action: {ref: core.echo}
`, groupSpan)
	for _, trigger := range []string{"plain", "gathered"} {
		for n := range groupSensors {
			fmt.Fprintf(&b, "-- sensors/%[1]s%[2]d.yaml --\nref: b.%[1]s%[2]d\nruntime: core.exec\nentrypoint: bin/%[1]s%[2]d\ntrigger: b.%[1]s\npoll_interval: 1h\n"+
				"-- bin/%[1]s%[2]d --\n#!/bin/sh\ntest -e %[4]s || exit 0\nseq -f '{\"sensor\": %[2]d, \"n\": %%.0f}' %[3]d\n", trigger, n, sensor.MaxBatch, begun)
		}
	}
	return b.String()
}

// orders are the messages of enforcements, by rule.
type orders struct {
	mu   sync.Mutex
	came map[string][]time.Time
}

func (o *orders) handle(d messaging.Delivery) error {
	now := time.Now()
	created, err := messaging.DecodePayload[messaging.EnforcementCreated](d.Message)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.came[created.RuleRef] = append(o.came[created.RuleRef], now)
	return nil
}

// take returns when the messages of a rule came, once they are so many, and forgets them.
func (o *orders) take(rule string, n int) ([]time.Time, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	came := o.came[rule]
	if len(came) < n {
		return nil, fmt.Errorf("%d of %d messages of rule %s have come", len(came), n, rule)
	}
	delete(o.came, rule)
	return came, nil
}

// benchGroups measures how long it takes until many groups are open that are opened at once, and until they are closed that
// are due at once, beside as many matches of a rule that has no groups.
func benchGroups(t *trial) {
	s := t.newSystem(nil)
	came := &orders{came: map[string][]time.Time{}}
	t.watch(s, "enforcement.created", came.handle)
	begun := filepath.Join(t.TempDir(), "begun")
	s.Apply(groupPack(begun))
	b := &groupBench{trial: t, system: s, came: came}
	var err error
	b.conn, err = pgx.Connect(t.ctx, s.Config.Database.URL)
	require.NoError(t, err)
	t.Cleanup(func() { _ = b.conn.Close(context.Background()) })
	for n := range groupSensors {
		for _, trigger := range []string{"plain", "gathered"} {
			t.eventually(func(context.Context) error {
				_, err := s.Fleet.Status(t.ctx, fmt.Sprintf("b.%s%d", trigger, n))
				return err
			})
		}
	}
	require.NoError(t, os.WriteFile(begun, nil, 0o600))
	b.plain()
	var plain, matched, opened, closed []float64
	for range groupRounds {
		p := b.plain()
		m, o, c := b.grouped()
		plain, matched, opened, closed = append(plain, p), append(matched, m), append(opened, o), append(closed, c)
	}
	t.report("floor", slices.Min(plain), "s")
	t.report("matched", slices.Min(matched), "s")
	t.report("opened", slices.Min(opened), "s")
	t.report("closed", slices.Min(closed), "s")
	t.report("closed_ratio", slices.Min(closed)/slices.Min(plain), "ratio")
}

// watch takes the messages of a kind until the end of the trial.
func (t *trial) watch(s *system, key string, handle func(messaging.Delivery) error) {
	done := make(chan error, 1)
	ctx, stop := context.WithCancel(t.ctx)
	go func() {
		done <- messaging.Watch(ctx, messaging.WatchConfig{URL: s.Config.MessageQueue.URL, Exchange: s.Config.MessageQueue.Exchange},
			[]string{key}, handle)
	}()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
	})
}

type groupBench struct {
	*trial
	*system
	came *orders
	conn *pgx.Conn
}

// poll has all sensors of a trigger poll at once, and waits until what they bring is matched.
func (b *groupBench) poll(trigger string) {
	var polls sync.WaitGroup
	for n := range groupSensors {
		polls.Go(func() {
			if report, err := b.Fleet.PollNow(b.ctx, fmt.Sprintf("b.%s%d", trigger, n)); err != nil || report.Events != sensor.MaxBatch {
				b.Errorf("polling: %d events, %w", report.Events, err)
			}
		})
	}
	polls.Wait()
}

// plain returns the seconds from the events to the last of their messages.
func (b *groupBench) plain() float64 {
	b.came.take("b.plain", 0)
	b.poll("plain")
	return b.last("b.plain").Sub(b.stamp(`select min(created) from (
		select created from attune.event where trigger_ref = 'b.plain' order by id desc limit $1) e`, groupSensors*sensor.MaxBatch)).Seconds()
}

func (b *groupBench) last(rule string) time.Time {
	var came []time.Time
	b.eventually(func(context.Context) (err error) {
		came, err = b.came.take(rule, groupSensors*sensor.MaxBatch)
		return err
	})
	return came[len(came)-1]
}

// grouped returns the seconds from events to when their batches are done, to when all of their groups have workflows, and from
// when the groups can be closed to the last of their messages.
func (b *groupBench) grouped() (matched, opened, closed float64) {
	b.came.take("b.gathered", 0)
	begun := b.stamp(`select now()`)
	polled := make(chan struct{})
	go func() {
		defer close(polled)
		b.poll("gathered")
	}()
	b.eventually(func(context.Context) error {
		res, err := b.Client.CountWorkflow(b.ctx, &workflowservice.CountWorkflowExecutionsRequest{
			Query: "WorkflowType = 'Group' and ExecutionStatus = 'Running'",
		})
		if err == nil && res.GetCount() < groupSensors*sensor.MaxBatch {
			err = fmt.Errorf("%d groups have a workflow", res.GetCount())
		}
		return err
	})
	all := time.Now()
	<-polled
	events := b.stamp(`select min(created) from attune.event where trigger_ref = 'b.gathered' and created >= $1`, begun)
	done := b.stamp(`select max(done) from attune.poll_batch where trigger_ref = 'b.gathered' and generated >= $1`, begun)
	due := b.stamp(`select max(due) from attune.match_group where created >= $1`, begun)
	last := b.last("b.gathered")
	b.closed()
	return done.Sub(events).Seconds(), all.Sub(events).Seconds(), last.Sub(due.Add(groupPatient)).Seconds()
}

// closed waits until no group is open.
func (b *groupBench) closed() {
	b.eventually(func(context.Context) error {
		var open int
		err := b.conn.QueryRow(b.ctx, `select count(*) from attune.match_group where status in ('open', 'closed')`).Scan(&open)
		if err == nil && open > 0 {
			err = fmt.Errorf("%d groups are open", open)
		}
		return err
	})
}

func (b *groupBench) stamp(sql string, args ...any) (at time.Time) {
	require.NoError(b, b.conn.QueryRow(b.ctx, sql, args...).Scan(&at))
	return at
}
