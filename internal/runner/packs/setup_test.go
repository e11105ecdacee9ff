package packs_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest"

	"github.com/attune-automation/sensors/internal/runner/packs"
	"github.com/attune-automation/sensors/internal/sensor"
)

// archives is a store of pack archives.
type archives struct {
	mu    sync.Mutex
	byKey map[string][]byte
	reads int
}

func (a *archives) PackArchive(_ context.Context, digest string) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reads++
	if content, ok := a.byKey[digest]; ok {
		return content, nil
	}
	return nil, errors.New("no such archive")
}

func (a *archives) put(content []byte) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	sum := sha256.Sum256(content)
	digest := hex.EncodeToString(sum[:])
	a.byKey[digest] = content
	return digest
}

// bundle is a cache of packs that exist in memory.
type bundle struct {
	*packs.Cache
	archives *archives
	dir      string
	ahead    *atomic.Int64 // of the real time, in ns
}

func setup(t testing.TB, change ...func(*packs.Config)) *bundle {
	t.Helper()
	b := &bundle{archives: &archives{byKey: map[string][]byte{}}, ahead: &atomic.Int64{}}
	cfg := packs.Config{Archives: b.archives, Logger: zaptest.NewLogger(t), Now: func() time.Time { return time.Now().Add(time.Duration(b.ahead.Load())) }}
	for _, c := range change {
		c(&cfg)
	}
	cfg.CacheDir = cmp.Or(cfg.CacheDir, t.TempDir())
	b.dir, b.archives = cfg.CacheDir, cfg.Archives.(*archives)
	var err error
	b.Cache, err = packs.New(cfg)
	require.NoError(t, err)
	t.Cleanup(b.Close)
	return b
}

// sharing makes a cache use the folder and the packs of another one.
func sharing(b *bundle) func(*packs.Config) {
	return func(c *packs.Config) { c.CacheDir, c.Archives = b.dir, b.archives }
}

func (b *bundle) advance(d time.Duration) { b.ahead.Add(int64(d)) }

var runtimeOf = map[string]string{
	".py": sensor.RuntimePython, ".mjs": sensor.RuntimeNode, ".cjs": sensor.RuntimeNode, ".sh": sensor.RuntimeExec,
}

// pack returns a sensor of a pack with these files; all are executable.
func (b *bundle) pack(t testing.TB, entrypoint string, files map[string]string) sensor.Sensor {
	t.Helper()
	var headers []tar.Header
	var contents []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		headers = append(headers, tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o755})
		contents = append(contents, files[name])
	}
	return sensor.Sensor{
		Ref: "demo.sensor", PackRef: "demo", Runtime: runtimeOf[filepath.Ext(entrypoint)], Entrypoint: entrypoint,
		PackDigest: b.archives.put(archive(t, headers, contents)),
	}
}

func archive(t testing.TB, headers []tar.Header, contents []string) []byte {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	w := tar.NewWriter(zipped)
	for i, h := range headers {
		h.Size = int64(len(contents[i]))
		require.NoError(t, w.WriteHeader(&h))
		_, err := w.Write([]byte(contents[i]))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	require.NoError(t, zipped.Close())
	return out.Bytes()
}

// settled prepares until no install is going on.
func (b *bundle) settled(t testing.TB, s sensor.Sensor) (packs.Prepared, error) {
	t.Helper()
	var p packs.Prepared
	var err error
	require.Eventually(t, func() bool {
		p, err = b.Prepare(t.Context(), s)
		return err == nil || !strings.HasPrefix(err.Error(), "installing the dependencies of pack demo")
	}, 2*time.Minute, 10*time.Millisecond)
	return p, err
}

// ready prepares until all is there.
func (b *bundle) ready(t testing.TB, s sensor.Sensor) packs.Prepared {
	t.Helper()
	p, err := b.settled(t, s)
	require.NoError(t, err)
	return p
}

// failed prepares until the install has failed.
func (b *bundle) failed(t testing.TB, s sensor.Sensor) *sensor.NotReady {
	t.Helper()
	_, err := b.settled(t, s)
	var notReady *sensor.NotReady
	require.ErrorAs(t, err, &notReady)
	return notReady
}

// fault expects that the sensor is at fault.
func (b *bundle) fault(t testing.TB, s sensor.Sensor) string {
	t.Helper()
	_, err := b.Prepare(t.Context(), s)
	var fault *sensor.Fault
	require.ErrorAs(t, err, &fault)
	require.Equal(t, sensor.FaultStart, fault.Kind)
	return fault.Message
}

// run runs what was prepared and returns what it prints.
func run(t testing.TB, p packs.Prepared, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), p.Program)
	if p.Interpreter != "" {
		cmd = exec.CommandContext(t.Context(), p.Interpreter, append(args, p.Program)...)
	}
	cmd.Dir, cmd.Env = p.Dir, []string{"PATH=/usr/bin:/bin"}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return strings.TrimSpace(string(out))
}

// wheel returns a Python package that is ready to be installed: one module with one line.
func wheel(t testing.TB, name, version, code string) string {
	t.Helper()
	info := name + "-" + version + ".dist-info/"
	files := [][2]string{
		{name + ".py", code},
		{info + "METADATA", "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n"},
		{info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
		{info + "RECORD", name + ".py,,\n" + info + "METADATA,,\n" + info + "WHEEL,,\n" + info + "RECORD,,\n"},
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, file := range files {
		f, err := w.Create(file[0])
		require.NoError(t, err)
		_, err = f.Write([]byte(file[1]))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return out.String()
}

// writeExecutable writes a file that a test is to run, with no fork meanwhile that would inherit the open file.
func writeExecutable(t testing.TB, path, content string) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	require.NoError(t, os.WriteFile(path, []byte(content), 0o755))
}

func names(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func replace(text, old, new string) string { return strings.ReplaceAll(text, old, new) }
