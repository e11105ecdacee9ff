package store

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/size"
)

// The kinds of parts that a pack has, as changes name them.
const (
	kindPack    = "pack"
	kindTrigger = "trigger"
	kindSensor  = "sensor"
	kindRule    = "rule"
)

// part is a definition reduced to what is compared and shown of it.
type part struct {
	ref    string
	fields []field
}

type field struct{ name, value string }

// diffPack returns what makes stored equal to p: the pack first, then triggers, sensors and rules, each by ref.
func diffPack(stored, p sensor.Pack, prune bool) []sensor.Change {
	var old []part
	if stored.Ref != "" {
		old = []part{packPart(stored)}
	}
	return slices.Concat(
		diffParts(kindPack, old, []part{packPart(p)}, prune),
		diffParts(kindTrigger, parts(stored.Triggers, triggerPart), parts(p.Triggers, triggerPart), prune),
		diffParts(kindSensor, parts(stored.Sensors, sensorPart(stored.Digest)), parts(p.Sensors, sensorPart(p.Digest)), prune),
		diffParts(kindRule, parts(stored.Rules, rulePart), parts(p.Rules, rulePart), prune),
	)
}

// diffParts returns the changes of one kind. The parts of a correlation go with it: those that a rule has no more are deleted
// even if nothing else is.
func diffParts(kind string, old, parts []part, prune bool) []sensor.Change {
	there := map[string]bool{}
	for _, p := range parts {
		there[p.ref] = true
	}
	before := map[string]part{}
	for _, p := range old {
		before[p.ref] = p
	}
	var changes []sensor.Change
	for _, p := range parts {
		was, ok := before[p.ref]
		delete(before, p.ref)
		if !ok {
			changes = append(changes, sensor.Change{Kind: kind, Ref: p.ref, Action: sensor.ActionCreate})
		} else if fields := diffFields(was, p); len(fields) > 0 {
			changes = append(changes, sensor.Change{Kind: kind, Ref: p.ref, Action: sensor.ActionUpdate, Fields: fields})
		}
	}
	for ref := range before {
		if prune || kind == kindRule && there[sensor.WholeOf(ref)] {
			changes = append(changes, sensor.Change{Kind: kind, Ref: ref, Action: sensor.ActionDelete})
		}
	}
	slices.SortFunc(changes, func(a, b sensor.Change) int { return cmp.Compare(a.Ref, b.Ref) })
	return changes
}

// diffFields compares two parts of one kind, which have the same fields.
func diffFields(old, p part) []sensor.FieldChange {
	var changes []sensor.FieldChange
	for i, f := range p.fields {
		if was := old.fields[i].value; was != f.value {
			changes = append(changes, sensor.FieldChange{Field: f.name, Old: was, New: f.value})
		}
	}
	return changes
}

func parts[T any](definitions []T, reduce func(T) part) []part {
	list := make([]part, len(definitions))
	for i, d := range definitions {
		list[i] = reduce(d)
	}
	return list
}

func packPart(p sensor.Pack) part {
	return part{p.Ref, []field{
		{"label", p.Label}, {"description", p.Description}, {"version", p.Version}, {"code", abbreviate(p.Digest)},
	}}
}

func triggerPart(t sensor.Trigger) part {
	return part{t.Ref, []field{
		{"label", t.Label}, {"description", t.Description}, {"enabled", strconv.FormatBool(t.Enabled)},
		{"param_schema", canonical(t.ParamSchema)}, {"out_schema", canonical(t.OutSchema)},
	}}
}

// sensorPart makes the pack's code a part of every sensor that runs some of it.
func sensorPart(digest string) func(s sensor.Sensor) part {
	return func(s sensor.Sensor) part {
		code := ""
		if s.Entrypoint != "" {
			code = abbreviate(digest)
		}
		triggers := s.TriggerRefs
		if len(triggers) == 0 {
			triggers = []string{s.TriggerRef}
		}
		return part{s.Ref, append([]field{
			{"label", s.Label}, {"description", s.Description}, {"runtime", s.Runtime}, {"entrypoint", s.Entrypoint},
			{"trigger", strings.Join(triggers, ", ")}, {"enabled", strconv.FormatBool(s.Enabled)},
			{"mode", string(cmp.Or(s.Mode, sensor.ModePoll))},
			{"poll_interval", duration(s.PollInterval)}, {"timeout", duration(s.Timeout)},
			{"max_restart_attempts", number(s.MaxRestartAttempts)}, {"restart_on_error", boolean(s.RestartOnError)},
			{"dedupe_ttl", duration(s.DedupeTTL)}, {"queue", s.Queue}, {"sandbox", string(s.Sandbox)},
			{"network", s.Network}, {"warm", boolean(s.Warm)},
			{"param_schema", canonical(s.ParamSchema)}, {"config", canonical(s.Config)}, {"code", code},
		}, limitFields(s.Limits)...)}
	}
}

func limitFields(l sensor.Limits) []field {
	return []field{
		{"limits.cpu", duration(l.CPU)}, {"limits.memory", bytesOf(l.Memory)}, {"limits.open_files", number(l.OpenFiles)},
		{"limits.processes", number(l.Processes)}, {"limits.output", bytesOf(l.Output)},
	}
}

func rulePart(r sensor.Rule) part {
	return part{r.Ref, []field{
		{"label", r.Label}, {"description", r.Description}, {"trigger", r.TriggerRef}, {"condition", r.Condition},
		{"conditions", canonical(r.Conditions)}, {"cel", r.CEL}, {"action.ref", r.ActionRef},
		{"action.params", canonical(r.ActionParams)},
		{"enabled", strconv.FormatBool(r.Enabled)}, {"shadow", strconv.FormatBool(r.Shadow)},
		{"priority", strconv.Itoa(r.Priority)}, {"valid.from", timestamp(r.ValidFrom)},
		{"valid.until", timestamp(r.ValidUntil)}, {"active", canonical(orEmptyList(r.Active))},
		{"throttle", canonical(r.Throttle)}, {"correlate", canonical(r.Correlation)},
	}}
}

// timestamp writes a time as PostgreSQL keeps it.
func timestamp(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano)
}

func duration(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func boolean(b *bool) string {
	if b == nil {
		return ""
	}
	return strconv.FormatBool(*b)
}

func bytesOf(n int64) string {
	if n == 0 {
		return ""
	}
	return size.Format(n)
}

// abbreviate keeps as much of a digest as people need to tell two apart.
func abbreviate(digest string) string { return digest[:min(len(digest), 12)] }

// canonical writes equal JSON equally: keys sorted, no spaces, numbers by value. What is no JSON stays as it is.
func canonical(raw json.RawMessage) string {
	v, err := decode(raw)
	if err != nil {
		return string(raw)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(plain(v)); err != nil {
		return string(raw)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// plain writes numbers without exponents and needless zeros, as PostgreSQL does: 1.50e1 is 15.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, item := range v {
			v[key] = plain(item)
		}
	case []any:
		for i, item := range v {
			v[i] = plain(item)
		}
	case json.Number:
		if n, ok := new(big.Rat).SetString(v.String()); ok {
			digits, _ := n.FloatPrec()
			return json.Number(n.FloatString(digits))
		}
	}
	return v
}
