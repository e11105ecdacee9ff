package docs

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/attune-automation/sensors/internal/messaging"
	"github.com/attune-automation/sensors/internal/ops"
	"github.com/attune-automation/sensors/workflows"
)

const operationsPage = "docs/operations.md"

// metricNames are those that a worker has once everything has happened; a histogram has one name.
func metricNames(t *testing.T) []string {
	t.Helper()
	m, err := ops.NewMetrics()
	require.NoError(t, err)
	m.Step("poll", "ok", 1)
	m.Events("t", 1)
	m.Enforcements("t", 1)
	m.Failed("t", 1)
	m.Overrun("t", "cel")
	m.RuleErrors("t", 1)
	require.NoError(t, m.ObserveTrippedRules(func(context.Context) (map[string]int64, error) {
		return map[string]int64{"t": 1}, nil
	}))
	m.Rejected("t", 1)
	m.Suppressed("t", 1)
	m.Held("t", "suppressed", 1)
	m.Run("core.exec", false)
	m.Published(messaging.OutcomeConfirmed, 1)
	require.NoError(t, m.ObservePolls(func() int { return 1 }, 1))
	m.DeliveryWaited(1)
	require.NoError(t, m.ObserveDeliveries(func(context.Context) (map[string]int64, error) {
		return map[string]int64{"t.hook": 1}, nil
	}))
	require.NoError(t, m.ObserveWarmProcesses(func() int { return 1 }))
	require.NoError(t, m.ObserveSensors(func(context.Context) (map[string]int64, error) {
		return map[string]int64{"running": 1}, nil
	}))
	m.WebhookRequest(202, 1)
	m.WebhookDelivery("a.b", false)
	m.WebhookRefused("a.b", "auth")
	m.WebhookCertificate("loaded")
	require.NoError(t, m.ObserveWebhooks(func() map[string]int64 { return map[string]int64{"serving": 1} }))
	families, err := m.Registry().Gather()
	require.NoError(t, err)
	var names []string
	for _, family := range families {
		if strings.HasPrefix(family.GetName(), "attune_") {
			names = append(names, family.GetName())
		}
	}
	return names
}

func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	_, table, _ := strings.Cut(readPage(t, operationsPage).text, "<!-- metrics: begin -->")
	table, _, _ = strings.Cut(table, "<!-- metrics: end -->")
	var names []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)`").FindAllStringSubmatch(table, -1) {
		names = append(names, m[1])
	}
	require.ElementsMatch(t, metricNames(t), names)
	for _, outcome := range []string{
		messaging.OutcomeConfirmed, messaging.OutcomeReturned, messaging.OutcomeNacked, messaging.OutcomeFailed,
		string(workflows.StateRunning), string(workflows.StateWaiting), string(workflows.StatePaused), string(workflows.StateBackingOff), string(workflows.StateFailed),
	} {
		require.Contains(t, table, "`"+outcome+"`")
	}
}

// Every alert looks at metrics that there are, and has a section that says what it means.
func TestAlerts(t *testing.T) {
	t.Parallel()
	p := readPage(t, operationsPage)
	var rules struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(p.files()["alerts.yaml"]), &rules))
	require.Len(t, rules.Groups, 1)
	require.NotEmpty(t, rules.Groups[0].Rules)
	known := metricNames(t)
	for _, rule := range rules.Groups[0].Rules {
		require.Contains(t, p.text, "\n#### "+rule.Alert+"\n")
		for _, name := range regexp.MustCompile(`attune_[a-z_]+`).FindAllString(rule.Expr, -1) {
			require.True(t, slices.Contains(known, strings.TrimSuffix(name, "_count")), "%s looks at %s", rule.Alert, name)
		}
	}
}

// The queries for the Web UI use attributes of sensors' workflows, and states that there are.
func TestSearchAttributesAreDocumented(t *testing.T) {
	t.Parallel()
	p := readPage(t, operationsPage)
	for _, name := range []string{
		workflows.AttributeRef.GetName(), workflows.AttributeRuntime.GetName(), workflows.AttributeTrigger.GetName(),
		workflows.AttributeState.GetName(),
	} {
		require.Contains(t, p.text, "`"+name+"`")
		require.Contains(t, p.text, "--name "+name+" --type Keyword")
	}
	require.Contains(t, p.text, "--name "+workflows.AttributeVersion.GetName()+" --type Int --name "+workflows.AttributeSince.GetName()+" --type Datetime")
	require.Contains(t, p.text, "`"+workflows.AttributeSince.GetName()+"`")
}
