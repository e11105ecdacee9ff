package cli_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/cli"
	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/internal/testenv"
)

var update = flag.Bool("update", false, "rewrite the files that are generated")

// noOptions apply a pack, and delete nothing.
var noOptions store.ApplyOptions

// nowhere is an address where nothing listens.
const nowhere = "127.0.0.1:1"

// bench is the environment in which a test runs commands.
type bench struct {
	t     *testing.T
	ctx   context.Context
	env   []string
	store *store.Store // nil without a database
}

// result is what came of a command.
type result struct {
	code           int
	stdout, stderr string
}

// newBench returns an environment without servers.
func newBench(t *testing.T) *bench {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return &bench{t: t, ctx: ctx, env: []string{"TEMPORAL_ADDRESS=" + nowhere}}
}

// withDatabase gives the environment a database of its own.
func (b *bench) withDatabase() *bench {
	b.t.Helper()
	url := testenv.Database(b.t)
	b.set("ATTUNE__DATABASE__URL", url)
	var err error
	b.store, err = store.New(b.ctx, store.Config{URL: url})
	require.NoError(b.t, err)
	b.t.Cleanup(b.store.Close)
	return b
}

// withTemporal gives the environment a Temporal namespace of its own, without a worker.
func (b *bench) withTemporal() *bench {
	b.t.Helper()
	b.set("TEMPORAL_ADDRESS", testenv.TemporalAddress(b.t))
	b.set("TEMPORAL_NAMESPACE", testenv.Namespace(b.t))
	return b
}

func (b *bench) set(name, value string) { b.env = append(b.env, name+"="+value) }

func (b *bench) run(args ...string) result {
	b.t.Helper()
	return b.runWith(strings.NewReader(""), args...)
}

func (b *bench) runWith(stdin io.Reader, args ...string) result {
	b.t.Helper()
	var stdout, stderr bytes.Buffer
	code := cli.Main(b.ctx, args, cli.Env{Stdin: stdin, Stdout: &stdout, Stderr: &stderr, Environ: b.env})
	return result{code, stdout.String(), stderr.String()}
}

// ok runs a command that must succeed, and returns its output.
func (b *bench) ok(args ...string) string {
	b.t.Helper()
	r := b.run(args...)
	require.Zero(b.t, r.code, "%v: %s%s", args, r.stdout, r.stderr)
	return r.stdout
}

// fails runs a command that must end with the code, and returns what it says about it.
func (b *bench) fails(code int, args ...string) string {
	b.t.Helper()
	r := b.run(args...)
	require.Equal(b.t, code, r.code, "%v: %s%s", args, r.stdout, r.stderr)
	return r.stderr
}

// folder unpacks a txtar archive of testdata into a folder of the test and returns that.
func folder(t *testing.T, archive string) string {
	t.Helper()
	a, err := txtar.ParseFile(filepath.Join("testdata", archive+".txtar"))
	require.NoError(t, err)
	dir := t.TempDir()
	for _, f := range a.Files {
		name := filepath.Join(dir, filepath.FromSlash(f.Name))
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, f.Data, 0o755))
	}
	return dir
}

// digest is the SHA-256 of an archive, in hex.
func digest(archive string) string {
	sum := sha256.Sum256([]byte(archive))
	return hex.EncodeToString(sum[:])
}
