package testenv

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/url"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/migrations"
)

// databaseTimeout covers many tests that need their first databases at once on a busy machine.
const databaseTimeout = 2 * time.Minute

// Database returns the URL of a database that has the current schema, no rows, and the test as its only user until it
// ends. It may be one that an earlier test has used, because emptying one takes a tenth of the time of making one: a
// test that changes the schema takes an EmptyDatabase and migrates it. A benchmark has a new one, so that what others
// left behind does not slow it down.
func Database(t testing.TB) string {
	t.Helper()
	template := template(t)
	if _, ok := t.(*testing.B); ok {
		return newDatabase(t, template)
	}
	name := claimDatabase(t, template)
	emptyDatabase(t, name)
	return databaseURL(t, name)
}

// EmptyDatabase creates a database without a schema, drops it when the test ends, and returns its URL.
func EmptyDatabase(t testing.TB) string {
	t.Helper()
	return newDatabase(t, "template0")
}

func newDatabase(t testing.TB, template string) string {
	t.Helper()
	name := Name(t, "attune_test")
	onServer(t, func(ctx context.Context, conn *pgx.Conn) { createDatabase(ctx, t, conn, name, template) })
	t.Cleanup(func() {
		onServer(t, func(ctx context.Context, conn *pgx.Conn) { dropDatabase(ctx, t, conn, name) })
	})
	return databaseURL(t, name)
}

// claimDatabase finds or makes a copy of the template that no other test uses. The claim is a lock that the server
// releases with the connection, so that a killed test gives its database back, too.
func claimDatabase(t testing.TB, template string) (name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), databaseTimeout)
	defer cancel()
	conn := connect(ctx, t, setting(t, "ATTUNE__DATABASE__URL"))
	t.Cleanup(func() { conn.Close(context.Background()) })
	number := 0
	for claimed := false; !claimed; {
		number++
		err := conn.QueryRow(ctx, "select pg_try_advisory_lock(hashtext($1), $2)", template, number).Scan(&claimed)
		require.NoError(t, err)
	}
	name = fmt.Sprintf("%s_%d", template, number)
	if !databaseExists(ctx, t, conn, name) {
		createDatabase(ctx, t, conn, name, template)
	}
	_, err := conn.Exec(ctx, "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)
	require.NoError(t, err)
	return name
}

// emptyDatabase deletes every row, whatever the order that the foreign keys ask for, and starts the IDs again.
func emptyDatabase(t testing.TB, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), databaseTimeout)
	defer cancel()
	conn := connect(ctx, t, databaseURL(t, name))
	defer conn.Close(ctx)
	_, err := conn.Exec(ctx, `
		do $$
		declare
			remaining text[] := array(
				select tablename from pg_tables where schemaname = 'attune' and tablename <> 'schema_version');
			name text;
		begin
			while cardinality(remaining) > 0 loop
				foreach name in array remaining loop
					begin
						execute format('delete from attune.%I', name);
						remaining := array_remove(remaining, name);
					exception when foreign_key_violation then
						null;
					end;
				end loop;
			end loop;
			perform setval(format('attune.%I', sequencename), 1, false) from pg_sequences where schemaname = 'attune';
		end $$`)
	require.NoError(t, err)
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
		dropDatabase(ctx, t, conn, unfinished)
		createDatabase(ctx, t, conn, unfinished, "template0")
		_, err = store.Migrate(ctx, databaseURL(t, unfinished))
		require.NoError(t, err)
		_, err = conn.Exec(ctx, "alter database "+quote(unfinished)+" rename to "+quote(name))
		require.NoError(t, err)
	})
	return name
}

func createDatabase(ctx context.Context, t testing.TB, conn *pgx.Conn, name, template string) {
	t.Helper()
	_, err := conn.Exec(ctx, "create database "+quote(name)+" template "+quote(template))
	require.NoError(t, err)
}

func dropDatabase(ctx context.Context, t testing.TB, conn *pgx.Conn, name string) {
	t.Helper()
	_, err := conn.Exec(ctx, "drop database if exists "+quote(name)+" with (force)")
	require.NoError(t, err)
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
	conn := connect(ctx, t, setting(t, "ATTUNE__DATABASE__URL"))
	defer conn.Close(ctx)
	f(ctx, conn)
}

func connect(ctx context.Context, t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(ctx, url)
	require.NoError(t, err, "run `make dev/up`, or see ATTUNE__DATABASE__URL")
	return conn
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
