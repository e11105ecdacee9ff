package integration

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/attune-automation/sensors/test/stack"
)

// manyHosts has a sensor whose one poll opens two groups for each of 150 hosts.
const manyHosts = `
-- rules/silent.yaml --
ref: t.silent
trigger: t.alert
correlate: {within: 10s, group_by: [payload.host], then: [{name: again, trigger: t.alert, absent: true}]}
action: {ref: core.echo}
-- sensors/hosts.yaml --
ref: t.hosts
runtime: core.exec
entrypoint: bin/hosts
trigger: t.alert
poll_interval: 1h
-- bin/hosts --
#!/bin/sh
seq -f '{"host": "%.0f", "n": 1}' 150
`

// A batch opens many groups, and the worker dies that starts their workflows: another one goes on, and each is closed once.
func TestManyGroupsOutliveTheWorkerThatStartsThem(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	s.Apply(fmt.Sprintf(gathering, "10s") + manyHosts)
	killed := s.StartProcess(nil)
	s.Eventually(func(ctx context.Context) error {
		res, err := s.Client.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: "WorkflowType = 'Group'"})
		return expect(err == nil && res.GetCount() > 0, "no group has a workflow: %v", err)
	})
	killed.Kill()
	s.StartWorker()
	s.Eventually(func(context.Context) error {
		open := groupTexts(t, s, `select id::text from attune.match_group where status in ('open', 'closed')`)
		return expect(len(open) == 0, "%d groups are open", len(open))
	})
	s.Sound(messages)
	require.Equal(t, []string{"t.gather 150", "t.silent 150"}, groupTexts(t, s, `
		select rule_ref || ' ' || count(distinct config #>> '{group,by}') from attune.enforcement group by rule_ref order by 1`))
	require.Equal(t, []string{"300"}, groupTexts(t, s, `select count(*)::text from attune.enforcement`))
	opener := groupTexts(t, s, `select 'groups:' || id from attune.poll_batch`)[0]
	require.NoError(t, s.Client.GetWorkflow(t.Context(), opener, "").Get(t.Context(), nil))
}
