package cli_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/cli"
)

// watched is a command that goes on until it is stopped.
type watched struct {
	*bench
	stdout, stderr syncBuffer
	stop           context.CancelFunc
	code           chan int
}

func (b *bench) start(args ...string) *watched {
	ctx, stop := context.WithCancel(b.ctx)
	w := &watched{bench: b, stop: stop, code: make(chan int, 1)}
	go func() {
		w.code <- cli.Main(ctx, args, cli.Env{Stdin: strings.NewReader(""), Stdout: &w.stdout, Stderr: &w.stderr, Environ: b.env})
	}()
	b.t.Cleanup(stop)
	return w
}

// says waits until the output has the text.
func (w *watched) says(text string) {
	w.t.Helper()
	require.Eventually(w.t, func() bool { return strings.Contains(w.stdout.String(), text) }, patience, tick,
		"%q is missing", text)
}

func (w *watched) complains(text string) {
	w.t.Helper()
	require.Eventually(w.t, func() bool { return strings.Contains(w.stderr.String(), text) }, patience, tick,
		"%q is missing", text)
}

func TestApplyWatch(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase()
	dir := folder(t, "shop")
	definition := filepath.Join(dir, "sensors/orders.yaml")
	good, err := os.ReadFile(definition)
	require.NoError(t, err)
	save := func(text string) { require.NoError(t, os.WriteFile(definition, []byte(text), 0o600)) }

	w := b.start("apply", "--watch", dir)
	w.says("pack shop is applied: 8 changes\nwatching " + dir)
	save(strings.Replace(string(good), "http://shop", "http://elsewhere", 1))
	w.says(`config: {"url":"http://shop"} -> {"url":"http://elsewhere"}`)

	save("ref: shop.orders\n")
	w.says("sensors/orders.yaml:1: entrypoint: missing")
	w.complains("problems")
	def, err := b.store.Sensor(b.ctx, "shop.orders")
	require.NoError(t, err)
	require.JSONEq(t, `{"url": "http://elsewhere"}`, string(def.Config), "what was applied stays")

	save(string(good))
	w.says(`config: {"url":"http://elsewhere"} -> {"url":"http://shop"}`)

	require.NoError(t, os.WriteFile(filepath.Join(dir, "code/new.py"), nil, 0o600))
	w.says("update pack shop")

	require.NoError(t, os.Remove(definition))
	w.says("keep sensor shop.orders, which the folder no longer has: --prune deletes it\npack shop is up to date")
	_, err = b.store.Sensor(b.ctx, "shop.orders")
	require.NoError(t, err)
	w.stop()
	require.Zero(t, <-w.code, w.stderr.String())
}

func TestApplyWatchOutlastsItsServers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.set("ATTUNE__DATABASE__URL", "postgres://attune@"+nowhere+"/attune")
	dir := filepath.Join(t.TempDir(), "nowhere")
	w := b.start("apply", "--watch", dir)
	w.complains("the database at " + nowhere + " cannot be used")
	w.says("watching " + dir)
	w.stop()
	require.Zero(t, <-w.code)
}
