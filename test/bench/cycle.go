package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/attune-automation/sensors/workflows"
)

const (
	cyclePolls = 10
	cycleRest  = 1500 * time.Millisecond // half the interval: the server is at rest and has published its counters
)

// cyclePack has a sensor that finds nothing and one that always finds something, which a rule matches.
const cyclePack = `
-- pack.yaml --
ref: b
-- triggers/tick.yaml --
ref: b.tick
-- sensors/sensor.yaml --
ref: b.%s
runtime: core.exec
entrypoint: bin/%s
trigger: b.tick
poll_interval: 3s
-- rules/all.yaml --
ref: b.all
trigger: b.tick
action: {ref: core.echo}
-- bin/empty --
#!/bin/sh
-- bin/full --
#!/bin/sh
echo '{"n": 1}'
echo '{"n": 2}'
`

// benchCycle counts what the engine records of a poll that brings nothing and of one that brings something. The manager
// rests meanwhile.
func benchCycle(t *trial) {
	s := t.newSystem(map[string]string{"SENSOR__MANAGER_INTERVAL": "1h"})
	for _, kind := range []string{"empty", "full"} {
		s.Apply(fmt.Sprintf(cyclePack, kind, kind))
		ref := "b." + kind
		before := t.afterPoll(s, ref, 2)
		after := t.afterPoll(s, ref, before.polls+cyclePolls)
		polls := float64(after.polls - before.polls)
		events := t.history(s, ref)[before.events:after.events]
		markers := 0
		for _, e := range events {
			if e.GetEventType() == enumspb.EVENT_TYPE_MARKER_RECORDED {
				markers++
			}
		}
		t.report(kind+"_events", float64(len(events))/polls, "events/poll")
		t.report(kind+"_markers", float64(markers)/polls, "events/poll")
		t.report(kind+"_writes", (after.writes-before.writes)/polls, "writes/poll")
	}
}

// account is what the server has recorded of a sensor up to a moment between two polls.
type account struct {
	polls  int64
	events int64 // of the history
	writes float64
}

// afterPoll waits until a sensor has polled a number of times and all is at rest.
func (t *trial) afterPoll(s *system, ref string, polls int64) (a account) {
	t.eventually(func(ctx context.Context) error {
		status, err := s.Fleet.Status(ctx, ref)
		if err == nil && (status.Polls < polls || status.Polling) {
			err = errors.New("not yet")
		}
		a.polls = status.Polls
		return err
	})
	t.sleep(cycleRest)
	described, err := s.Client.DescribeWorkflowExecution(t.ctx, workflows.SensorID(ref), "")
	require.NoError(t, err)
	a.events = described.GetWorkflowExecutionInfo().GetHistoryLength()
	a.writes = t.stateWrites(s.temporal, s.Config.Temporal.Namespace)
	return a
}

// history returns the events of a sensor's present run.
func (t *trial) history(s *system, ref string) (events []*historypb.HistoryEvent) {
	iter := s.Client.GetWorkflowHistory(t.ctx, workflows.SensorID(ref), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for iter.HasNext() {
		event, err := iter.Next()
		require.NoError(t, err)
		events = append(events, event)
	}
	return events
}
