package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/attune-automation/sensors/migrations"
)

// versionTable lives in the schema that it describes, so that it is backed up, moved and dropped with it.
const versionTable = "attune.schema_version"

// undefinedTable is what PostgreSQL says of a table that is not there, whether or not its schema is.
const undefinedTable = "42P01"

// Migrate brings the database's schema up to what this program needs and returns the names of the migrations that it
// applied. Any number of processes may call it at once. An empty database will do.
func Migrate(ctx context.Context, url string) (applied []string, err error) {
	connConfig, err := pgx.ParseConfig(url)
	if err != nil || url == "" {
		return nil, errURL
	}
	if err := createSchema(ctx, connConfig); err != nil {
		return nil, fmt.Errorf("creating schema attune: %w", err)
	}
	db := stdlib.OpenDB(*connConfig)
	defer db.Close()
	// A second is how often the lock is tried again, and 300 how many times.
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
	if err != nil {
		return nil, fmt.Errorf("preparing the migration lock: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, migrations.FS,
		goose.WithSessionLocker(locker), goose.WithTableName(versionTable), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return nil, fmt.Errorf("reading the migrations: %w", err)
	}
	results, err := provider.Up(ctx)
	if partial := new(goose.PartialError); errors.As(err, &partial) {
		results = partial.Applied
	}
	for _, r := range results {
		applied = append(applied, path.Base(r.Source.Path))
	}
	if err != nil {
		return applied, fmt.Errorf("migrating the database: %w", err)
	}
	return applied, nil
}

// CheckSchema says what to do when the database's schema is not the one that this program was built for.
func (s *Store) CheckSchema(ctx context.Context) error {
	needed, err := neededVersion()
	if err != nil {
		return err
	}
	var version int64
	err = s.pool.QueryRow(ctx, `select coalesce(max(version_id), 0) from `+versionTable+` where is_applied`).Scan(&version)
	if pgErr := new(pgconn.PgError); errors.As(err, &pgErr) && pgErr.Code == undefinedTable {
		err = nil
	}
	switch {
	case err != nil:
		return fmt.Errorf("reading the schema's version: %w", err)
	case version < needed:
		return fmt.Errorf("database schema is at version %d, this program needs %d: run `starter migrate`", version, needed)
	case version > needed:
		return fmt.Errorf("database schema is at version %d, this program needs %d: upgrade this program", version, needed)
	}
	return nil
}

// createSchema makes the place for the version table. PostgreSQL fails when two sessions create a schema at once, even
// with `if not exists`, hence the lock.
func createSchema(ctx context.Context, config *pgx.ConnConfig) error {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, `
		begin;
		select pg_advisory_xact_lock(hashtext('attune create schema'));
		create schema if not exists attune;
		commit`)
	return err
}

// neededVersion is the number of the newest embedded migration.
func neededVersion() (int64, error) {
	names, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil {
		return 0, fmt.Errorf("listing the migrations: %w", err)
	}
	var newest int64
	for _, name := range names {
		version, err := goose.NumericComponent(name)
		if err != nil {
			return 0, fmt.Errorf("reading the number of migration %s: %w", name, err)
		}
		newest = max(newest, version)
	}
	return newest, nil
}
