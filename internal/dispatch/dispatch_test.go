package dispatch_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/attune-automation/sensors/internal/dispatch"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/testenv"
)

const queue = "reviews"

type bundle struct {
	*dispatch.Dispatcher
	ctx       context.Context
	client    client.Client
	namespace string
	profile   client.Options
}

// gather counts the signals and updates that it gets until it is told to end, and returns what it was started with.
func gather(ctx workflow.Context, in map[string]string) (map[string]any, error) {
	var notes []string
	ended := false
	err := workflow.SetUpdateHandler(ctx, "note", func(_ workflow.Context, note string) error {
		notes = append(notes, note)
		return nil
	})
	if err != nil {
		return nil, err
	}
	signals := workflow.GetSignalChannel(ctx, "note")
	workflow.Go(ctx, func(ctx workflow.Context) {
		for !ended {
			var note string
			signals.Receive(ctx, &note)
			notes, ended = append(notes, note), note == "end"
		}
	})
	err = workflow.Await(ctx, func() bool { return ended || in["wait"] == "" })
	return map[string]any{"in": in, "notes": notes}, err
}

func setup(t *testing.T) *bundle {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	b := &bundle{ctx: ctx, namespace: testenv.Namespace(t)}
	b.profile = client.Options{HostPort: testenv.TemporalAddress(t), Namespace: b.namespace, Logger: silent{}}
	var err error
	b.client, err = client.DialContext(ctx, b.profile)
	require.NoError(t, err)
	t.Cleanup(b.client.Close)
	w := worker.New(b.client, queue, worker.Options{})
	w.RegisterWorkflowWithOptions(gather, workflow.RegisterOptions{Name: "Gather"})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	b.Dispatcher, err = dispatch.New(dispatch.Config{Client: b.client, Namespace: b.namespace, Options: func(name string) (client.Options, error) {
		if name != "elsewhere" {
			return client.Options{}, errors.New("there is none of that name")
		}
		return b.profile, nil
	}})
	require.NoError(t, err)
	t.Cleanup(b.Close)
	return b
}

func enforcement(id int64) sensor.Enforcement {
	return sensor.Enforcement{ID: id, Created: time.Unix(1_700_000_000, id)}
}

func action(t *testing.T, text string) sensor.TemporalAction {
	t.Helper()
	a, err := sensor.ParseTemporalAction([]byte(text))
	require.NoError(t, err)
	return a
}

// result waits for the workflow and returns what it gathered.
func (b *bundle) result(t *testing.T, link sensor.Link) map[string]any {
	t.Helper()
	var got map[string]any
	require.NoError(t, b.client.GetWorkflow(b.ctx, link.WorkflowID, link.RunID).Get(b.ctx, &got))
	return got
}

func TestAStartHappensOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	start := action(t, `{"operation": "start", "workflow": "Gather", "task_queue": "reviews", "input": {"sha": "c0ffee"}}`)
	link, err := b.Dispatch(b.ctx, enforcement(7), start)
	require.NoError(t, err)
	require.Equal(t, sensor.Link{Namespace: b.namespace, WorkflowID: "enforcement:7", RunID: link.RunID}, link)
	require.Equal(t, map[string]any{"sha": "c0ffee"}, b.result(t, link)["in"])
	again, err := b.Dispatch(b.ctx, enforcement(7), start)
	require.NoError(t, err)
	require.Equal(t, link, again, "also once it has ended")
}

func TestAStartWithAnIDOfItsOwnHappensOnceForEachEnforcement(t *testing.T) {
	t.Parallel()
	b := setup(t)
	start := action(t, `{"operation": "start", "workflow": "Gather", "task_queue": "reviews", "id": "host-a", "input": {"wait": "yes"}}`)
	link, err := b.Dispatch(b.ctx, enforcement(1), start)
	require.NoError(t, err)
	again, err := b.Dispatch(b.ctx, enforcement(1), start)
	require.NoError(t, err)
	require.Equal(t, link, again)
	_, err = b.Dispatch(b.ctx, enforcement(2), start)
	require.ErrorIs(t, err, sensor.ErrRefused)
	require.ErrorContains(t, err, "host-a")
	start.OnConflict = sensor.UseExisting
	same, err := b.Dispatch(b.ctx, enforcement(3), start)
	require.NoError(t, err)
	require.Equal(t, link.RunID, same.RunID)

	require.NoError(t, b.client.SignalWorkflow(b.ctx, "host-a", "", "note", "end"))
	b.result(t, link)
	again, err = b.Dispatch(b.ctx, enforcement(1), start)
	require.NoError(t, err)
	require.Equal(t, link.RunID, again.RunID, "a repetition is known after the end of the run")
	next, err := b.Dispatch(b.ctx, enforcement(4), start)
	require.NoError(t, err)
	require.NotEqual(t, link.RunID, next.RunID)
}

func TestSignalsAndUpdatesArriveOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.Dispatch(b.ctx, enforcement(1), action(t, `{"operation": "signal", "id": "host-b", "name": "note", "input": "lost"}`))
	require.ErrorIs(t, err, sensor.ErrRefused)
	require.ErrorContains(t, err, "signal_with_start")

	const where = `"workflow": "Gather", "task_queue": "reviews", "id": "host-b", "name": "note", "start_input": {"wait": "yes"}`
	var link sensor.Link
	for i, text := range []string{
		`{"operation": "signal_with_start", "input": "two", ` + where + `}`,
		`{"operation": "update_with_start", "input": "three", ` + where + `}`,
		`{"operation": "signal", "id": "host-b", "name": "note", "input": "four"}`,
	} {
		for range 3 {
			done, err := b.Dispatch(b.ctx, enforcement(int64(i+2)), action(t, text))
			require.NoError(t, err)
			require.Equal(t, "host-b", done.WorkflowID)
			link = sensor.Link{WorkflowID: done.WorkflowID, RunID: cmp.Or(done.RunID, link.RunID)}
		}
	}
	require.NoError(t, b.client.SignalWorkflow(b.ctx, "host-b", "", "note", "end"))
	require.ElementsMatch(t, []any{"two", "three", "four", "end"}, b.result(t, link)["notes"])
}

func TestAProfileIsAnotherCluster(t *testing.T) {
	t.Parallel()
	b := setup(t)
	start := action(t, `{"operation": "start", "workflow": "Gather", "task_queue": "reviews", "profile": "elsewhere", "input": {}}`)
	link, err := b.Dispatch(b.ctx, enforcement(1), start)
	require.NoError(t, err)
	b.result(t, link)
	start.Profile = "nowhere"
	_, err = b.Dispatch(b.ctx, enforcement(2), start)
	require.ErrorContains(t, err, `profile "nowhere"`)
	require.NotErrorIs(t, err, sensor.ErrRefused, "the file of profiles can be mended")
}

func TestANamespaceThatIsNotThereYetIsTriedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.Dispatch(b.ctx, enforcement(1), action(t, `{"operation": "start", "workflow": "Gather", "task_queue": "reviews", "namespace": "not-there"}`))
	require.NotErrorIs(t, err, sensor.ErrRefused)
	var missing *serviceerror.NamespaceNotFound
	require.ErrorAs(t, err, &missing)
}

func TestParametersAreChecked(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"operation": "begin"}`:                                                             "operation",
		`{"operation": "start", "task_queue": "q"}`:                                          "workflow: missing",
		`{"operation": "start", "workflow": "W"}`:                                            "task_queue: missing",
		`{"operation": "signal", "name": "n"}`:                                               "id: missing",
		`{"operation": "signal", "id": "a", "name": "n", "workflow":"W"}`:                    "starts no workflow",
		`{"operation": "start", "workflow": "W", "task_queue": "q", "name": "n"}`:            "name",
		`{"operation": "start", "workflow": "W", "task_queue": "q", "id": 7}`:                "id: got number",
		`{"operation": "start", "workflow": "W", "task_queue": "q", "when": 7}`:              `unknown field "when"`,
		`{"operation": "start", "workflow": "W", "task_queue": "q", "on_conflict": "maybe"}`: "on_conflict",
	} {
		_, err := sensor.ParseTemporalAction(json.RawMessage(text))
		require.ErrorContains(t, err, want, text)
	}
}

type silent struct{}

func (silent) Debug(string, ...any) {}
func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(string, ...any) {}
