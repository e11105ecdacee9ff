package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/schema"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

// trialRule is what a rule makes of an event.
type trialRule struct {
	Rule        string            `json:"rule"`
	Fires       bool              `json:"fires"`
	Reason      string            `json:"reason,omitempty"`     // why it does not whatever its conditions say
	Throttle    string            `json:"throttle,omitempty"`   // what may hold back its match, if it fires
	Correlates  string            `json:"correlates,omitempty"` // what its match is a part of, which does not fire by itself
	Action      string            `json:"action"`
	Params      json.RawMessage   `json:"params,omitempty"`  // of the action, if it fires
	Failure     string            `json:"failure,omitempty"` // why there are none
	Condition   string            `json:"condition"`
	Explanation *rule.Explanation `json:"explanation,omitempty"`
}

// judge says of each event what would become of it.
func (r *trialReport) judge(ctx context.Context, t *target, match bool) error {
	accept, err := t.acceptors()
	if err != nil {
		return err
	}
	for i := range r.Events {
		e := &r.Events[i]
		check, declared := accept[e.Trigger]
		if !declared {
			e.Refused = fmt.Sprintf("trigger %q is none of the sensor's: they are %s", e.Trigger, strings.Join(t.sensor.TriggerRefs, ", "))
		} else if err := check(e.Payload); err != nil {
			e.Refused = err.Error()
		}
	}
	if err := r.suppress(ctx, t); err != nil {
		return err
	}
	if !match {
		return nil
	}
	rules, err := t.compile()
	if err != nil {
		return err
	}
	for i := range r.Events {
		if err := r.Events[i].match(ctx, t, rules); err != nil {
			return fmt.Errorf("event %d: %w", i+1, err)
		}
	}
	return nil
}

// acceptors returns for each of the sensor's triggers what says why a payload cannot be an event of it.
func (t *target) acceptors() (map[string]func([]byte) error, error) {
	accept := map[string]func([]byte) error{}
	for _, ref := range t.sensor.TriggerRefs {
		trigger, ok := t.triggers[ref]
		if !ok || !trigger.Enabled {
			accept[ref] = func([]byte) error { return fmt.Errorf("trigger %q is disabled, or gone", ref) }
			continue
		}
		accept[ref] = schema.CheckPayload
		if len(trigger.OutSchema) == 0 {
			continue
		}
		compiled, err := schema.Compile("out_schema", trigger.OutSchema)
		if err != nil {
			return nil, fmt.Errorf("trigger %s: %w", ref, err)
		}
		accept[ref] = func(payload []byte) error {
			if err := schema.CheckPayload(payload); err != nil {
				return err
			}
			return compiled.Check("payload", payload)
		}
	}
	return accept, nil
}

// suppress finds the events whose key came before, in this poll or in one that is stored. An event that is refused frees
// its key.
func (r *trialReport) suppress(ctx context.Context, t *target) error {
	seen, err := t.storedKeys(ctx, r.Events)
	if err != nil {
		return err
	}
	for i := range r.Events {
		e := &r.Events[i]
		if e.Key == "" {
			continue
		}
		if e.Suppressed = seen[e.Key]; e.Suppressed == "" && e.Refused == "" {
			seen[e.Key] = fmt.Sprintf("event %d of this poll has the same key", i+1)
		}
	}
	return nil
}

// storedKeys says by key what is known of those that count already.
func (t *target) storedKeys(ctx context.Context, events []trialEvent) (map[string]string, error) {
	seen := map[string]string{}
	var keys []string
	for _, e := range events {
		if e.Key != "" {
			keys = append(keys, e.Key)
		}
	}
	if t.store == nil || keys == nil {
		return seen, nil
	}
	stored, err := t.store.Keys(ctx, store.KeyFilter{SensorRef: t.sensor.Ref, Keys: keys, Limit: len(keys)})
	if err != nil {
		return nil, err
	}
	for _, k := range stored {
		seen[k.Key] = fmt.Sprintf("its key came at %s, and counts until %s", moment(k.Created), moment(k.Expires))
	}
	return seen, nil
}

func (t *target) compile() ([]*rule.Compiled, error) {
	var all []*rule.Compiled
	for _, r := range t.rules {
		compiled, err := rule.Compile(&r)
		if err != nil {
			return nil, fmt.Errorf("rule %s: %w", r.Ref, err)
		}
		all = append(all, compiled)
	}
	return all, nil
}

func (e *trialEvent) match(ctx context.Context, t *target, rules []*rule.Compiled) error {
	e.Rules = []trialRule{}
	if e.Refused != "" || e.Suppressed != "" {
		return nil
	}
	doc, err := e.document(t)
	if err != nil {
		return err
	}
	for _, compiled := range rules {
		r := compiled.Rule
		if r.TriggerRef != e.Trigger {
			continue
		}
		verdict := trialRule{Rule: r.Ref, Action: r.ActionRef, Condition: r.Condition}
		if !r.Enabled {
			verdict.Reason = "it is disabled"
		} else {
			explanation, err := compiled.Explain(ctx, doc)
			if err != nil {
				return err
			}
			verdict.Fires, verdict.Explanation = explanation.Matched && !r.Shadow, &explanation
			verdict.Reason = explanation.Untimely
			if explanation.Matched && r.Shadow {
				verdict.Reason = "it is a shadow: it matches and orders nothing"
			}
			verdict.hold(compiled)
			if verdict.Fires {
				if verdict.Params, verdict.Failure, err = rendered(ctx, compiled, doc); err != nil {
					return err
				}
			}
		}
		e.Rules = append(e.Rules, verdict)
	}
	return nil
}

// hold says what may hold back a match.
func (v *trialRule) hold(r *rule.Compiled) {
	if t := r.Throttle(); t != nil && v.Fires {
		v.Throttle = t.String()
	}
	if d, part := r.Correlation(); d != nil && v.Fires {
		v.Fires = false // not by itself
		v.Correlates = fmt.Sprintf("it is %s of %s", d.Parts[part].Name, d)
	}
}

// document is the event as conditions see it, as if it were stored now.
func (e *trialEvent) document(t *target) (*rule.Document, error) {
	config, err := sensor.TakeSnapshot(t.triggers[e.Trigger], &t.sensor)
	if err != nil {
		return nil, err
	}
	event := sensor.Event{
		TriggerRef: e.Trigger, SensorRef: t.sensor.Ref, Config: config, Payload: json.RawMessage(e.Payload), Created: time.Now(),
	}
	if at, err := time.Parse(time.RFC3339, e.OccurredAt); err == nil {
		event.OccurredAt = &at
	}
	return rule.NewReader(nil).Read(&event)
}
