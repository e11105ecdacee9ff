package faults

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/attune-automation/sensors/activities"
	"github.com/attune-automation/sensors/internal/messaging"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/test/stack"
)

// gathering is a pack like numbers, whose rules order when the time of a group has come: one collects, one misses something.
const gathering = `
-- pack.yaml --
ref: t
-- triggers/number.yaml --
ref: t.number
out_schema: {type: object, required: [n], properties: {n: {type: integer}}}
-- triggers/fifth.yaml --
ref: t.fifth
-- sensors/numbers.yaml --
ref: t.numbers
runtime: core.exec
entrypoint: bin/numbers
triggers: [t.number, t.fifth]
-- rules/gather.yaml --
ref: t.gather
trigger: t.number
throttle: {once_after: 1s, group_by: [payload.n]}
action: {ref: core.echo, params: {numbers: "{{ events.map(e, e.payload.n) }}"}}
-- rules/missing.yaml --
ref: t.missing
trigger: t.number
correlate: {within: 1s, group_by: [payload.n], then: [{name: fifth, trigger: t.fifth, absent: true}]}
action: {ref: core.echo}
-- bin/numbers --
#!/bin/sh
`

// closer is a worker that closes groups.
type closer struct {
	*crashes
	*activities.GroupCloser
	t *testing.T
}

// newCloser returns a worker of its own on a shared system.
func newCloser(t *testing.T, s *stack.Stack) *closer {
	t.Helper()
	db, err := store.New(t.Context(), store.Config{URL: s.Config.Database.URL})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	mq := s.Config.MessageQueue
	publisher, err := messaging.New(messaging.Config{URL: mq.URL, Exchange: mq.Exchange, DeclareQueues: true,
		EventsQueue: mq.EventsQueue, EnforcementsQueue: mq.EnforcementsQueue})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, publisher.Close(context.Background())) })
	c := &crashes{left: map[point]int{}}
	return &closer{crashes: c, t: t, GroupCloser: &activities.GroupCloser{
		Store: frailStore{db, c}, Publisher: frailPublisher{publisher, c}, Actions: &groups{started: map[int64]sensor.GroupHead{}}, Metrics: uncounted{},
	}}
}

// close closes groups, all at the same time, and each as often as it takes, as their workflows do.
func (c *closer) close(s *stack.Stack, heads map[int64]sensor.GroupHead) {
	c.t.Helper()
	var closing sync.WaitGroup
	for _, head := range heads {
		var suite testsuite.WorkflowTestSuite
		env := suite.NewTestActivityEnvironment()
		env.RegisterActivity(c.GroupCloser)
		closing.Go(func() {
			s.Eventually(func(context.Context) error {
				_, err := env.ExecuteActivity(c.CloseGroup, head)
				if err != nil && !strings.Contains(err.Error(), errCrash.Error()) && !strings.Contains(err.Error(), errEarly.Error()) {
					c.t.Errorf("closing group %d: %v", head.ID, err)
					return nil
				}
				return err
			})
		})
	}
	closing.Wait()
}

// opened brings a system to where many groups wait for the same moment.
func opened(t *testing.T) (*stack.Stack, *stack.Messages, map[int64]sensor.GroupHead) {
	t.Helper()
	s := stack.New(t, nil)
	s.Apply(gathering)
	messages := s.Watch()
	l := newLine(t, s, &source{step: last, last: last})
	l.until()
	return s, messages, l.groups.started
}

// closedOnce checks that each group has one enforcement, which is published, and nothing else has one.
func closedOnce(t *testing.T, s *stack.Stack, messages *stack.Messages, heads map[int64]sensor.GroupHead) {
	t.Helper()
	s.Sound(messages)
	conn, err := pgx.Connect(t.Context(), s.Config.Database.URL)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	var all, done, ordered, answered int
	require.NoError(t, conn.QueryRow(t.Context(), `
		select count(*), count(*) filter (where status = 'done'), (select count(distinct config #>> '{group,id}') from attune.enforcement),
			(select count(*) from attune.enforcement)
		from attune.match_group where status <> 'early'`).Scan(&all, &done, &ordered, &answered))
	require.NotEmpty(t, heads)
	n := len(heads)
	require.Equal(t, []int{n, n, n, n}, []int{all, done, ordered, answered})
}

// Whatever moment a worker dies at while it closes groups, one of them or all that share a transaction: each has one enforcement.
func TestGroupsAreClosedOnceWhereverTheirWorkerDies(t *testing.T) {
	t.Parallel()
	for _, p := range closingPoints {
		for _, everyone := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, everyone %t", p, everyone), func(t *testing.T) {
				t.Parallel()
				s, messages, heads := opened(t)
				c := newCloser(t, s)
				if c.left[p] = 1; everyone {
					c.left[p] = len(heads)
				}
				c.close(s, heads)
				require.Zero(t, c.left[p], "the crash happened")
				closedOnce(t, s, messages, heads)
			})
		}
	}
}

// Workers that all believe they have to close the same groups do so at the same time, and die everywhere.
func TestManyWorkersCloseTheSameGroups(t *testing.T) {
	t.Parallel()
	s, messages, heads := opened(t)
	var working sync.WaitGroup
	for range 3 {
		c := newCloser(t, s)
		for _, p := range closingPoints {
			c.left[p] = len(heads) / 4
		}
		working.Go(func() { c.close(s, heads) })
	}
	working.Wait()
	closedOnce(t, s, messages, heads)
}
