package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/test/stack"
	"github.com/attune-automation/sensors/workflows"
)

// gathering is a pack whose rule collects alerts for some seconds.
const gathering = `
-- pack.yaml --
ref: t
-- triggers/alert.yaml --
ref: t.alert
-- rules/gather.yaml --
ref: t.gather
trigger: t.alert
throttle: {once_after: %s, group_by: [payload.host]}
action: {ref: core.echo, params: {all: "{{ events.map(e, e.payload.n) }}"}}
`

// raise emits alerts of a host, numbered from 1.
func raise(t *testing.T, s *stack.Stack, host string, n int) {
	t.Helper()
	for i := range n {
		id, err := s.Store.StoreSystemEvent(t.Context(), sensor.SystemEvent{
			TriggerRef: "t.alert", Payload: fmt.Appendf(nil, `{"host": %q, "n": %d}`, host, i+1),
		})
		require.NoError(t, err)
		_, err = s.Fleet.Emit(t.Context(), id)
		require.NoError(t, err)
	}
}

// gathered waits for the enforcement of each host, and returns how many of its alerts it stands for.
func gathered(s *stack.Stack, hosts int) map[string]int {
	counts := map[string]int{}
	s.Eventually(func(ctx context.Context) error {
		all, err := s.Store.Enforcements(ctx, store.EnforcementFilter{RuleRef: "t.gather"})
		if err != nil {
			return err
		}
		for _, e := range all {
			var config struct {
				Params struct{ All []int }
				Group  sensor.Group
			}
			if err := json.Unmarshal(e.Config, &config); err != nil {
				return err
			}
			var by map[string]string
			if err := json.Unmarshal(config.Group.By, &by); err != nil {
				return err
			}
			if counts[by["payload.host"]] = config.Group.Count; len(config.Params.All) != config.Group.Count {
				return fmt.Errorf("enforcement %d lists %v", e.ID, config.Params.All)
			}
		}
		return expect(len(all) == hosts, "there are %d enforcements", len(all))
	})
	return counts
}

func TestOnceAfterCollects(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	s.Apply(fmt.Sprintf(gathering, "15s"))
	s.StartWorker()
	raise(t, s, "a", 4)
	raise(t, s, "b", 1)
	require.Equal(t, map[string]int{"a": 4, "b": 1}, gathered(s, 2))
	s.Sound(messages)
	all, err := s.Store.Enforcements(t.Context(), store.EnforcementFilter{RuleRef: "t.gather"})
	require.NoError(t, err)
	for _, e := range all {
		require.GreaterOrEqual(t, e.Created.Sub(e.EventCreated), 2*time.Second)
	}
	var res struct{ Status string }
	require.NoError(t, s.Client.GetWorkflow(t.Context(), workflows.GroupID(1), "").Get(t.Context(), &res))
	require.Equal(t, sensor.GroupDone, res.Status)
}

// The worker that opened the group dies: another one closes it when its time has come, once.
func TestAGroupOutlivesItsWorker(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	s.Apply(fmt.Sprintf(gathering, "20s"))
	killed := s.StartProcess(nil)
	raise(t, s, "a", 3)
	killed.Kill()
	s.StartWorker()
	require.Equal(t, map[string]int{"a": 3}, gathered(s, 1))
	s.Sound(messages)
}

// Temporal's data is lost while a group is open, and later its workflow is terminated: the manager has it closed.
func TestAGroupOutlivesItsWorkflow(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(*stack.Stack) *stack.Stack{
		"lost": (*stack.Stack).Wiped,
		"terminated": func(s *stack.Stack) *stack.Stack {
			require.NoError(t, s.Client.TerminateWorkflow(t.Context(), workflows.GroupID(1), "", "a test"))
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stack.New(t, nil)
			messages := s.Watch()
			s.Apply(fmt.Sprintf(gathering, "1h"))
			w := s.StartWorker()
			raise(t, s, "a", 2)
			require.NoError(t, w.Stop())
			after := lose(s)
			db, err := pgx.Connect(t.Context(), s.Config.Database.URL)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, db.Close(context.Background())) })
			_, err = db.Exec(t.Context(), `update attune.match_group set due = now() - interval '2 minutes'`)
			require.NoError(t, err)
			after.StartWorker()
			require.Equal(t, map[string]int{"a": 2}, gathered(after, 1))
			after.Sound(messages)
		})
	}
}
