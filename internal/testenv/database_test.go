package testenv_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/testenv"
)

func TestDatabase(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for range 2 { // the second round may get what the first has used
		t.Run("round", func(t *testing.T) {
			first, second := testenv.Database(t), testenv.Database(t)
			require.NotEqual(t, first, second, "each test has its own")
			conn, err := pgx.Connect(ctx, first)
			require.NoError(t, err)
			defer conn.Close(ctx)
			var archives, packs int
			err = conn.QueryRow(ctx, `
				select (select count(*) from attune.pack_archive), (select count(*) from attune.pack)`).Scan(&archives, &packs)
			require.NoError(t, err)
			require.Zero(t, archives+packs)

			var id int64
			err = conn.QueryRow(ctx, `
				with archive as (
					insert into attune.pack_archive (digest, content) values (repeat('a', 64), '') returning digest
				)
				insert into attune.pack (ref, label, digest) select 'x', 'X', digest from archive returning id`).Scan(&id)
			require.NoError(t, err)
			require.EqualValues(t, 1, id, "IDs start again")
		})
	}
}

func TestEmptyDatabase(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, testenv.EmptyDatabase(t))
	require.NoError(t, err)
	defer conn.Close(ctx)
	var found bool
	err = conn.QueryRow(ctx, `select exists (select from pg_namespace where nspname = 'attune')`).Scan(&found)
	require.NoError(t, err)
	require.False(t, found)
}
