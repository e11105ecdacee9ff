package integration

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/cli"
	"github.com/attune-automation/sensors/test/stack"
	"github.com/attune-automation/sensors/workflows"
)

// The audit finds nothing wrong with what the system wrote, and everything that is done to it afterwards.
func TestTheAuditSeesWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	s.StartWorker()
	s.Apply(counter)
	await(t, s, "t.counter", func(status workflows.Status) bool { return status.Events == 9 })
	stopped(t, s, "t.counter")
	s.Sound(messages)
	code, out := starter(t, s, "audit")
	require.Zero(t, code, out)
	require.Contains(t, out, "checked 3 batches (0 unfinished), 9 events, 0 refused payloads, 14 enforcements")

	conn := connect(t, s)
	for _, harm := range []struct {
		sql       string
		invariant int
		subject   string
		message   string
	}{
		{"delete from attune.enforcement where event = 6 and rule_ref = 't.big'",
			2, "event 6", "matches rule t.big, but has no enforcement of it"},
		{`insert into attune.enforcement (rule, rule_ref, rule_version, trigger_ref, config, event, payload, condition, conditions)
			select rule, rule_ref, rule_version, trigger_ref, config, 1, payload, condition, conditions from attune.enforcement
			where event = 7 and rule_ref = 't.big'`,
			2, "event 1", "has an enforcement of rule t.big, which it does not match"},
		{"delete from attune.event where id = 2", 1, "batch 1", "has 3 payloads, but 2 events"},
		{`insert into attune.event (batch, position, trigger, trigger_ref, source, source_ref, config, payload)
			select batch, 3, trigger, trigger_ref, source, source_ref, config, payload from attune.event where id = 5`,
			1, "batch 2", "has 3 payloads, but 4 events"},
		{"update attune.event set created = created + interval '1 second' where id = 9",
			3, "event 9", "and its own is"},
		{"update attune.event set position = 9 - position where batch = 3",
			4, "event", "was polled before it"},
		{"update attune.sensor_state set committed_seq = 2", 5, "batch 3", "has its events, but the cursor is still at 2 and not at 3"},
		{"update attune.sensor_state set committed_seq = 3", 0, "", ""},
		{"update attune.poll_batch set status = 'stored' where id = 3", 1, "batch 3", "is only stored, but has 3 rows"},
	} {
		_, err := conn.Exec(t.Context(), harm.sql)
		require.NoError(t, err)
		if harm.invariant == 0 {
			continue
		}
		report := s.Audit(messages)
		found := false
		for _, f := range report.Findings {
			found = found || (f.Invariant == harm.invariant && strings.Contains(f.Message, harm.message) &&
				strings.HasPrefix(f.Subject, harm.subject))
		}
		require.True(t, found, "after %s the findings are %+v", harm.sql, report.Findings)
	}
	code, out = starter(t, s, "audit")
	require.Equal(t, 1, code)
	require.Contains(t, out, "matches rule t.big, but has no enforcement of it")
}

// starter runs the command line and returns its exit code and what it says.
func starter(t *testing.T, s *stack.Stack, args ...string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	code := cli.Main(t.Context(), args, cli.Env{Stdin: &bytes.Buffer{}, Stdout: &out, Stderr: &out, Environ: s.Env})
	return code, out.String()
}
