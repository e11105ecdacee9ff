package config

import (
	"strings"
	"time"
)

// envPrefix begins the name of every variable that is a key.
const envPrefix = "ATTUNE__"

// key is one setting. The table that keys returns is the one place that knows names, defaults, limits and meanings:
// loading, printing and docs/configuration.md all follow it.
type key struct {
	name     string // section.key
	value    value
	fallback string // the default, as text
	shown    string // the default as the documentation writes it, when it depends on the machine
	required string // an example, for a key that has no default and must be set
	secret   bool
	doc      string
}

func (k key) section() string {
	section, _, _ := strings.Cut(k.name, ".")
	return section
}

// env is the name of the variable that sets the key.
func (k key) env() string { return envName(k.name) }

func envName(name string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(name, ".", "__"))
}

// mask returns text as logs and errors may show it.
func (k key) mask(text string) string {
	if k.secret {
		return maskURL(text)
	}
	return text
}

// keys returns all keys in the order of the documentation; their values are the fields of c.
func keys(c *Config) []key {
	const day = 24 * time.Hour
	return []key{
		{name: "database.url", value: urlValue{&c.Database.URL, []string{"postgres", "postgresql"}}, secret: true,
			required: "postgres://attune:PASSWORD@localhost:5432/attune",
			doc:      "PostgreSQL, the system of record. Options of the connection go behind a `?`, such as `sslmode=verify-full`."},
		{name: "database.max_connections", value: intValue{&c.Database.MaxConnections, 1, 10_000}, fallback: "20",
			doc: "Most connections that one process opens."},

		{name: "message_queue.url", value: urlValue{&c.MessageQueue.URL, []string{"amqp", "amqps"}}, secret: true,
			required: "amqp://attune:PASSWORD@localhost:5672/",
			doc:      "RabbitMQ; the path is the virtual host, `amqps` is TLS."},
		{name: "message_queue.exchange", value: amqpName{&c.MessageQueue.Exchange}, fallback: "attune.events",
			doc: "Topic exchange that messages are published to. The worker declares it, durable."},
		{name: "message_queue.declare_queues", value: boolValue{&c.MessageQueue.DeclareQueues}, fallback: "true",
			doc: "Declare the two queues below and bind them. When false, bind queues of your own before the worker starts: " +
				"a message that no queue takes counts as not published."},
		{name: "message_queue.events_queue", value: amqpName{&c.MessageQueue.EventsQueue}, fallback: "attune.events.queue",
			doc: "Durable quorum queue of all `event.#` messages."},
		{name: "message_queue.enforcements_queue", value: amqpName{&c.MessageQueue.EnforcementsQueue}, fallback: "attune.enforcements.queue",
			doc: "Durable quorum queue of all `enforcement.#` messages; not the same as the one above."},
		{name: "message_queue.confirm_timeout", value: durationValue{&c.MessageQueue.ConfirmTimeout, 100 * time.Millisecond, 10 * time.Minute},
			fallback: "10s", doc: "How long the broker may take to confirm messages before they are published again."},
		{name: "message_queue.channels", value: intValue{&c.MessageQueue.Channels, 1, 256}, fallback: "4",
			doc: "Channels that publish at the same time."},

		{name: "temporal.address", value: addressValue{&c.Temporal.Address, false}, fallback: "localhost:7233",
			doc: "Temporal's frontend, host:port. `TEMPORAL_ADDRESS` sets it too, see [below](#connection-to-temporal)."},
		{name: "temporal.namespace", value: textValue{&c.Temporal.Namespace}, fallback: "default",
			doc: "Temporal namespace, which must exist. `TEMPORAL_NAMESPACE` sets it too, see [below](#connection-to-temporal)."},
		{name: "temporal.task_queue", value: textValue{&c.Temporal.TaskQueue}, fallback: "attune",
			doc: "Task queue that the workers listen on."},

		{name: "sensor.poll_interval", value: durationValue{&c.Sensor.PollInterval, 100 * time.Millisecond, 365 * day}, fallback: "30s",
			doc: "Time between two polls of a sensor. A sensor's file can say otherwise."},
		{name: "sensor.max_concurrent_sensors", value: intValue{&c.Sensor.MaxConcurrentSensors, 1, 1_000_000}, fallback: "100",
			doc: "Most sensors that run at the same time; the others wait until one stops."},
		{name: "sensor.sensor_timeout", value: durationValue{&c.Sensor.SensorTimeout, 100 * time.Millisecond, day}, fallback: "300s",
			doc: "Longest duration of a poll; a longer one is killed and counts as a failure. A sensor's file can say otherwise (`timeout`)."},
		{name: "sensor.restart_on_error", value: boolValue{&c.Sensor.RestartOnError}, fallback: "true",
			doc: "Try again when a sensor fails. When false, its first failure is final. A sensor's file can say otherwise."},
		{name: "sensor.max_restart_attempts", value: intValue{&c.Sensor.MaxRestartAttempts, 1, 1000}, fallback: "3",
			doc: "Failures in a row that make a sensor failed: it stays down until it is restarted or its definition changes. " +
				"A good poll in between starts the count anew. A sensor's file can say otherwise."},
		{name: "sensor.restart_backoff", value: durationValue{&c.Sensor.RestartBackoff, 100 * time.Millisecond, day}, fallback: "10s",
			doc: "Wait after the first failure; doubles with each further one. Up to a quarter less, so that sensors don't come back all at once."},
		{name: "sensor.max_restart_backoff", value: durationValue{&c.Sensor.MaxRestartBackoff, 100 * time.Millisecond, day}, fallback: "5m",
			doc: "Longest wait after a failure; at least `sensor.restart_backoff`."},
		{name: "sensor.manager_interval", value: durationValue{&c.Sensor.ManagerInterval, time.Second, day}, fallback: "60s",
			doc: "Time between two comparisons of what should run with what runs."},

		{name: "worker.roles", value: listValue{&c.Worker.Roles, []string{RoleWorkflows, RoleActivities}}, fallback: "workflows,activities",
			doc: "What this worker does: drive sensors, and write and publish what they bring (`workflows`); poll, and do what " +
				"had to be tried again (`activities`). A list in YAML, separated by commas in the environment."},
		{name: "worker.shutdown_timeout", value: durationValue{&c.Worker.ShutdownTimeout, time.Second, time.Hour}, fallback: "30s",
			doc: "Time that work in hand has to finish after SIGTERM; what remains is handed back."},
		{name: "worker.max_concurrent_polls", value: intValue{&c.Worker.MaxConcurrentPolls, 1, 100_000}, fallback: "100",
			doc: "Most polls that this worker runs at the same time. Each may be a process of its own."},
		{name: "worker.cache_dir", value: textValue{&c.Worker.CacheDir}, shown: "`attune-sensors` in the user's cache directory",
			doc: "Folder for unpacked packs and the temporary files of polls; made when missing, may be deleted while no worker runs."},

		{name: "runtime.python", value: textValue{&c.Runtime.Python}, fallback: "python3",
			doc: "Interpreter of `core.python3` sensors: a command on `runtime.path`, or a path."},
		{name: "runtime.node", value: textValue{&c.Runtime.Node}, fallback: "node",
			doc: "Interpreter of `core.nodejs` sensors: a command on `runtime.path`, or a path."},
		{name: "runtime.path", value: textValue{&c.Runtime.Path}, shown: "the worker's `PATH`",
			doc: "`PATH` of sensor code, which otherwise inherits nothing of the worker's environment."},

		{name: "ops.address", value: addressValue{&c.Ops.Address, true}, fallback: "127.0.0.1:8080",
			doc: "Where `/healthz`, `/readyz` and `/metrics` are served, host:port; empty: nowhere."},

		{name: "log.level", value: choiceValue{&c.Log.Level, []string{"debug", "info", "warn", "error"}}, fallback: "info",
			doc: "The least that is logged."},
		{name: "log.format", value: choiceValue{&c.Log.Format, []string{"auto", "json", "console"}}, fallback: "auto",
			doc: "JSON lines, or lines for people; `auto` is console on a terminal and JSON elsewhere."},
	}
}
