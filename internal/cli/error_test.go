package cli_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/testenv"
)

func TestErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env  []string
		args string
		want []string
	}{
		"unknown command": {args: "sensorz", want: []string{"Did you mean this?", "sensors"}},
		"unknown flag":    {args: "events --trigge x", want: []string{"--trigge", "see starter events --help"}},
		"no argument":     {args: "start-sensor", want: []string{"accepts 1 arg(s), received 0"}},
		"bad format":      {args: "events -o xml", want: []string{"write one of table, json, yaml"}},
		"bad limit":       {args: "events --limit 0", want: []string{"a whole number of at least 1"}},
		"bad time":        {args: "events --since yesterday", want: []string{"2026-01-31T08:00:00Z", "15m"}},
		"bad ID":          {args: "event one", want: []string{`"one" is no ID`}},
		"bad status":      {args: "enforcements --status done", want: []string{"created, dispatched, failed, processed, disabled"}},
		"bad state":       {args: "sensors --state up", want: []string{"running, paused, backing_off"}},
		"bad JSON":        {args: "emit a.b --payload {", want: []string{"--payload is not JSON", "single quotes"}},
		"bad cursor":      {args: "set-cursor a.b page", want: []string{"CURSOR is not JSON"}},
		"bad count":       {args: "watch --count -1", want: []string{"--count -1"}},
		"no payload":      {args: "emit a.b", want: []string{`"payload" not set`}},
		"no settings":     {args: "events", want: []string{"database.url (ATTUNE__DATABASE__URL) is missing"}},
		"no broker":       {args: "watch", want: []string{"message_queue.url (ATTUNE__MESSAGE_QUEUE__URL) is missing"}},
		"no such file":    {args: "events --config none.yaml", want: []string{"none.yaml"}},
		"unknown key":     {env: []string{"ATTUNE__SENSOR__POLL_INTERVALL=1s"}, args: "events", want: []string{"ATTUNE__SENSOR__POLL_INTERVALL", "did you mean"}},
		"database away": {
			env:  []string{"ATTUNE__DATABASE__URL=postgres://attune:hunter2@" + nowhere + "/attune"},
			args: "events", want: []string{"the database at 127.0.0.1:1 cannot be used", "database.url (ATTUNE__DATABASE__URL)"},
		},
		"database away for migrate": {
			env:  []string{"ATTUNE__DATABASE__URL=postgres://attune:hunter2@" + nowhere + "/attune"},
			args: "migrate", want: []string{"the database at 127.0.0.1:1 cannot be used"},
		},
		"broker away": {
			env:  []string{"ATTUNE__MESSAGE_QUEUE__URL=amqp://attune:hunter2@" + nowhere},
			args: "watch", want: []string{"message_queue.url (ATTUNE__MESSAGE_QUEUE__URL)", nowhere},
		},
		"Temporal away": {args: "history a.b", want: []string{"Temporal at 127.0.0.1:1 cannot be used", "temporal.address (ATTUNE__TEMPORAL__ADDRESS, TEMPORAL_ADDRESS)"}},
		"no namespace": {
			env:  []string{"TEMPORAL_ADDRESS=" + testenv.TemporalAddress(t), "TEMPORAL_NAMESPACE=nowhere"},
			args: "history a.b", want: []string{`has no namespace "nowhere"`, "temporal.namespace"},
		},
		"since without messages": {args: "audit --since 1h", want: []string{"--messages"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.env = append(b.env, c.env...)
			message := b.fails(2, strings.Fields(c.args)...)
			for _, want := range c.want {
				require.Contains(t, message, want)
			}
			require.NotContains(t, message, "hunter2")
		})
	}
}

func TestUnknownRefsNameCloseOnes(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase().withTemporal()
	b.ok("apply", folder(t, "shop"))
	for args, want := range map[string]string{
		"start-sensor shop.order":           `there is no sensor "shop.order": did you mean shop.orders?`,
		"stop-sensor orders":                `there is no sensor "orders": did you mean shop.orders?`,
		"restart-sensor shop.retruns":       `there is no sensor "shop.retruns": did you mean shop.returns`,
		"pause-sensor shop.order":           "did you mean shop.orders?",
		"resume-sensor shop.order":          "did you mean shop.orders?",
		"poll-sensor shop.order":            "did you mean shop.orders?",
		"status shop.order":                 "did you mean shop.orders?",
		"history shop.order":                "did you mean shop.orders?",
		"set-cursor shop.order 1":           "did you mean shop.orders?",
		"emit shop.orders --payload {}":     `there is no trigger "shop.orders": did you mean shop.order?`,
		"emit unheard.of --payload {}":      "`starter triggers` lists all",
		"start-sensor completely.different": "`starter sensors` lists all",
	} {
		require.Contains(t, b.fails(2, strings.Fields(args)...), want, args)
	}
}
