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

const ruleName = "rule"

// documentRoots are those parts of a document that an expression may begin at, and rootNames all that it may begin at.
var (
	documentRoots = []condition.Root{condition.Payload, condition.Config, condition.Event, condition.Trigger, condition.Sensor}
	rootNames     = []string{"payload", "config", "event", "trigger", "sensor", ruleName}
)

// Input is an event as expressions see it. It belongs to one goroutine: a part is decoded when it is first asked for,
// and kept for the next expression.
type Input struct {
	values  *condition.Document
	decoded [roots]any
	done    [roots]bool
}

// NewInput returns the input of a document.
func NewInput(values *condition.Document) *Input { return &Input{values: values} }

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
	return nil, false
}

// Parent implements cel.Activation.
func (a activation) Parent() cel.Activation { return nil }

func (r Rule) fields() map[string]any { return map[string]any{"ref": r.Ref, "label": r.Label} }
