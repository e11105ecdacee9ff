// Package workflows holds the Temporal workflows: the loop of a sensor, the manager that keeps the right sensors
// running, and the emission of a single system event. They decide what happens next and nothing else: payloads, cursors
// and definitions stay in the database, and activities do all work on them.
package workflows

import "go.temporal.io/sdk/worker"

// Register makes the workflows known to a worker.
func Register(r worker.WorkflowRegistry) {
	r.RegisterWorkflow(Sensor)
	r.RegisterWorkflow(SensorManager)
	r.RegisterWorkflow(EmitEvent)
	r.RegisterWorkflow(Replay)
	r.RegisterWorkflow(Dispatch)
	r.RegisterWorkflow(OpenGroups)
	r.RegisterWorkflow(Group)
}
