package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/config"
	"github.com/attune-automation/sensors/internal/fleet"
	"github.com/attune-automation/sensors/internal/logging"
	"github.com/attune-automation/sensors/internal/store"
)

// connectTimeout is how long a server may take to answer for the first time.
const connectTimeout = 10 * time.Second

// databaseConnections is enough for a command, which does one thing after the other.
const databaseConnections = 2

// The keys that a command may need; it does without the others.
const (
	keyDatabase = "database.url"
	keyBroker   = "message_queue.url"
)

// session is one run of a command. It connects to a server only when the command asks for it.
type session struct {
	env        Env
	configFile string
	format     format
	closers    []func()
}

func (s *session) addFlags(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.StringVar(&s.configFile, "config", "", "read settings from this YAML `FILE` (default config.yaml, if there is one)")
	s.format = formatTable
	flags.VarP(&s.format, "output", "o", "write a `FORMAT`: table, json or yaml")
	complete(root, "output", formats...)
}

func (s *session) close() {
	for _, f := range slices.Backward(s.closers) {
		f()
	}
}

// config reads the settings for a command that needs the given keys of those that have no default.
func (s *session) config(needed ...string) (config.Config, error) {
	optional := slices.DeleteFunc([]string{keyDatabase, keyBroker}, func(key string) bool {
		return slices.Contains(needed, key)
	})
	return config.Load(config.Options{File: s.configFile, Environ: s.env.Environ, Optional: optional})
}

// store connects to the database and checks that its schema is the one that this program was built for.
func (s *session) store(ctx context.Context) (*store.Store, error) {
	cfg, err := s.config(keyDatabase)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	db, err := store.New(ctx, store.Config{URL: cfg.Database.URL, MaxConnections: databaseConnections})
	if err != nil {
		return nil, explainDatabase(cfg, err)
	}
	s.closers = append(s.closers, db.Close)
	if err := db.Ping(ctx); err != nil {
		return nil, explainDatabase(cfg, err)
	}
	if err := db.CheckSchema(ctx); err != nil {
		return nil, &schemaError{err}
	}
	return db, nil
}

// schemaError says that the database is not as this program needs it.
type schemaError struct{ error }

func (e *schemaError) Unwrap() error { return e.error }

// fleet connects to Temporal.
func (s *session) fleet(ctx context.Context) (*fleet.Fleet, error) {
	cfg, err := s.config()
	if err != nil {
		return nil, err
	}
	options, err := cfg.TemporalOptions(logging.Temporal(zap.NewNop()), nil)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	c, err := client.DialContext(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("Temporal at %s cannot be used: start it, or correct temporal.address "+
			"(ATTUNE__TEMPORAL__ADDRESS, TEMPORAL_ADDRESS): %w", cfg.Temporal.Address, err)
	}
	s.closers = append(s.closers, c.Close)
	f, err := fleet.New(fleet.Config{Client: c, Namespace: options.Namespace, TaskQueue: cfg.Temporal.TaskQueue})
	if err != nil {
		return nil, err
	}
	err = f.EnsureSearchAttributes(ctx)
	if missing := new(serviceerror.NamespaceNotFound); errors.As(err, &missing) {
		return nil, fmt.Errorf("Temporal at %s has no namespace %q: create it, or correct temporal.namespace "+
			"(ATTUNE__TEMPORAL__NAMESPACE, TEMPORAL_NAMESPACE)", cfg.Temporal.Address, cfg.Temporal.Namespace)
	}
	return f, err
}

// warn tells the user what is wrong or deserves notice. Some of it may come from a sensor's code.
func (s *session) warn(format string, args ...any) {
	text := strings.TrimRight(fmt.Sprintf(format, args...), "\n")
	fmt.Fprintf(s.env.Stderr, "starter: %s\n", printableLines(text))
}

// say tells the user what was done. Other formats than the table are for programs, which read the output proper.
func (s *session) say(format string, args ...any) {
	if s.format == formatTable {
		fmt.Fprintf(s.env.Stdout, format+"\n", args...)
	}
}

func explainDatabase(cfg config.Config, err error) error {
	address := "its address"
	if u, parseErr := url.Parse(cfg.Database.URL); parseErr == nil {
		address = u.Host
	}
	return fmt.Errorf("the database at %s cannot be used: start it, or correct database.url (ATTUNE__DATABASE__URL): %w", address, err)
}
