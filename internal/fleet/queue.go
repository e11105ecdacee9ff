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

// pollerLife is how long ago a worker may have asked for work: it asks at least once a minute, and the server remembers
// workers for five minutes after they have gone.
const pollerLife = 90 * time.Second

// Listener is a worker that listens on a queue of polls.
type Listener struct {
	Identity string    `json:"identity"` // process@host
	Asked    time.Time `json:"asked"`    // when it last asked for work
}

// Listeners returns workers that listen on a queue of polls, which has the name that a sensor or --queues has. A worker
// that died counts for a minute and a half. Of many workers the server may not name all; it names some if there are any.
func (f *Fleet) Listeners(ctx context.Context, queue string) ([]Listener, error) {
	res, err := f.client.WorkflowService().DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
		Namespace:     f.namespace,
		TaskQueue:     &taskqueuepb.TaskQueue{Name: workflows.PollQueue(f.queue, queue)},
		TaskQueueType: enumspb.TASK_QUEUE_TYPE_ACTIVITY,
	})
	if err != nil {
		return nil, fmt.Errorf("asking who listens on queue %q: %w", queue, err)
	}
	var listeners []Listener
	for _, p := range res.GetPollers() {
		asked := p.GetLastAccessTime().AsTime()
		if time.Since(asked) < pollerLife {
			listeners = append(listeners, Listener{Identity: name(p.GetIdentity()), Asked: asked})
		}
	}
	return listeners, nil
}

// name is what people call a worker: the SDK's identity ends in the name of a group, which is empty.
func name(identity string) string { return strings.TrimSuffix(identity, "@") }

// Listens says whether any worker listens on a queue of polls.
func (f *Fleet) Listens(ctx context.Context, queue string) (bool, error) {
	listeners, err := f.Listeners(ctx, queue)
	return len(listeners) > 0, err
}
