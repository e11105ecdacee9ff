package pack

import (
	"cmp"
	"maps"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/attune-automation/sensors/internal/sensor"
)

var (
	sensorKeys = []string{
		"ref", "label", "description", "runtime", "entrypoint", "trigger", "triggers", "enabled", "mode", "poll_interval",
		"timeout", "max_restart_attempts", "restart_on_error", "dedupe_ttl", "queue", "sandbox", "network", "warm", "limits",
		"param_schema", "config",
	}
	limitKeys = []string{"cpu", "memory", "open_files", "processes", "output"}
	runtimes  = append(sensor.CodeRuntimes(), slices.Sorted(maps.Keys(builtins))...)
	modes     = []string{string(sensor.ModePoll), string(sensor.ModeStream)}
	sandboxes = []string{string(sensor.SandboxAuto), string(sensor.SandboxBwrap), string(sensor.SandboxNone)}
	queueName = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,99}$`)
)

func (l *loader) defineSensors() {
	webhooks := map[string]section{}
	l.define("sensors", sensorKeys, func(s section, ref string) {
		def := sensor.Sensor{
			Ref: ref, PackRef: l.pack.Ref,
			Label: s.text("label", ref), Description: s.text("description", ""), Enabled: s.enabled(),
			Mode:               sensor.Mode(s.choice("mode", modes, string(sensor.ModePoll))),
			PollInterval:       s.duration("poll_interval", minDuration, maxInterval),
			Timeout:            s.duration("timeout", minDuration, maxTimeout),
			MaxRestartAttempts: s.count("max_restart_attempts", 1, maxAttempts),
			RestartOnError:     s.flag("restart_on_error"),
			DedupeTTL:          s.duration("dedupe_ttl", minTTL, maxTTL),
			Queue:              s.queue(),
			Sandbox:            sensor.SandboxMode(s.choice("sandbox", sandboxes, "")),
			Network:            s.network(),
			Warm:               s.flag("warm"),
			Limits:             s.limits(),
		}
		def.Runtime = s.runtime()
		def.Config = s.object("config", "{}")
		own, builtin := builtins[def.Runtime]
		if !builtin {
			def.Entrypoint = l.entrypoint(s, def.Runtime)
		}
		def.TriggerRefs = l.sensorTriggers(s, own.defaultTrigger(def.Config))
		if len(def.TriggerRefs) > 0 {
			def.TriggerRef = def.TriggerRefs[0]
		}
		s.checkTogether(def)
		l.configure(s, &def)
		if builtin {
			l.checkBuiltin(s, def, own)
		}
		if def.Runtime == sensor.RuntimeWebhook {
			webhooks[ref] = s
		}
		l.pack.Sensors = append(l.pack.Sensors, def)
	})
	l.checkWebhooks(webhooks)
	slices.SortFunc(l.pack.Sensors, func(a, b sensor.Sensor) int { return cmp.Compare(a.Ref, b.Ref) })
}

// sensorTriggers returns the refs in trigger or triggers, only one of which may be there. If none is, it is the fallback,
// unless that is empty.
func (l *loader) sensorTriggers(s section, fallback string) []string {
	list, several := s.value("triggers")
	_, one := s.value("trigger")
	switch {
	case !several && !one && fallback != "":
		l.checkTrigger(s, []string{"trigger"}, fallback)
		return []string{fallback}
	case !several:
		return []string{l.trigger(s)}
	case one:
		s.report("triggers", "trigger is there too: keep one of them")
		return nil
	case list.Kind != yaml.SequenceNode:
		s.report("triggers", "got %s: write a list of refs, or trigger for a single one", describe(list))
		return nil
	case len(list.Content) == 0:
		s.report("triggers", "is empty: write the refs of triggers; the first is that of events that name none")
		return nil
	}
	var refs []string
	for i := range list.Content {
		refs = l.addTrigger(s, refs, list, i)
	}
	return refs
}

func (l *loader) addTrigger(s section, refs []string, list *yaml.Node, i int) []string {
	n, keys := resolveAlias(list.Content[i]), elementKeys("triggers", i)
	switch {
	case n.Kind != yaml.ScalarNode || isNull(n):
		s.reportAt(keys, "got %s: write the ref of a trigger", describe(n))
		return refs
	case slices.Contains(refs, n.Value):
		s.reportAt(keys, "%q is there already: name it once", n.Value)
		return refs
	}
	l.checkTrigger(s, keys, n.Value)
	return append(refs, n.Value)
}

// runtime returns what runs a sensor.
func (s section) runtime() string {
	runtime := s.required("runtime", didYouMean("", runtimes))
	if runtime != "" && !slices.Contains(runtimes, runtime) {
		s.report("runtime", "unknown runtime %q: %s", runtime, didYouMean(runtime, runtimes))
	}
	return runtime
}

// entrypoint returns what of the pack's files a sensor runs.
func (l *loader) entrypoint(s section, runtime string) string {
	entrypoint := s.required("entrypoint", "write the file that the runtime starts, such as code/watch.py")
	if entrypoint == "" {
		return ""
	}
	name, err := l.tree.checkEntrypoint(entrypoint, runtime == sensor.RuntimeExec)
	if err != nil {
		s.report("entrypoint", "%v", err)
	}
	return name
}

func (s section) queue() string {
	name := s.text("queue", "")
	if name != "" && !queueName.MatchString(name) {
		s.report("queue", "bad name %q: use lower-case letters, digits, '_', '.' and '-', at most 100, such as on-site", name)
	}
	return name
}

func (s section) network() string {
	switch network := s.text("network", ""); network {
	case "", sensor.NetworkNone:
		return network
	default:
		s.report("network", "unknown network %q: write none, or leave it out for the network of the worker", network)
		return ""
	}
}

func (s section) limits() sensor.Limits {
	n, ok := s.value("limits")
	switch {
	case !ok:
		return sensor.Limits{}
	case n.Kind != yaml.MappingNode:
		s.report("limits", "got %s: write keys and values, such as memory: 512MiB", describe(n))
		return sensor.Limits{}
	}
	limits := newSection(s.doc, n, below(s.path, "limits"), limitKeys...)
	return sensor.Limits{
		CPU:       limits.duration("cpu", minCPU, maxCPU),
		Memory:    limits.size("memory", minMemory, maxSize),
		OpenFiles: limits.count("open_files", minOpenFiles, maxOpenFiles),
		Processes: limits.count("processes", 1, maxProcesses),
		Output:    limits.size("output", minOutput, maxSize),
	}
}

// checkTogether reports what is good by itself but not beside the rest.
func (s section) checkTogether(def sensor.Sensor) {
	if def.Streams() {
		if def.Timeout != 0 {
			s.report("timeout", "bounds a poll, and a stream goes on for ever: leave it out, or write mode: poll")
		}
		if def.Limits.CPU != 0 {
			s.reportAt([]string{"limits", "cpu"}, "bounds a poll, and a stream goes on for ever: leave it out, or write mode: poll")
		}
	}
	if def.Network == sensor.NetworkNone && def.Sandbox == sensor.SandboxNone {
		s.report("network", "only a sandbox can keep code off the network: leave out sandbox, or write sandbox: bwrap")
	}
}
