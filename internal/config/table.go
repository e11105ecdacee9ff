package config

import (
	"slices"
	"time"

	"github.com/attune-automation/sensors/internal/size"
)

const day = 24 * time.Hour

// keys returns all keys in the order of the documentation; their values are the fields of c.
func keys(c *Config) []key {
	return slices.Concat(serverKeys(c), sensorKeys(c), workerKeys(c), runtimeKeys(c), limitKeys(c), installKeys(c), ruleKeys(c), secretKeys(c), webhookKeys(c), opsKeys(c))
}

func serverKeys(c *Config) []key {
	return []key{
		{name: "database.url", value: urlValue{&c.Database.URL, []string{"postgres", "postgresql"}}, secret: true,
			required: "postgres://attune:PASSWORD@localhost:5432/attune",
			doc:      "PostgreSQL, the system of record. Options of the connection go behind a `?`, such as `sslmode=verify-full`."},
		{name: "database.max_connections", value: intValue{field: &c.Database.MaxConnections, min: 1, max: 10_000}, fallback: "20",
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
		{name: "message_queue.confirm_timeout", value: durationValue{field: &c.MessageQueue.ConfirmTimeout, min: 100 * time.Millisecond, max: 10 * time.Minute},
			fallback: "10s", doc: "How long the broker may take to confirm messages before they are published again."},
		{name: "message_queue.channels", value: intValue{field: &c.MessageQueue.Channels, min: 1, max: 256}, fallback: "4",
			doc: "Channels that publish at the same time."},

		{name: "temporal.address", value: addressValue{&c.Temporal.Address, false}, fallback: "localhost:7233",
			doc: "Temporal's frontend, host:port. `TEMPORAL_ADDRESS` sets it too, see [below](#connection-to-temporal)."},
		{name: "temporal.namespace", value: textValue{&c.Temporal.Namespace}, fallback: "default",
			doc: "Temporal namespace, which must exist. `TEMPORAL_NAMESPACE` sets it too, see [below](#connection-to-temporal)."},
		{name: "temporal.task_queue", value: textValue{&c.Temporal.TaskQueue}, fallback: "attune",
			doc: "Task queue that the workers listen on."},
	}
}

func sensorKeys(c *Config) []key {
	return []key{
		{name: "sensor.poll_interval", value: durationValue{field: &c.Sensor.PollInterval, min: 100 * time.Millisecond, max: 365 * day}, fallback: "30s",
			doc: "Time between two polls of a sensor. A sensor's file can say otherwise."},
		{name: "sensor.max_concurrent_sensors", value: intValue{field: &c.Sensor.MaxConcurrentSensors, min: 1, max: 1_000_000}, fallback: "100",
			doc: "Most sensors that run at the same time; the others wait until one stops."},
		{name: "sensor.sensor_timeout", value: durationValue{field: &c.Sensor.SensorTimeout, min: 100 * time.Millisecond, max: day}, fallback: "300s",
			doc: "Longest duration of a poll; a longer one is killed and counts as a failure. A sensor's file can say otherwise (`timeout`)."},
		{name: "sensor.restart_on_error", value: boolValue{&c.Sensor.RestartOnError}, fallback: "true",
			doc: "Try again when a sensor fails. When false, its first failure is final. A sensor's file can say otherwise."},
		{name: "sensor.max_restart_attempts", value: intValue{field: &c.Sensor.MaxRestartAttempts, min: 1, max: 1000}, fallback: "3",
			doc: "Failures in a row that make a sensor failed: it stays down until it is restarted or its definition changes. " +
				"A good poll in between starts the count anew. A sensor's file can say otherwise."},
		{name: "sensor.restart_backoff", value: durationValue{field: &c.Sensor.RestartBackoff, min: 100 * time.Millisecond, max: day}, fallback: "10s",
			doc: "Wait after the first failure; doubles with each further one. Up to a quarter less, so that sensors don't come back all at once."},
		{name: "sensor.max_restart_backoff", value: durationValue{field: &c.Sensor.MaxRestartBackoff, min: 100 * time.Millisecond, max: day}, fallback: "5m",
			doc: "Longest wait after a failure; at least `sensor.restart_backoff`."},
		{name: "sensor.manager_interval", value: durationValue{field: &c.Sensor.ManagerInterval, min: time.Second, max: day}, fallback: "60s",
			doc: "Time between two comparisons of what should run with what runs."},
		{name: "sensor.dedupe_ttl", value: durationValue{field: &c.Sensor.DedupeTTL, min: time.Minute, max: 10 * 365 * day}, fallback: "168h",
			doc: "How long the `key` of an event suppresses further events of its sensor with the same key. A sensor's file can say otherwise."},
	}
}

func workerKeys(c *Config) []key {
	return []key{
		{name: "worker.roles", value: listValue{field: &c.Worker.Roles, word: choices{RoleWorkflows, RoleActivities, RoleWebhooks}}, fallback: "workflows,activities,webhooks",
			doc: "What this worker does: drive sensors, and write and publish what they bring (`workflows`); poll, and do what " +
				"had to be tried again (`activities`); take the requests of webhooks (`webhooks`). A list in YAML, separated by " +
				"commas in the environment."},
		{name: "worker.queues", value: listValue{field: &c.Worker.Queues, word: queueNames()}, fallback: "python3,nodejs,exec,filewatch",
			doc: "Queues whose polls this worker takes, if it has the role `activities`. A sensor's polls go to the queue that its " +
				"file names (`queue`), or to that of its runtime: `python3`, `nodejs`, `exec` or `filewatch`. Timers and webhooks need none."},
		{name: "worker.shutdown_timeout", value: durationValue{field: &c.Worker.ShutdownTimeout, min: time.Second, max: time.Hour}, fallback: "30s",
			doc: "Time that work in hand has to finish after SIGTERM; what remains is handed back."},
		{name: "worker.max_concurrent_polls", value: intValue{field: &c.Worker.MaxConcurrentPolls, min: 1, max: 100_000}, fallback: "100",
			doc: "Most polls that this worker runs at the same time. Each may be a process of its own."},
		{name: "worker.cache_dir", value: pathValue{&c.Worker.CacheDir}, shown: "`attune-sensors` in the user's cache directory",
			doc: "Folder for unpacked packs and the temporary files of polls; made when missing, may be deleted while no worker runs."},
	}
}

func runtimeKeys(c *Config) []key {
	return []key{
		{name: "runtime.python", value: textValue{&c.Runtime.Python}, fallback: "python3",
			doc: "Interpreter of `core.python3` sensors: a command on `runtime.path`, or a path."},
		{name: "runtime.node", value: textValue{&c.Runtime.Node}, fallback: "node",
			doc: "Interpreter of `core.nodejs` sensors: a command on `runtime.path`, or a path."},
		{name: "runtime.path", value: textValue{&c.Runtime.Path}, shown: "the worker's `PATH`",
			doc: "`PATH` of sensor code, which otherwise inherits nothing of the worker's environment."},
		{name: "runtime.sandbox", value: choiceValue{&c.Runtime.Sandbox, []string{"auto", "bwrap", "none"}}, fallback: "auto",
			doc: "What contains sensor code: bubblewrap, which must work (`bwrap`); bubblewrap if it works (`auto`); process groups " +
				"and limits alone (`none`). A sensor's file can ask for more, and with `auto` here for less."},
		{name: "runtime.hide", value: listValue{field: &c.Runtime.Hide, word: paths{}, off: true}, shown: "none",
			doc: "Files and folders that sensor code in bubblewrap must not see, besides [what it never sees](#what-sensor-code-does-not-see)."},
		{name: "runtime.warm_processes", value: intValue{field: &c.Runtime.WarmProcesses, min: 0, max: 10_000}, fallback: "100",
			doc: "Most interpreters that stay up between polls; beyond, the one that was used least recently ends. 0: none does."},
		{name: "runtime.warm_idle", value: durationValue{field: &c.Runtime.WarmIdle, min: time.Second, max: 7 * day}, fallback: "10m",
			doc: "How long an interpreter stays up without a poll. A sensor that polls less often always gets a new one."},
		{name: "runtime.warm_polls", value: intValue{field: &c.Runtime.WarmPolls, min: 1, max: 1_000_000}, fallback: "1000",
			doc: "Polls after which an interpreter is replaced."},
	}
}

// limitKeys are those of section runtime that a sensor's limits fall back to.
func limitKeys(c *Config) []key {
	return []key{
		{name: "runtime.cpu", value: durationValue{field: &c.Runtime.Limits.CPU, min: time.Second, max: day, off: true}, fallback: "0",
			doc: "Most time of the processor in one poll, of all its processes; not of a stream. This and the four keys below are " +
				"what a sensor's `limits` can say otherwise."},
		{name: "runtime.memory", value: sizeValue{field: &c.Runtime.Limits.Memory, min: 16 * size.MiB, max: size.TiB, off: true}, fallback: "512MiB",
			doc: "Most memory of the processes of one sensor together, with [files in memory](packs.md#limits-of-memory)."},
		{name: "runtime.open_files", value: intValue{field: &c.Runtime.Limits.OpenFiles, min: 16, max: 1_000_000, off: true}, fallback: "256",
			doc: "Most files and connections that one process has open."},
		{name: "runtime.processes", value: intValue{field: &c.Runtime.Limits.Processes, min: 1, max: 100_000, off: true}, fallback: "64",
			doc: "Most processes of one sensor at a time."},
		{name: "runtime.output", value: sizeValue{field: &c.Runtime.Limits.Output, min: size.KiB, max: size.TiB, off: true}, fallback: "8MiB",
			doc: "Most that one poll writes to its log; what is beyond is dropped, and the log says so."},
	}
}

// installKeys are those of section runtime that the dependencies of packs are installed by.
func installKeys(c *Config) []key {
	return []key{
		{name: "runtime.install_timeout", value: durationValue{field: &c.Runtime.InstallTimeout, min: time.Second, max: day}, fallback: "10m",
			doc: "Longest duration of installing the dependencies of a pack."},
		{name: "runtime.install_environment", value: listValue{field: &c.Runtime.InstallEnvironment, word: variableNames(), off: true},
			fallback: "HTTP_PROXY,HTTPS_PROXY,NO_PROXY,http_proxy,https_proxy,no_proxy,PIP_INDEX_URL,PIP_EXTRA_INDEX_URL,PIP_CERT," +
				"NPM_CONFIG_REGISTRY,npm_config_registry",
			doc: "Variables of the worker's environment that installers see, which otherwise inherit nothing of it. Sensor code never sees them."},
	}
}

func ruleKeys(c *Config) []key {
	return []key{
		{name: "rules.max_evaluation", value: durationValue{field: &c.Rules.MaxEvaluation, min: time.Millisecond, max: time.Minute, off: true}, fallback: "50ms",
			doc: "Time of the processor that a rule may take on one event, with its parameters; more is an overrun. One that goes on for " +
				"20 times as long is ended, and [trips](rules.md#rules-that-take-too-long) its rule at once. 0: nothing is measured."},
		{name: "rules.max_overruns", value: intValue{field: &c.Rules.MaxOverruns, min: 1, max: 1_000_000}, fallback: "5",
			doc: "Overruns of a rule on one worker, each on another event, that trip it: it is not evaluated any more. An expression that " +
				"is ended for its [cost](rules.md#what-they-may-cost) is one, too, whatever `rules.max_evaluation` is."},
		{name: "rules.overrun_window", value: durationValue{field: &c.Rules.OverrunWindow, min: time.Second, max: day}, fallback: "5m",
			doc: "Time within which they must come."},
	}
}

func secretKeys(c *Config) []key {
	return []key{
		{name: "secret.directory", value: directoryValue{field: &c.Secret.Directory, off: true}, shown: "none",
			doc: "Folder of files, each a secret that sensors can refer to by the file's name, as Kubernetes and Docker mount them. " +
				"A variable `ATTUNE_SECRET_NAME` goes before the file `NAME`."},
	}
}

// opsKeys are what remains: ops and log.
func opsKeys(c *Config) []key {
	return []key{
		{name: "ops.address", value: addressValue{&c.Ops.Address, true}, fallback: "127.0.0.1:8080",
			doc: "Where `/healthz`, `/readyz` and `/metrics` are served, host:port; empty: nowhere."},

		{name: "log.level", value: choiceValue{&c.Log.Level, []string{"debug", "info", "warn", "error"}}, fallback: "info",
			doc: "The least that is logged."},
		{name: "log.format", value: choiceValue{&c.Log.Format, []string{"auto", "json", "console"}}, fallback: "auto",
			doc: "JSON lines, or lines for people; `auto` is console on a terminal and JSON elsewhere."},
		{name: "log.sensor_directory", value: pathValue{&c.Log.SensorDirectory}, shown: "`logs` in `worker.cache_dir`",
			doc: "Folder of the files that hold what sensors print, one or more for each sensor."},
		{name: "log.sensor_max_size", value: sizeValue{field: &c.Log.SensorMaxSize, min: 64 * size.KiB, max: size.TiB}, fallback: "10MiB",
			doc: "Size at which a sensor's log file is closed and a new one begun."},
		{name: "log.sensor_max_files", value: intValue{field: &c.Log.SensorMaxFiles, min: 1, max: 1000}, fallback: "5",
			doc: "Most log files of one sensor; the oldest is deleted."},
	}
}
