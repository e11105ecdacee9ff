package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/internal/testenv"
)

func TestValidateNeedsNoServerAndNoSettings(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.env = nil
	require.Equal(t, "pack shop is sound: 2 triggers, 3 sensors, 2 rules\n", b.ok("validate", folder(t, "shop")))
}

func TestValidateLetsPacksUseEachOther(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	shop, alerts := folder(t, "shop"), folder(t, "alerts")
	require.Contains(t, b.ok("validate", alerts, shop), "pack alerts is sound: 0 triggers, 0 sensors, 1 rule\n")

	r := b.run("validate", alerts)
	require.Equal(t, 1, r.code)
	require.Contains(t, r.stdout, `unknown trigger "shop.order"`)
}

func TestValidateReportsEveryProblem(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	broken := folder(t, "broken")
	r := b.run("validate", broken, folder(t, "shop"))
	require.Equal(t, 1, r.code)
	require.Contains(t, r.stdout, filepath.Join(broken, "rules/one.yaml")+`:2: trigger: unknown trigger "broken.nothing"`)
	require.Contains(t, r.stdout, `rules/one.yaml:4: conditions[0].operator: payload.a: unknown operator "equal"`)
	require.Equal(t, "starter: 2 problems\n", r.stderr)

	r = b.run("validate", broken, "-o", "json")
	require.Equal(t, 1, r.code)
	require.Empty(t, r.stderr)
	var report struct {
		Problems []struct{ Dir, File, Field string }
	}
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &report))
	require.Len(t, report.Problems, 2)
	require.Equal(t, "rules/one.yaml", report.Problems[0].File)
	require.Equal(t, broken, report.Problems[0].Dir)

	r = b.run("validate", "no-such-folder")
	require.Equal(t, 1, r.code)
	require.Contains(t, r.stdout, "no-such-folder")
}

func TestApply(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase()
	shop := folder(t, "shop")

	require.Contains(t, b.ok("apply", shop, "--dry-run"), "pack shop would have 8 changes")
	require.Empty(t, decode[[]any](t, b.ok("triggers", "-o", "json")), "a dry run stores nothing")

	require.Contains(t, b.ok("apply", shop, "--set", "shop.orders.url=http://test"), "create sensor shop.orders\n")
	require.Contains(t, b.ok("apply", shop, "--set", "shop.orders.url=http://test"), "pack shop is up to date\n")
	require.Contains(t, b.ok("apply", shop), `    config: {"url":"http://test"} -> {"url":"http://shop"}`)

	require.NoError(t, os.Remove(filepath.Join(shop, "rules/big.yaml")))
	require.Contains(t, b.ok("apply", shop), "keep rule shop.big, which the folder no longer has: --prune deletes it\n")
	require.Contains(t, b.ok("apply", shop, "--prune"), "delete rule shop.big\n")
}

func TestApplySucceedsWithoutTemporal(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase()
	r := b.run("apply", folder(t, "shop"), "-o", "json")
	require.Zero(t, r.code, r.stderr)
	require.Contains(t, r.stderr, "the manager looks, within 1m0s: Temporal at 127.0.0.1:1 cannot be used")
	report := decode[struct {
		Packs []struct {
			Ref     string
			DryRun  bool `json:"dry_run"`
			Changes []struct{ Kind, Ref, Action string }
		}
	}](t, r.stdout)
	require.Equal(t, "shop", report.Packs[0].Ref)
	require.Len(t, report.Packs[0].Changes, 8)
}

func TestApplyStoresNothingIfAnyPackIsBroken(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase()
	require.Equal(t, "starter: 2 problems\n", b.fails(1, "apply", folder(t, "shop"), folder(t, "broken")))
	require.Empty(t, decode[[]any](t, b.ok("triggers", "-o", "json")))
}

// A webhook cannot take the requests of another pack's, whichever of them is changed.
func TestApplyRefusesWebhooksInTheSamePlace(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase()
	b.ok("migrate")
	first, second := folder(t, "hooks"), folder(t, "hooks")
	b.edit(second, "pack.yaml", "ref: hooks", "ref: others")
	b.edit(second, "sensors/orders.yaml", "ref: hooks.orders", "ref: others.orders")
	b.ok("apply", first)
	require.Contains(t, b.fails(2, "apply", second), `sensor others.orders: its path "orders/{id}" conflicts with "orders/{id}" of sensor hooks.orders, which was there first`)
	require.Contains(t, b.fails(2, "apply", "--dry-run", second), "conflicts with")

	b.edit(second, "sensors/orders.yaml", "{id}", "{id}/lines")
	b.ok("apply", second)
	b.edit(first, "sensors/orders.yaml", "{id}", "{id}/{part}")
	b.ok("apply", first)
	b.edit(first, "sensors/orders.yaml", "{part}", "lines")
	require.Contains(t, b.fails(2, "apply", first), "sensor others.orders: its path")
	b.edit(first, "sensors/orders.yaml", "orders/{id}/lines", "free")
	b.ok("apply", first)
}

func TestApplySetsValuesOfSeveralPacks(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase()
	shop, alerts := folder(t, "shop"), folder(t, "alerts")
	require.Contains(t, b.fails(2, "apply", shop, alerts, "--set", "other.orders.url=x"), "is for none of the packs shop, alerts")
	require.Contains(t, b.ok("apply", alerts, shop, "--set", "shop.orders.url=http://test"), "pack alerts is applied")
	orders, err := b.store.Sensor(b.ctx, "shop.orders")
	require.NoError(t, err)
	require.JSONEq(t, `{"url": "http://test"}`, string(orders.Config))

	r := b.run("apply", shop, "--set", "shop.order.url=x")
	require.Equal(t, 1, r.code)
	require.Contains(t, r.stdout, "--set: shop.order.url=x: names no sensor of this pack")
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	url := testenv.EmptyDatabase(t)
	b.set("ATTUNE__DATABASE__URL", url)

	require.Contains(t, b.fails(1, "migrate", "--status"), "run `starter migrate`")
	require.Contains(t, b.fails(2, "events"), "run `starter migrate`")
	out := b.ok("migrate")
	require.Contains(t, out, "applied 00001_initial.sql\n")
	require.Contains(t, out, "create trigger core.sensor_failed\n")
	require.Equal(t, "the schema is up to date\n", b.ok("migrate", "--status"))
	require.Contains(t, b.ok("migrate"), "pack core is up to date\n")
	require.Contains(t, b.ok("triggers"), "core.sensor_failed")

	db, err := store.New(b.ctx, store.Config{URL: url})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	_, err = db.Trigger(b.ctx, "core.sensor_failed")
	require.NoError(t, err)
}

// decode reads the JSON that a command wrote.
func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	require.NoError(t, json.Unmarshal([]byte(text), &v), text)
	return v
}
