package testenv

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"net/url"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/migrations"
)

// databaseTimeout covers many tests that create their databases at once on a busy machine.
const databaseTimeout = 2 * time.Minute

// Database creates a database with the current schema and no rows, drops it when the test ends, and returns its URL.
func Database(t testing.TB) string {
	t.Helper()
	return createDatabase(t, template(t))
}

// EmptyDatabase creates a database without a schema, drops it when the test ends, and returns its URL.
func EmptyDatabase(t testing.TB) string {
	t.Helper()
	return createDatabase(t, "template0")
}

func createDatabase(t testing.TB, from string) string {
	t.Helper()
	name := Name(t, "attune_test")
	onServer(t, func(ctx context.Context, conn *pgx.Conn) {
		_, err := conn.Exec(ctx, "create database "+quote(name)+" template "+quote(from))
		require.NoError(t, err)
	})
	t.Cleanup(func() {
		onServer(t, func(ctx context.Context, conn *pgx.Conn) {
			_, err := conn.Exec(ctx, "drop database if exists "+quote(name)+" with (force)")
			require.NoError(t, err)
		})
	})
	return databaseURL(t, name)
}

// template returns the name of a migrated database that others are copied from, one a schema, and makes it if need be.
// It gets its name last, so that it is complete whenever it can be found.
func template(t testing.TB) string {
	t.Helper()
	name := "attune_template_" + schemaHash(t)
	onServer(t, func(ctx context.Context, conn *pgx.Conn) {
		if databaseExists(ctx, t, conn, name) {
			return
		}
		_, err := conn.Exec(ctx, "select pg_advisory_lock(hashtext($1))", name)
		require.NoError(t, err)
		if databaseExists(ctx, t, conn, name) {
			return
		}
		unfinished := name + "_unfinished"
		_, err = conn.Exec(ctx, "drop database if exists "+quote(unfinished)+" with (force)")
		require.NoError(t, err)
		_, err = conn.Exec(ctx, "create database "+quote(unfinished)+" template template0")
		require.NoError(t, err)
		_, err = store.Migrate(ctx, databaseURL(t, unfinished))
		require.NoError(t, err)
		_, err = conn.Exec(ctx, "alter database "+quote(unfinished)+" rename to "+quote(name))
		require.NoError(t, err)
	})
	return name
}

func databaseExists(ctx context.Context, t testing.TB, conn *pgx.Conn, name string) bool {
	t.Helper()
	var found bool
	err := conn.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", name).Scan(&found)
	require.NoError(t, err)
	return found
}

// onServer runs f with a connection to the server's own database, which the environment names.
func onServer(t testing.TB, f func(ctx context.Context, conn *pgx.Conn)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), databaseTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, setting(t, "ATTUNE__DATABASE__URL"))
	require.NoError(t, err)
	defer conn.Close(ctx)
	f(ctx, conn)
}

func databaseURL(t testing.TB, name string) string {
	t.Helper()
	u, err := url.Parse(setting(t, "ATTUNE__DATABASE__URL"))
	require.NoError(t, err, "ATTUNE__DATABASE__URL")
	u.Path = "/" + name
	return u.String()
}

func schemaHash(t testing.TB) string {
	t.Helper()
	names, err := fs.Glob(migrations.FS, "*.sql")
	require.NoError(t, err)
	hash := sha256.New()
	for _, name := range names {
		content, err := fs.ReadFile(migrations.FS, name)
		require.NoError(t, err)
		hash.Write(content)
	}
	return hex.EncodeToString(hash.Sum(nil))[:12]
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }
