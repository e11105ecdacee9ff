package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

const (
	webhookRounds = 3               // of the bare handler and of the webhook, by turns
	webhookRound  = 3 * time.Second // of senders that wait for each answer
	webhookFlood  = 20_000          // requests that come as fast as they are accepted
	webhookPace   = 200             // requests a second
	webhookPaced  = 10 * time.Second
)

// webhookPack has a webhook and ten rules, of which one matches.
func webhookPack() string {
	pack := `
-- pack.yaml --
ref: b
-- triggers/push.yaml --
ref: b.push
-- sensors/hook.yaml --
ref: b.hook
runtime: core.webhook
trigger: b.push
config: {auth: none}
`
	for n := range 10 {
		pack += fmt.Sprintf(`-- rules/rule%[1]d.yaml --
ref: b.rule%[1]d
trigger: b.push
conditions:
  - {field: body.repository.full_name, operator: equals, value: "acme/service-%[1]d"}
  - {field: body.ref, operator: starts_with, value: refs/heads/}
action: {ref: core.echo}
`, n)
	}
	return pack
}

// webhookBody is a request of half a KB, with a place for its number.
const webhookBody = `{"n": %d, "ref": "refs/heads/main", "repository": {"full_name": "acme/service-7", "private": true, "stars": 12}, ` +
	`"sender": {"login": "octocat", "id": 583231, "type": "User"}, "head_commit": {"id": "4fed909091de9d30819104cab6f81a095d24af7d", ` +
	`"message": "Make the thing work that did not work before", "added": ["a.go", "b.go"], "modified": ["README.md", "go.mod"], ` +
	`"timestamp": "2026-01-31T08:00:00Z"}, "forced": false, "compare": "https://example.org/acme/service-7/compare/a...b"}`

// benchWebhook sets the webhook of a whole system beside a bare handler that stores a row and publishes a message for each
// request, both confirmed, before it answers.
func benchWebhook(t *trial) {
	address := "127.0.0.1:" + t.freePorts(1)[0]
	s := t.newSystem(map[string]string{
		"WEBHOOKS__ADDRESS": address, "WEBHOOKS__ADDRESS_RATE": "0", "OPS__ADDRESS": "127.0.0.1:" + t.freePorts(1)[0],
	})
	s.Apply(webhookPack())
	ours := &target{t: t, address: address, path: "/webhooks/b.hook"}
	bare := &target{t: t, address: t.bareHandler(s), path: "/"}
	t.eventually(func(context.Context) error { return ours.try() })
	for _, target := range []*target{ours, bare} {
		target.load(64, time.Second)
	}
	t.drained(s)

	var rate64 []float64
	for _, connections := range []int{1, 16, 64, 256} {
		var ratios, rates, bares []float64
		var took, bareTook []float64
		for range webhookRounds {
			t.purge(s)
			b := bare.load(connections, webhookRound)
			t.purge(s)
			o := ours.load(connections, webhookRound)
			t.drained(s)
			ratios, rates, bares = append(ratios, o.rate/b.rate), append(rates, o.rate), append(bares, b.rate)
			took, bareTook = append(took, o.took...), append(bareTook, b.took...)
		}
		if connections == 64 {
			rate64 = bares
		}
		name := fmt.Sprintf("accepted_%d", connections)
		t.report(name, median(rates), "requests/s")
		t.report(name+"_bare", median(bares), "requests/s")
		t.report(name+"_ratio", median(ratios), "ratio")
		t.report(name+"_p50", 1000*quantile(took, 0.5), "ms")
		t.report(name+"_p99", 1000*quantile(took, 0.99), "ms")
		t.report(name+"_bare_p50", 1000*quantile(bareTook, 0.5), "ms")
		t.report(name+"_bare_p99", 1000*quantile(bareTook, 0.99), "ms")
	}
	t.sustained(s, ours, bare, rate64)
	t.flooded(s, ours)
	t.paced(s, ours)
}

// sustained sends a number of requests as fast as they are accepted, and waits until all of their messages are confirmed.
func (t *trial) sustained(s *system, ours, bare *target, rates []float64) {
	var sustained, ratios []float64
	for range webhookRounds {
		t.purge(s)
		b := bare.load(64, webhookRound)
		rates = append(rates, b.rate)
		t.purge(s)
		start := time.Now()
		ours.flood(64, webhookFlood)
		t.drained(s)
		rate := webhookFlood / time.Since(start).Seconds()
		sustained, ratios = append(sustained, rate), append(ratios, rate/b.rate)
	}
	t.report("sustained", median(sustained), "requests/s")
	t.report("sustained_bare", median(rates), "requests/s")
	t.report("sustained_ratio", median(ratios), "ratio")
}

// flooded measures from each request to its message while requests come as fast as they are accepted. It is a flood of its
// own: what consumes the messages takes some of the machine.
func (t *trial) flooded(s *system, ours *target) {
	t.purge(s)
	receive := t.receiveMatches(s)
	took := receive(ours.flood(64, webhookFlood).sent)
	t.report("flood_p50", quantile(took, 0.5), "s")
	t.report("flood_p99", quantile(took, 0.99), "s")
	t.drained(s)
}

// paced sends requests at a steady pace and measures from each request to its message.
func (t *trial) paced(s *system, ours *target) {
	for _, pace := range []int{webhookPace, 5 * webhookPace} {
		t.purge(s)
		receive := t.receiveMatches(s)
		sent := ours.pace(pace, webhookPaced)
		took := receive(sent)
		t.report(fmt.Sprintf("message_%d_p50", pace), 1000*quantile(took, 0.5), "ms")
		t.report(fmt.Sprintf("message_%d_p99", pace), 1000*quantile(took, 0.99), "ms")
		t.drained(s)
	}
}

// drained waits until every delivery is an event whose messages are confirmed.
func (t *trial) drained(s *system) {
	conn, err := pgx.Connect(t.ctx, s.Config.Database.URL)
	require.NoError(t, err)
	defer conn.Close(t.ctx)
	for {
		var busy bool
		err := conn.QueryRow(t.ctx, `
			select exists (select from attune.webhook_delivery where batch is null)
				or exists (select from attune.poll_batch where status <> 'done')`).Scan(&busy)
		require.NoError(t, err)
		if !busy {
			return
		}
		t.sleep(20 * time.Millisecond)
	}
}
