package explain

import (
	"context"
	"fmt"
	"time"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/expression"
	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/sensor"
)

// Judgement is what one version of a rule makes of an event.
type Judgement struct {
	Version int64 `json:"version"`
	// Matched says that the conditions hold, and that nothing else is in the way.
	Matched bool `json:"matched"`
	Shadow  bool `json:"shadow,omitempty"` // a match is recorded and orders nothing
	// Reason says what is in the way, whatever the conditions say: that the rule is disabled or tripped, or the event's time.
	Reason string `json:"reason,omitempty"`
	// Held of Conditions hold.
	Held       int `json:"held"`
	Conditions int `json:"conditions"`
	// Obstacle is the first clause in the way: payload.branch was "Main", expected "main".
	Obstacle    string            `json:"obstacle,omitempty"`
	Mode        string            `json:"mode"` // all or any
	Explanation *rule.Explanation `json:"explanation,omitempty"`

	misses int // what would have to be different for a match
}

// judge evaluates a rule on an event.
func judge(ctx context.Context, r *sensor.Rule, doc *rule.Document) (*Judgement, error) {
	j := &Judgement{Version: r.Version, Shadow: r.Shadow, Mode: r.Condition, misses: 1}
	compiled, err := rule.Compile(r)
	if err != nil {
		j.Reason = fmt.Sprintf("it does not compile: apply its pack again: %v", err)
		return j, nil
	}
	e, err := compiled.Explain(ctx, doc)
	if err != nil {
		return nil, err
	}
	j.Explanation, j.Held, j.Conditions = &e, held(e.Verdicts), len(e.Verdicts)
	j.Matched = e.Matched && r.InForce()
	switch {
	case !r.Enabled:
		j.Reason = "it is disabled"
	case r.Tripped != nil:
		j.Reason = fmt.Sprintf("it was tripped at %s: %s", r.Tripped.UTC().Format(time.RFC3339), r.TripReason)
	case e.Untimely != "":
		j.Reason = "its time: " + e.Untimely
	}
	j.misses = 0
	if !e.Matched && len(e.Verdicts) > 0 {
		j.misses = missesOf(condition.Mode(r.Condition), e.Verdicts)
	}
	if j.misses > 0 {
		j.Obstacle = obstacle(e.Verdicts)
	}
	if cel := e.CEL; cel != nil {
		j.judgeExpression(*cel)
	}
	if j.Reason != "" {
		j.misses++
	}
	return j, nil
}

// judgeExpression counts the rule's expression as one more of its conditions.
func (j *Judgement) judgeExpression(cel expression.Verdict) {
	j.Conditions++
	if cel.Matched {
		j.Held++
		return
	}
	j.misses++
	if j.Obstacle != "" {
		return
	}
	j.Obstacle = "cel " + cel.Reason
	for _, part := range cel.All {
		if !part.Matched {
			j.Obstacle = fmt.Sprintf("cel: %s %s", part.Expression, part.Reason)
			return
		}
	}
}

// String says in a line how it went.
func (j *Judgement) String() string {
	held := fmt.Sprintf("%d of %d", j.Held, j.Conditions)
	if j.Conditions == 0 {
		held = "no conditions"
	}
	text := held
	switch {
	case j.Matched && j.Shadow:
		text = held + "; a shadow, which orders nothing"
	case j.Reason != "" && j.Obstacle != "":
		text = fmt.Sprintf("%s; %s; %s", held, j.Reason, j.Obstacle)
	case j.Reason != "":
		text = fmt.Sprintf("%s; %s", held, j.Reason)
	case j.Obstacle != "":
		text = fmt.Sprintf("%s; %s", held, j.Obstacle)
	}
	return text
}
