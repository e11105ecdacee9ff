package activities

import (
	"errors"
	"time"

	"github.com/attune-automation/sensors/internal/sensor"
)

// Metrics counts what the steps do. Labels are few and bounded: triggers, never sensors or rules.
type Metrics interface {
	// Step observes one run of poll, stream, generate, match or close; outcome is ok, empty, sensor_error or error.
	Step(step, outcome string, d time.Duration)
	// Events counts event rows written.
	Events(trigger string, n int)
	// Enforcements counts enforcement rows written.
	Enforcements(trigger string, n int)
	// Failed counts those of them whose parameters could not be rendered.
	Failed(trigger string, n int)
	// RuleErrors counts evaluations of rules of a trigger whose expression has no result.
	RuleErrors(trigger string, n int)
	// Overrun counts evaluations of rules of a trigger that took or cost more than they may, by the part that took most of
	// it: conditions, cel or params.
	Overrun(trigger, part string)
	// Rejected counts payloads that could not become events.
	Rejected(trigger string, n int)
	// Suppressed counts payloads that were dropped because their key was there already, by the sensor's first trigger.
	Suppressed(trigger string, n int)
	// Held counts matches of throttled rules that were held back, by the state that they came to.
	Held(trigger, state string, n int)
	// Run counts one run of a sensor's code; a warm one was in a process of an earlier poll.
	Run(runtime string, warm bool)
}

func outcome(err error, found int) string {
	var fault *sensor.Fault
	switch {
	case errors.As(err, &fault):
		return "sensor_error"
	case err != nil:
		return "error"
	case found == 0:
		return "empty"
	}
	return "ok"
}
