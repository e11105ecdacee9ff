// Package config reads the settings of the project's programs: defaults, then a YAML file, then the environment, where
// `sensor.poll_interval` is ATTUNE__SENSOR__POLL_INTERVAL. Every problem is reported at once, by key, value and remedy.
package config

import (
	"time"

	"go.temporal.io/sdk/contrib/envconfig"

	"github.com/attune-automation/sensors/internal/sensor"
)

// The roles that a worker can have.
const (
	RoleWorkflows  = "workflows"
	RoleActivities = "activities"
	RoleWebhooks   = "webhooks"
)

// Config is the result of Load: every key has a value that passed its checks.
type Config struct {
	File         string // absolute path of the file that was read; empty: there was none
	Database     Database
	MessageQueue MessageQueue
	Temporal     Temporal
	Sensor       Sensor
	Worker       Worker
	Runtime      Runtime
	Rules        Rules
	Secret       Secret
	Webhooks     Webhooks
	Ops          Ops
	Log          Log

	files []string // see Files
}

// Database says how to reach PostgreSQL.
type Database struct {
	URL            string // secret: it may hold a password
	MaxConnections int    // of this process
}

// MessageQueue says how to reach RabbitMQ and what to publish to.
type MessageQueue struct {
	URL               string // secret: it may hold a password
	Exchange          string
	DeclareQueues     bool
	EventsQueue       string
	EnforcementsQueue string
	ConfirmTimeout    time.Duration // the broker's time to confirm a message
	Channels          int           // that publish at the same time
}

// Temporal says how to reach Temporal and where its tasks wait.
type Temporal struct {
	Address   string // host:port
	Namespace string
	TaskQueue string

	profile  envconfig.ClientConfigProfile             // what TEMPORAL_* and Temporal's own file say of TLS, API key and headers
	profiles map[string]*envconfig.ClientConfigProfile // all that Temporal's own file has
}

// Sensor holds what sensors run by when their own file does not say.
type Sensor struct {
	PollInterval         time.Duration
	MaxConcurrentSensors int
	SensorTimeout        time.Duration // of one poll
	RestartOnError       bool
	MaxRestartAttempts   int           // consecutive failures that make a sensor failed
	RestartBackoff       time.Duration // before the second attempt; doubles with each further one
	MaxRestartBackoff    time.Duration
	ManagerInterval      time.Duration // between two comparisons of definitions with what runs
	DedupeTTL            time.Duration // how long an event's key suppresses others
}

// Worker says what one worker process does.
type Worker struct {
	Roles              []string
	Queues             []string // whose polls it takes
	ShutdownTimeout    time.Duration
	MaxConcurrentPolls int
	CacheDir           string // unpacked packs; absolute
}

// Runtime says what runs sensor code, and what contains it.
type Runtime struct {
	Python string // a command on Path, or a path
	Node   string // a command on Path, or a path
	Path   string // PATH of sensor code

	Sandbox string   // auto, bwrap or none
	Hide    []string // absolute paths that sensor code must not see, besides those that it never does

	WarmProcesses int // most that stay up between polls
	WarmIdle      time.Duration
	WarmPolls     int

	Limits sensor.Limits // of a sensor that has none of its own; 0: none

	InstallTimeout     time.Duration
	InstallEnvironment []string // names of the worker's variables that installers see
}

// Rules says what the evaluation of a rule may take.
type Rules struct {
	MaxEvaluation time.Duration // of the processor, on one event; 0: any
	MaxOverruns   int           // that trip a rule,
	OverrunWindow time.Duration // when they come within this time
}

// Secret says where the secrets of sensors come from, besides the environment.
type Secret struct {
	Directory string // absolute path; empty: none
}

// Webhooks says where webhooks are served, and within which limits.
type Webhooks struct {
	Address            string   // host:port; empty: nowhere
	BasePath           string   // begins with a slash and does not end with one, unless it is one
	TLSCertificate     string   // absolute path; empty: plain HTTP
	TLSKey             string   // absolute path
	TrustedProxies     []string // addresses and networks
	MaxBody            int64    // bytes
	MaxHeader          int64    // bytes
	HeaderTimeout      time.Duration
	ReadTimeout        time.Duration
	AcceptTimeout      time.Duration
	MaxRequests        int // at one time
	AddressRate        int // requests a second; 0: any number
	AddressConnections int // at one time; 0: any number
	SensorRate         int // requests a second; 0: any number
	DeliveryTTL        time.Duration
}

// Ops says where health and metrics are served.
type Ops struct {
	Address string // host:port; empty: nowhere
}

// Log says what is logged, and how.
type Log struct {
	Level  string // debug, info, warn or error
	Format string // auto, json or console

	SensorDirectory string // of what sensors print; absolute
	SensorMaxSize   int64  // bytes in one of their files
	SensorMaxFiles  int    // of one sensor
}

// SensorSettings returns what sensors run by when their own file does not say.
func (c Config) SensorSettings() sensor.Settings {
	return sensor.Settings{
		PollInterval:       c.Sensor.PollInterval,
		Timeout:            c.Sensor.SensorTimeout,
		MaxRestartAttempts: c.Sensor.MaxRestartAttempts,
		RestartOnError:     c.Sensor.RestartOnError,
		RestartBackoff:     c.Sensor.RestartBackoff,
		MaxRestartBackoff:  c.Sensor.MaxRestartBackoff,
		DedupeTTL:          c.Sensor.DedupeTTL,
	}
}
