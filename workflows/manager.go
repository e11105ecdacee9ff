package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/attune-automation/sensors/activities"
)

// ManagerID is the workflow ID of the one manager of a namespace.
const ManagerID = "sensor-manager"

// managerRun is how many reconciliations one run of the manager makes before it continues as new.
const managerRun = 200

// SensorManager keeps the right sensors running: it reconciles the running workflows with the stored definitions every
// interval, which the worker's configuration sets, and at once when signalled. It never ends.
func SensorManager(ctx workflow.Context) error {
	var status ManagerStatus
	if err := workflow.SetQueryHandler(ctx, QueryStatus, func() (ManagerStatus, error) { return status, nil }); err != nil {
		return err
	}
	poke := workflow.GetSignalChannel(ctx, SignalReconcile)
	for range managerRun {
		for poke.ReceiveAsync(nil) { // what came before this reconciliation is covered by it
		}
		if err := reconcile(ctx, &status); err != nil {
			return err
		}
		_, err := workflow.AwaitWithOptions(ctx, workflow.AwaitOptions{
			Timeout:      status.Report.Interval,
			TimerOptions: workflow.TimerOptions{Summary: "until the next reconciliation"},
		}, func() bool { return poke.Len() > 0 })
		if err != nil {
			return err
		}
	}
	// A signal that is still waiting needs no carrying over: the next run starts with a reconciliation.
	for poke.ReceiveAsync(nil) {
	}
	return workflow.NewContinueAsNewError(ctx, SensorManager)
}

func reconcile(ctx workflow.Context, status *ManagerStatus) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Minute,
		HeartbeatTimeout:    heartbeatTimeout,
		RetryPolicy:         forEver(),
		Summary:             "compare the definitions with the running sensors",
	})
	var report activities.Report
	if err := workflow.ExecuteActivity(ctx, reconciler.Reconcile).Get(ctx, &report); err != nil {
		return err
	}
	status.LastRun, status.Report = workflow.Now(ctx), report
	workflow.SetCurrentDetails(ctx, managerDetails(*status))
	return nil
}

func managerDetails(s ManagerStatus) string {
	r := s.Report
	details := fmt.Sprintf("**%d of %d enabled sensors run**, %d failed for good, %d wait for a place.\n\nLast look at %s: started %d, stopped %d, reloaded %d.",
		r.Running, r.Enabled, r.Failed, r.Waiting, clock(s.LastRun), r.Started, r.Stopped, r.Reloaded)
	for _, u := range r.Unserved {
		details += fmt.Sprintf("\n\n- **No worker listens on queue %s**, which polls %d sensors: start one with --queues %s", u.Queue, u.Sensors, u.Queue)
	}
	for _, e := range r.Errors {
		details += "\n\n- " + e
	}
	return details
}
