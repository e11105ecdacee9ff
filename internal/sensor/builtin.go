package sensor

import (
	"fmt"
	"slices"
	"strings"
)

// The runtimes that are the worker's own: their sensors are configured, and have no code in the pack.
const (
	RuntimeTimer     = "core.timer"
	RuntimeWebhook   = "core.webhook"
	RuntimeFileWatch = "core.filewatch"
)

// CodeRuntimes are the runtimes that run a pack's code.
func CodeRuntimes() []string { return []string{RuntimePython, RuntimeNode, RuntimeExec} }

// Runtimes are all runtimes.
func Runtimes() []string {
	return append(CodeRuntimes(), RuntimeTimer, RuntimeWebhook, RuntimeFileWatch)
}

// RunsCode says whether the sensor is code of its pack.
func (s Sensor) RunsCode() bool { return slices.Contains(CodeRuntimes(), s.Runtime) }

// Local says whether a poll of the sensor takes milliseconds and can be done by any worker that has the database: it is
// then polled by the worker that runs its workflow, past all queues.
func (s Sensor) Local() bool { return s.Runtime == RuntimeTimer || s.Runtime == RuntimeWebhook }

// ConfigProblem is something that is wrong with the config of a sensor whose runtime is the worker's own.
type ConfigProblem struct {
	Path    []string // inside the config, positions in lists as decimal numbers; empty: the config as a whole
	Message string   // what is wrong and what to do
}

// ConfigProblems is all that is wrong with a config.
type ConfigProblems []ConfigProblem

// Error lists the problems in one line, each behind the place where it is.
func (p ConfigProblems) Error() string {
	texts := make([]string, len(p))
	for i, problem := range p {
		texts[i] = fmt.Sprintf("%s: %s", strings.Join(append([]string{"config"}, problem.Path...), "."), problem.Message)
	}
	return strings.Join(texts, "; ")
}

// And returns these problems and those of others that are about other places: what a place lacks is a consequence of what
// is wrong in it.
func (p ConfigProblems) And(others ConfigProblems) ConfigProblems {
	all := p
	for _, other := range others {
		related := func(known ConfigProblem) bool {
			n := min(len(known.Path), len(other.Path))
			return slices.Equal(known.Path[:n], other.Path[:n])
		}
		if !slices.ContainsFunc(p, related) {
			all = append(all, other)
		}
	}
	return all
}

// Entry is one piece of what a sensor keeps besides its cursor, say for each file that it watches.
type Entry struct {
	Key   string
	Value []byte // any JSON value; nil: there is none, or no longer
}
