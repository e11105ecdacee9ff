package store_test

import (
	"context"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/internal/testenv"
)

func TestNewNeverShowsThePassword(t *testing.T) {
	t.Parallel()
	right := testenv.Database(t)
	u, err := url.Parse(right)
	require.NoError(t, err)
	at := func(user *url.Userinfo, host string) string {
		wrong := *u
		wrong.User, wrong.Host = user, host
		return wrong.String()
	}
	for name, url := range map[string]string{
		"wrong password":  at(url.UserPassword(u.User.Username(), "hunter2"), u.Host),
		"nobody there":    at(url.UserPassword("me", "hunter2"), "127.0.0.1:1"),
		"bad port":        "postgres://me:hunter2@localhost:port/x",
		"bad escape":      "postgres://me:hunter2%zz@localhost/x",
		"slash in it":     "postgres://me:hunter2/x@localhost/x",
		"colon and at":    "postgres://me:hun:ter2@hunter2:x@localhost/x",
		"bad option":      "postgres://me:hunter2@localhost/x?sslmode=hunter2",
		"keyword options": "user=me password=hunter2 port=x",
		"not a URL":       "hunter2",
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		s, err := store.New(ctx, store.Config{URL: url})
		if err == nil {
			err = s.Ping(ctx)
			s.Close()
		}
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), "hunter2", name)
		_, err = store.Migrate(ctx, url)
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), "hunter2", name)
	}
}

func TestNewChecksItsConfig(t *testing.T) {
	t.Parallel()
	_, err := store.New(context.Background(), store.Config{MaxConnections: -1})
	require.ErrorContains(t, err, "database.max_connections")
	_, err = store.New(context.Background(), store.Config{})
	require.ErrorContains(t, err, "database.url")
}

func TestPing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.Ping(b.ctx))
	b.Close()
	require.Error(t, b.Ping(b.ctx))
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	url := testenv.EmptyDatabase(t)
	s, err := store.New(ctx, store.Config{URL: url})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	require.EqualError(t, s.CheckSchema(ctx),
		"database schema is at version 0, this program needs 1: run `starter migrate`")

	var wg sync.WaitGroup
	var applied [5][]string
	var errs [5]error
	for i := range applied {
		wg.Go(func() { applied[i], errs[i] = store.Migrate(ctx, url) })
	}
	wg.Wait()

	var all []string
	for i := range applied {
		require.NoError(t, errs[i])
		all = append(all, applied[i]...)
	}
	require.Equal(t, []string{"00001_initial.sql"}, all, "each migration once")
	require.NoError(t, s.CheckSchema(ctx))
}

func TestCheckSchemaOfANewerDatabase(t *testing.T) {
	t.Parallel()
	b := setupAlterable(t)
	b.exec(t, `insert into attune.schema_version (version_id, is_applied) values (99999, true)`)
	require.ErrorContains(t, b.CheckSchema(b.ctx), "is at version 99999")
	require.ErrorContains(t, b.CheckSchema(b.ctx), "upgrade this program")
}
