package config

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
)

// Options say where Load reads.
type Options struct {
	File     string   // a YAML file that must exist; empty: config.yaml in the working directory if there is one
	Environ  []string // as os.Environ returns it; of a variable that is there twice, the last counts
	Optional []string // required keys that this program does without, such as message_queue.url
}

// Load reads defaults, file and environment; the later wins. Its error names every problem that they have.
func Load(o Options) (Config, error) {
	l := loader{koanf: koanf.New(".")}
	l.keys = keys(&l.config)
	environ := environ(o.Environ)
	l.addDefaults(environ)
	l.addProfile(environ)
	l.addFile(o.File, ".")
	l.addTemporalEnviron(environ)
	l.addEnviron(environ)
	l.addDerived()
	l.apply(o.Optional)
	if err := l.err(); err != nil {
		return Config{}, err
	}
	l.findFiles(environ)
	return l.config, nil
}

// loader lays the sources over each other and collects what is wrong with them. Only known keys get into koanf.
type loader struct {
	config   Config
	keys     []key
	koanf    *koanf.Koanf
	problems []string
}

// setting is what a source says of a key. Its fields are exported because koanf copies it.
type setting struct {
	Text   string
	List   bool   // Text is a list, separated by commas
	Origin string // where it stands, for errors
}

func (l *loader) problem(format string, args ...any) {
	l.problems = append(l.problems, fmt.Sprintf(format, args...))
}

// add lays settings, by key, over what is there.
func (l *loader) add(settings map[string]any) {
	l.load(confmap.Provider(settings, "."))
}

func (l *loader) load(p koanf.Provider) {
	if err := l.koanf.Load(p, nil); err != nil {
		l.problem("%v", err)
	}
}

func (l *loader) addDefaults(e environ) {
	defaults := map[string]any{}
	for _, k := range l.keys {
		if k.required == "" && k.name != logDirectory {
			defaults[k.name] = setting{Text: k.fallback, Origin: "by default"}
		}
	}
	path, _ := e.LookupEnv("PATH")
	defaults["runtime.path"] = setting{Text: cmp.Or(path, "/usr/local/bin:/usr/bin:/bin"), Origin: "in PATH"}
	defaults["worker.cache_dir"] = setting{Text: cacheDir(), Origin: "by default"}
	l.add(defaults)
}

// logDirectory is the key whose default depends on another key.
const logDirectory = "log.sensor_directory"

// addDerived sets the log directory below the cache, if nothing else did.
func (l *loader) addDerived() {
	cache, ok := l.koanf.Get("worker.cache_dir").(setting)
	if _, set := l.koanf.Get(logDirectory).(setting); ok && !set {
		l.add(map[string]any{logDirectory: setting{Text: filepath.Join(cache.Text, "logs"), Origin: "by default"}})
	}
}

func cacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir() // no home, as in many containers
	}
	return filepath.Join(dir, "attune-sensors")
}

// apply hands every setting to its field, which checks it.
func (l *loader) apply(optional []string) {
	for _, k := range l.keys {
		s, ok := l.koanf.Get(k.name).(setting)
		switch {
		case ok:
			l.set(k, s)
		case !slices.Contains(optional, k.name):
			l.problem("%s (%s) is missing: set it, for example to %s", k.name, k.env(), k.required)
		}
	}
	if l.problems == nil {
		l.compare()
	}
}

// compare checks keys that depend on each other.
func (l *loader) compare() {
	if s := l.config.Sensor; s.MaxRestartBackoff < s.RestartBackoff {
		l.problem("sensor.max_restart_backoff (%s): %s is less than sensor.restart_backoff, %s: raise it, or lower the other",
			envName("sensor.max_restart_backoff"), short(s.MaxRestartBackoff), short(s.RestartBackoff))
	}
	if w := l.config.Webhooks; (w.TLSCertificate == "") != (w.TLSKey == "") {
		l.problem("webhooks.tls_certificate (%s) and webhooks.tls_key (%s) go together: set both, or none of them",
			envName("webhooks.tls_certificate"), envName("webhooks.tls_key"))
	}
	if q := l.config.MessageQueue; q.EventsQueue == q.EnforcementsQueue {
		l.problem("message_queue.enforcements_queue (%s): %q is message_queue.events_queue too: name two queues",
			envName("message_queue.enforcements_queue"), q.EnforcementsQueue)
	}
}

func (l *loader) set(k key, s setting) {
	err := k.value.set(s.Text)
	if _, list := k.value.(listValue); s.List && !list {
		err = errors.New("is a list: write one value")
	}
	if err != nil {
		l.problem("%s (%s): %q %s %v", k.name, k.env(), k.mask(s.Text), s.Origin, err)
	}
}

// err returns all problems as one error.
func (l *loader) err() error {
	switch len(l.problems) {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("configuration: %s", l.problems[0])
	default:
		return fmt.Errorf("configuration has %d problems:\n- %s", len(l.problems), strings.Join(l.problems, "\n- "))
	}
}
