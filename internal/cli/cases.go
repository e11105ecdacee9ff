package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/sensor"
)

// casesBuffer is how much is read and written at once.
const casesBuffer = 64 << 10

// testCases answers each line of a file with a line.
func (s *session) testCases(ctx context.Context, file string) error {
	input := s.env.Stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return fmt.Errorf("--cases: %w", err)
		}
		defer f.Close()
		input = f
	}
	return answerCases(ctx, input, s.env.Stdout)
}

// answerCases writes an answer for each line of the input. Before it waits for more input it writes out what it has, so
// that a program can send a line and wait for the answer.
func answerCases(ctx context.Context, input io.Reader, output io.Writer) error {
	reader := bufio.NewReaderSize(input, casesBuffer)
	writer := bufio.NewWriterSize(output, casesBuffer)
	encoder := newEncoder(writer)
	cache := programs{}
	for ctx.Err() == nil {
		line, err := reader.ReadBytes('\n')
		if len(line) > 0 {
			if err := encoder.Encode(cache.answer(ctx, line)); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return writer.Flush()
		}
		if err != nil {
			return errors.Join(fmt.Errorf("reading the cases: %w", err), writer.Flush())
		}
		if reader.Buffered() == 0 {
			if err := writer.Flush(); err != nil {
				return err
			}
		}
	}
	return errors.Join(ctx.Err(), writer.Flush())
}

// caseError is the answer to a line that is no good.
type caseError struct {
	Error string `json:"error"`
}

// cacheSize is how many programs are kept: cases are often of few rules, and to compile one takes longer than the rest.
const cacheSize = 1000

// programs keeps compiled conditions, by mode and text.
type programs map[string]*rule.Compiled

func (c programs) answer(ctx context.Context, line []byte) any {
	explanation, err := c.explain(ctx, line)
	if err != nil {
		return caseError{err.Error()}
	}
	return explanation
}

func (c programs) explain(ctx context.Context, line []byte) (tried, error) {
	r, doc, err := readCase(line)
	if err != nil {
		return tried{}, err
	}
	key := strings.Join([]string{r.Condition, string(r.Conditions), r.CEL, string(r.ActionParams)}, "\x00")
	program := c[key]
	if program == nil {
		if program, err = rule.Compile(&r); err != nil {
			return tried{}, err
		}
		if len(c) == cacheSize {
			clear(c)
		}
		c[key] = program
	}
	return try(ctx, program, doc)
}

// readCase reads a line: conditions, condition, cel, params, and what the fields of a rule begin with.
func readCase(line []byte) (r sensor.Rule, doc condition.Document, err error) {
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(line, &parts); err != nil {
		return r, doc, fmt.Errorf("the line is not a JSON object: %w", err)
	}
	doc = condition.Document{condition.Event: nowValue(time.Now())}
	for key, raw := range parts {
		switch root, ok := condition.FindRoot(key); {
		case ok:
			if doc[root], err = condition.Decode(raw); err != nil {
				return r, doc, fmt.Errorf("%s: %w", key, err)
			}
		case key == "condition":
			if err := json.Unmarshal(raw, &r.Condition); err != nil {
				return r, doc, fmt.Errorf(`condition is %s: write "all" or "any"`, raw)
			}
		case key == "cel":
			if err := json.Unmarshal(raw, &r.CEL); err != nil {
				return r, doc, fmt.Errorf(`cel is %s: write an expression as a text`, raw)
			}
		case key == "params":
			r.ActionParams = raw
		case key == "conditions":
			r.Conditions = raw
		default:
			return r, doc, fmt.Errorf("unknown key %q: write conditions, condition, cel, params, payload, config, event, trigger or sensor", key)
		}
	}
	if r.Conditions == nil {
		if r.CEL == "" && r.ActionParams == nil {
			return r, doc, errors.New("conditions is missing")
		}
		r.Conditions = json.RawMessage("[]")
	}
	if _, ok := parts["payload"]; !ok {
		return r, doc, errors.New("payload is missing")
	}
	return r, doc, nil
}
