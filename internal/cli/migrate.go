package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/internal/store"
)

func newMigrate(s *session) *cobra.Command {
	var status bool
	c := &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database's schema and the core pack up to this program",
		Long: `Bring the database's schema and the core pack up to this program. An empty database will do, and to repeat it, even
in several places at once, does no harm. With --status nothing changes, and the exit code is 1 if there is anything to do.`,
		Example: `  starter migrate
  starter migrate --status`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if status {
				return s.schemaStatus(c.Context())
			}
			return s.migrate(c.Context())
		},
	}
	c.Flags().BoolVar(&status, "status", false, "only say whether there is anything to do")
	return c
}

// migrated is what migrate did.
type migrated struct {
	Migrations []string `json:"migrations"`
	Core       applied  `json:"core"`
}

func (s *session) migrate(ctx context.Context) error {
	cfg, err := s.config(keyDatabase)
	if err != nil {
		return err
	}
	names, err := store.Migrate(ctx, cfg.Database.URL)
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return explainDatabase(cfg, err)
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		s.say("applied %s", name)
	}
	core, err := s.syncCore(ctx, store.ApplyOptions{Prune: true})
	if err != nil {
		return err
	}
	s.sayApplied(core)
	s.say("the schema is up to date")
	return s.report(migrated{Migrations: append([]string{}, names...), Core: core})
}

func (s *session) syncCore(ctx context.Context, opts store.ApplyOptions) (applied, error) {
	core, err := corePack()
	if err != nil {
		return applied{}, err
	}
	db, err := s.store(ctx)
	if err != nil {
		return applied{}, err
	}
	changes, err := db.ApplyPack(ctx, core, opts)
	return applied{packSummary: s.summary(folder{pack: core}), DryRun: opts.DryRun, Changes: changes}, err
}

func (s *session) schemaStatus(ctx context.Context) error {
	core, err := s.syncCore(ctx, store.ApplyOptions{Prune: true, DryRun: true})
	if outdated := new(schemaError); errors.As(err, &outdated) {
		return no{outdated.Error()}
	}
	if err != nil {
		return err
	}
	if n := len(core.Changes); n > 0 {
		return no{fmt.Sprintf("the core pack has %s to come: run `starter migrate`", count(n, "change", "changes"))}
	}
	s.say("the schema is up to date")
	return s.report(map[string]bool{"up_to_date": true})
}
