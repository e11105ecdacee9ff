package expression

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/attune-automation/sensors/internal/schema"
	"github.com/attune-automation/sensors/internal/secret"
)

// A node is a value in a template.
type node interface {
	render(ctx context.Context, in *Input, e *encoder) error
}

// A literal is JSON without a template.
type literal json.RawMessage

func (l literal) render(_ context.Context, _ *Input, e *encoder) error {
	e.out.Write(l)
	return nil
}

type objectNode struct {
	keys   []string
	values []node
}

func (o objectNode) render(ctx context.Context, in *Input, e *encoder) error {
	next := 0
	return e.object(o.keys, func(string) error {
		next++
		return o.values[next-1].render(ctx, in, e)
	})
}

type listNode []node

func (l listNode) render(ctx context.Context, in *Input, e *encoder) error {
	return e.list(len(l), func(i int) error { return l[i].render(ctx, in, e) })
}

// A textNode is a text with at least one template.
type textNode struct {
	path  []string
	parts []textPart
}

type textPart struct {
	literal string
	program *located // nil: it is literal
}

func (t textNode) render(ctx context.Context, in *Input, e *encoder) error {
	var err error
	if len(t.parts) == 1 {
		err = t.parts[0].program.encode(ctx, in, e)
	} else {
		err = t.concatenate(ctx, in, e)
	}
	if failure, ok := errors.AsType[*Failure](err); ok {
		return &Failure{Message: schema.FormatPath(t.path) + ": " + failure.Message, Cause: failure.Cause, Part: failure.Part}
	}
	return err
}

func (t textNode) concatenate(ctx context.Context, in *Input, e *encoder) error {
	parts := make([]secret.Part, len(t.parts))
	total := 0
	for i, p := range t.parts {
		parts[i].Text = p.literal
		if p.program != nil {
			var err error
			if parts[i].Text, err = p.program.words(ctx, in, &e.spent); err != nil {
				return err
			}
			parts[i].Data = true
		}
		if total += len(parts[i].Text); total > MaxText {
			return &Failure{Message: fmt.Sprintf("the text is longer than %d bytes", MaxText), Cause: CauseOther}
		}
	}
	return e.marshal(secret.Escape(parts...))
}

// words returns the result as a part of a text: texts as they are, everything else as JSON. Null has no text.
// What it costs is added to spent.
func (p *Program) words(ctx context.Context, in *Input, spent *uint64) (string, error) {
	e := encoder{spent: *spent}
	if err := p.encode(ctx, in, &e); err != nil {
		return "", err
	}
	*spent = e.spent
	written := e.out.String()
	switch {
	case written == "null":
		return "", &Failure{Message: fmt.Sprintf("%s is null, which has no text: write what it should be, such as {{ x == null ? \"none\" : x }}", shorten(strings.TrimSpace(p.text))), Cause: CauseTypes}
	case !strings.HasPrefix(written, `"`):
		return written, nil
	}
	var s string
	if err := json.Unmarshal(e.out.Bytes(), &s); err != nil {
		return "", fmt.Errorf("reading back a text: %w", err)
	}
	return s, nil
}
