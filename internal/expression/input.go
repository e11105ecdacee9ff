package expression

import (
	"encoding/json"
	"errors"
	"io"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"github.com/attune-automation/sensors/internal/condition"
)

// roots is how many names a document may have.
const roots = len(condition.Document{})

const (
	ruleName   = "rule"
	groupName  = "group"
	eventsName = "events"
)

// documentRoots are those parts of a document that an expression may begin at, and rootNames all that it may begin at.
var (
	documentRoots = []condition.Root{condition.Payload, condition.Config, condition.Event, condition.Trigger, condition.Sensor}
	rootNames     = []string{"payload", "config", "event", "trigger", "sensor", ruleName}
	groupNames    = []string{groupName, eventsName}
)

// Input is an event as expressions see it. It belongs to one goroutine: a part is decoded when it is first asked for,
// and kept for the next expression.
type Input struct {
	values  *condition.Document
	decoded [roots]any
	done    [roots]bool
	group   map[string]any // by name; nil: it stands for itself alone
}

// NewInput returns the input of a document.
func NewInput(values *condition.Document) *Input { return &Input{values: values} }

// WithGroup returns the input of an event that stands for others: group is a JSON object, of which the member events is a
// name of its own.
func (in *Input) WithGroup(group json.RawMessage) (*Input, error) {
	decoded, err := decode(string(group))
	if err != nil {
		return nil, err
	}
	members, ok := decoded.(map[string]any)
	if !ok {
		return nil, errors.New("group is no JSON object")
	}
	with := *in
	with.group = map[string]any{groupName: members, eventsName: members[eventsName]}
	delete(members, eventsName)
	return &with, nil
}

// root returns a part of the event; false if the document does not have it.
func (in *Input) root(root condition.Root) (any, bool) {
	text := in.values[root].Text()
	if text == "" {
		return nil, false
	}
	if !in.done[root] {
		v, err := decode(text)
		if err != nil {
			v = types.NewErr("%s: %v", root, err)
		}
		in.decoded[root], in.done[root] = v, true
	}
	return in.decoded[root], true
}

// decode reads one JSON value. Numbers keep their digits.
func decode(text string) (any, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more follows the end of the value")
	}
	return v, nil
}

// activation resolves the names that an expression begins at.
type activation struct {
	in   *Input
	rule Rule
}

// ResolveName implements cel.Activation.
func (a activation) ResolveName(name string) (any, bool) {
	if name == ruleName {
		return a.rule.fields(), true
	}
	for i, root := range documentRoots {
		if name == rootNames[i] {
			return a.in.root(root)
		}
	}
	v, ok := a.in.group[name]
	return v, ok
}

// Parent implements cel.Activation.
func (a activation) Parent() cel.Activation { return nil }

func (r Rule) fields() map[string]any { return map[string]any{"ref": r.Ref, "label": r.Label} }
