package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
)

const (
	batchRounds = 5  // of the bare loop and of each sensor, by turns
	batchPolls  = 10 // back to back, a round
)

// batchPack has sensors that yield 1,000 payloads of half a KB a poll, and one rule that matches all.
const batchPack = `
-- pack.yaml --
ref: b
-- triggers/reading.yaml --
ref: b.reading
out_schema: {type: object, required: [n], properties: {n: {type: integer}}}
-- sensors/exec.yaml --
ref: b.exec
runtime: core.exec
entrypoint: bin/readings
trigger: b.reading
poll_interval: 1h
-- sensors/python.yaml --
ref: b.python
runtime: core.python3
entrypoint: readings.py
trigger: b.reading
poll_interval: 1h
-- rules/all.yaml --
ref: b.all
trigger: b.reading
conditions: [{field: n, operator: less_than, value: 1000}]
action: {ref: core.echo}
-- bin/readings --
#!/bin/sh
cat readings.jsonl
-- readings.py --
def poll(ctx):
    for n in range(1000):
        fields = {f"field_{f}": f"value {f * 7919} of row {n}" for f in range(13)}
        yield {"n": n, **fields, "tags": ["one", "two"], "nested": {"ok": True, "ratio": 0.25}}
-- readings.jsonl --
`

// readings returns the payloads of a poll, the same as the Python sensor's.
func readings() []string {
	payloads := make([]string, sensor.MaxBatch)
	for n := range payloads {
		var fields strings.Builder
		for f := range 13 {
			fmt.Fprintf(&fields, `, "field_%d": "value %d of row %d"`, f, f*7919, n)
		}
		payloads[n] = fmt.Sprintf(`{"n": %d%s, "tags": ["one", "two"], "nested": {"ok": true, "ratio": 0.25}}`, n, fields.String())
	}
	return payloads
}

// benchBatch sets a sensor that brings full batches beside a bare loop that makes the same rows and messages.
func benchBatch(t *trial) {
	s := t.newSystem(nil)
	payloads := readings()
	s.Apply(batchPack + strings.Join(payloads, "\n") + "\n")
	sensors := []string{"b.exec", "b.python"}
	for _, ref := range sensors {
		t.eventually(func(context.Context) error {
			_, err := s.Fleet.Status(t.ctx, ref)
			return err
		})
		t.pollFull(s, ref, 2)
	}
	floor := t.newFloor(s, payloads)
	floor.run(2)

	rates := map[string][]float64{}
	for range batchRounds {
		rates["floor"] = append(rates["floor"], t.rate(s, func() { floor.run(batchPolls) }))
		for _, ref := range sensors {
			rates[ref] = append(rates[ref], t.rate(s, func() { t.pollFull(s, ref, batchPolls) }))
		}
	}
	t.report("floor", median(rates["floor"]), "events/s")
	for _, ref := range sensors {
		_, name, _ := strings.Cut(ref, ".")
		t.report(name, median(rates[ref]), "events/s")
		var ratios []float64
		for i, rate := range rates[ref] {
			ratios = append(ratios, rate/rates["floor"][i])
		}
		t.report(name+"_ratio", median(ratios), "ratio")
	}
}

// pollFull makes a sensor poll a number of times, each as soon as what the poll before brought is done.
func (t *trial) pollFull(s *system, ref string, polls int) {
	for range polls {
		report, err := s.Fleet.PollNow(t.ctx, ref)
		require.NoError(t, err)
		require.Equal(t, sensor.MaxBatch, report.Events)
		require.Equal(t, sensor.MaxBatch, report.Enforcements)
	}
}

// rate returns the events a second of a round, which begins with empty queues.
func (t *trial) rate(s *system, round func()) float64 {
	t.purge(s)
	start := time.Now()
	round()
	return batchPolls * sensor.MaxBatch / time.Since(start).Seconds()
}

// purge drops the messages that nobody consumes.
func (t *trial) purge(s *system) {
	mq := s.Config.MessageQueue
	conn, err := amqp.Dial(mq.URL)
	require.NoError(t, err)
	defer conn.Close()
	channel, err := conn.Channel()
	require.NoError(t, err)
	for _, queue := range []string{mq.EventsQueue, mq.EnforcementsQueue} {
		_, err := channel.QueuePurge(queue, false)
		require.NoError(t, err)
	}
}
