package fleet

import (
	"context"
	"fmt"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/attune-automation/sensors/workflows"
)

const (
	// HeartbeatInterval is how often workers have to tell the server that they live, beside asking it for work.
	HeartbeatInterval = 15 * time.Second
	// heartbeatLife is how old the last heartbeat of a living worker may be.
	heartbeatLife = 3 * HeartbeatInterval
	// justAsked is how long ago a worker may have asked for work that has not sent a heartbeat yet. One that was stopped
	// counts for as long, as its last request does not tell.
	justAsked = HeartbeatInterval + 5*time.Second
	// pollerLife is how long ago a worker may have asked for work where the server takes no heartbeats: it asks at least
	// once a minute, and the server remembers workers for five minutes after they have gone.
	pollerLife = 90 * time.Second
)

// Listener is a worker that listens on a queue of polls.
type Listener struct {
	Identity string    `json:"identity"` // process@host
	Asked    time.Time `json:"asked"`    // when it last asked for work
}

// Listeners returns workers that listen on a queue of polls, which has the name that a sensor or --queues has. A worker
// that was stopped counts for 20 seconds more, one that died for 45. Of many workers the server may not name all; it
// names some if there are any.
func (f *Fleet) Listeners(ctx context.Context, queue string) ([]Listener, error) {
	taskQueue := workflows.PollQueue(f.queue, queue)
	res, err := f.client.WorkflowService().DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
		Namespace:     f.namespace,
		TaskQueue:     &taskqueuepb.TaskQueue{Name: taskQueue},
		TaskQueueType: enumspb.TASK_QUEUE_TYPE_ACTIVITY,
	})
	if err != nil {
		return nil, fmt.Errorf("asking who listens on queue %q: %w", queue, err)
	}
	if len(res.GetPollers()) == 0 {
		return nil, nil
	}
	living, known, err := f.living(ctx, taskQueue)
	if err != nil {
		return nil, fmt.Errorf("asking which workers of queue %q live: %w", queue, err)
	}
	var listeners []Listener
	for _, p := range res.GetPollers() {
		asked := p.GetLastAccessTime().AsTime()
		age := time.Since(asked)
		if age < justAsked || age < pollerLife && (!known || living[p.GetIdentity()]) {
			listeners = append(listeners, Listener{Identity: name(p.GetIdentity()), Asked: asked})
		}
	}
	return listeners, nil
}

// living returns the identities of the workers of a task queue whose heartbeats are fresh; false: the server takes none.
func (f *Fleet) living(ctx context.Context, taskQueue string) (map[string]bool, bool, error) {
	namespace, err := f.client.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: f.namespace})
	if err != nil {
		return nil, false, err
	}
	if !namespace.GetNamespaceInfo().GetCapabilities().GetWorkerHeartbeats() {
		return nil, false, nil
	}
	living := map[string]bool{}
	request := &workflowservice.ListWorkersRequest{
		Namespace: f.namespace,
		Query: fmt.Sprintf("TaskQueue = '%s' AND HeartbeatTime > '%s'", taskQueue,
			time.Now().Add(-heartbeatLife).UTC().Format(time.RFC3339)),
	}
	for {
		res, err := f.client.WorkflowService().ListWorkers(ctx, request)
		if err != nil {
			return nil, false, err
		}
		for _, w := range res.GetWorkers() {
			if w.GetStatus() == enumspb.WORKER_STATUS_RUNNING {
				living[w.GetWorkerIdentity()] = true
			}
		}
		if request.NextPageToken = res.GetNextPageToken(); len(request.NextPageToken) == 0 {
			return living, true, nil
		}
	}
}

// name is what people call a worker: the SDK's identity ends in the name of a group, which is empty.
func name(identity string) string { return strings.TrimSuffix(identity, "@") }

// Listens says whether any worker listens on a queue of polls.
func (f *Fleet) Listens(ctx context.Context, queue string) (bool, error) {
	listeners, err := f.Listeners(ctx, queue)
	return len(listeners) > 0, err
}
