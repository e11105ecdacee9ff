package sensor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ActionTemporal is the action that this service carries out itself: its parameters are a TemporalAction.
const ActionTemporal = "core.temporal"

// Operation is what an action does to a workflow.
type Operation string

// The operations on workflows.
const (
	OperationStart           Operation = "start"
	OperationSignal          Operation = "signal"
	OperationSignalWithStart Operation = "signal_with_start"
	OperationUpdateWithStart Operation = "update_with_start"
)

// Operations are all operations.
func Operations() []Operation {
	return []Operation{OperationStart, OperationSignal, OperationSignalWithStart, OperationUpdateWithStart}
}

// Starts says whether the operation starts the workflow, where it does not run yet.
func (o Operation) Starts() bool { return o != OperationSignal }

// Names says whether the operation sends something that has a name: a signal or an update.
func (o Operation) Names() bool { return o != OperationStart }

// TemporalAction acts on a workflow of Temporal. As the parameters of a rule, its texts may be templates.
type TemporalAction struct {
	Operation  Operation       `json:"operation"`
	Workflow   string          `json:"workflow,omitempty"`    // its type; empty: the operation starts none
	TaskQueue  string          `json:"task_queue,omitempty"`  // of the workers that run it; empty: the operation starts none
	ID         string          `json:"id,omitempty"`          // of the workflow; empty: enforcement:ID, with the enforcement's own
	Name       string          `json:"name,omitempty"`        // of the signal or the update
	Input      json.RawMessage `json:"input,omitempty"`       // of the signal or the update, else of the workflow; absent: none
	StartInput json.RawMessage `json:"start_input,omitempty"` // of the workflow, when something else has the input; absent: none
	OnConflict string          `json:"on_conflict,omitempty"` // of start, when the workflow runs: fail, the default, or use_existing
	Profile    string          `json:"profile,omitempty"`     // of the connection, in Temporal's own file; empty: this service's
	Namespace  string          `json:"namespace,omitempty"`   // empty: that of the connection
}

// UseExisting has an action of operation start be content with a workflow that runs already.
const UseExisting = "use_existing"

// ParseTemporalAction reads and checks the parameters of an action. In a rule, they may be templates yet.
func ParseTemporalAction(params []byte) (TemporalAction, error) {
	var a TemporalAction
	d := json.NewDecoder(bytes.NewReader(params))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return a, fmt.Errorf("%s: got %s, want a text", wrong.Field, wrong.Value)
		}
		return a, errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	return a, a.check()
}

func (a TemporalAction) check() error {
	if !slices.Contains(Operations(), a.Operation) {
		return fmt.Errorf("operation: got %q, want one of start, signal, signal_with_start, update_with_start", a.Operation)
	}
	starts, names := a.Operation.Starts(), a.Operation.Names()
	switch {
	case starts && a.Workflow == "":
		return fmt.Errorf("workflow: missing: write the type of the workflow to start")
	case starts && a.TaskQueue == "":
		return fmt.Errorf("task_queue: missing: write the task queue of the workers that run %s", a.Workflow)
	case !starts && (a.Workflow != "" || a.TaskQueue != ""):
		return fmt.Errorf("workflow, task_queue: %s starts no workflow: leave them out, or write signal_with_start", a.Operation)
	case names && a.Name == "":
		return fmt.Errorf("name: missing: write the name of the signal or update")
	case !names && a.Name != "":
		return fmt.Errorf("name: %s sends nothing that has a name: leave it out", a.Operation)
	case !starts && a.ID == "":
		return fmt.Errorf("id: missing: write the ID of the workflow that gets the signal")
	case a.StartInput != nil && !(starts && names):
		return fmt.Errorf("start_input: is for signal_with_start and update_with_start: write input")
	case a.OnConflict != "" && a.Operation != OperationStart:
		return fmt.Errorf("on_conflict: is for start: leave it out")
	case a.OnConflict != "" && a.OnConflict != "fail" && a.OnConflict != UseExisting:
		return fmt.Errorf("on_conflict: got %q, want fail or use_existing", a.OnConflict)
	}
	return nil
}

// Undispatched says whether the action of an enforcement is this service's own to carry out, and is not carried out yet.
func (e Enforcement) Undispatched() bool {
	if e.Status != EnforcementCreated || !bytes.Contains(e.Config, []byte(ActionTemporal)) {
		return false
	}
	var config struct {
		Action string `json:"action"`
	}
	return json.Unmarshal(e.Config, &config) == nil && config.Action == ActionTemporal
}

// TemporalAction returns the action of an enforcement that this service carries out itself.
func (e Enforcement) TemporalAction() (TemporalAction, error) {
	var config struct {
		Params json.RawMessage `json:"params"`
	}
	if err := json.Unmarshal(e.Config, &config); err != nil {
		return TemporalAction{}, err
	}
	return ParseTemporalAction(config.Params)
}

// ErrRefused: what an action wants cannot be done, however often it is tried.
var ErrRefused = errors.New("refused")

// Link is where an action ended up.
type Link struct {
	Namespace  string `json:"namespace"`
	WorkflowID string `json:"workflow_id"`
	RunID      string `json:"run_id,omitempty"` // empty: not known
}
