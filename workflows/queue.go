package workflows

import (
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/attune-automation/sensors/activities"
)

// How long a poll waits for a worker: one that runs workflows too, and one that listens on the sensor's queue. Together
// they are less than a minute, after which a sensor that nobody polls says so.
const (
	nearbyTimeout = 5 * time.Second
	queueTimeout  = 35 * time.Second
)

// PollQueue names the Temporal task queue on which the polls of a sensor's queue wait, in an installation whose
// workflows are on taskQueue.
func PollQueue(taskQueue, queue string) string { return taskQueue + "/" + queue }

// place is where a poll is scheduled.
type place struct {
	taskQueue string
	patience  time.Duration // 0: without end
	queue     string        // the worker declines the poll unless it listens on this queue; empty: it never does
}

// nearby is the task queue of the workflow itself. The worker at hand takes a poll from there as part of the workflow's
// own task, which spares the engine a write, unless it does not listen on the sensor's queue.
func (l *loop) nearby(ctx workflow.Context) place {
	return place{taskQueue: workflow.GetInfo(ctx).TaskQueueName, patience: nearbyTimeout, queue: l.spec.Queue}
}

// anywhere is the same task queue, for polls that every worker takes, however long that may last.
func anywhere(ctx workflow.Context) place {
	return place{taskQueue: workflow.GetInfo(ctx).TaskQueueName}
}

// queued is the queue of the sensor's polls.
func (l *loop) queued(ctx workflow.Context) place {
	return place{taskQueue: PollQueue(workflow.GetInfo(ctx).TaskQueueName, l.spec.Queue), patience: queueTimeout}
}

// untaken says whether a poll ended because no worker took it.
func untaken(err error) bool {
	var timeout *temporal.TimeoutError
	return errors.As(err, &timeout) && timeout.TimeoutType() == enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START
}

// unserved is the result of a poll that no worker took.
func (l *loop) unserved() activities.PollResult {
	return activities.PollResult{Waiting: fmt.Sprintf("no worker took the poll within %s: start one with --queues %s, "+
		"unless all that listen on this queue are busy", queueTimeout, l.spec.Queue)}
}
