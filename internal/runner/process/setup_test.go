package process_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest"

	"github.com/attune-automation/sensors/internal/runner"
	"github.com/attune-automation/sensors/internal/runner/jail"
	"github.com/attune-automation/sensors/internal/runner/process"
	"github.com/attune-automation/sensors/internal/sensor"
)

// TestMain makes this test's processes wardens, too.
func TestMain(m *testing.M) {
	if jail.RunWarden(os.Args) {
		return
	}
	os.Exit(m.Run())
}

// archives is a store of pack archives.
type archives struct {
	mu    sync.Mutex
	byKey map[string][]byte
	reads int
	gate  chan struct{} // nil: open
}

func (a *archives) PackArchive(ctx context.Context, digest string) ([]byte, error) {
	if a.gate != nil {
		select {
		case <-a.gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
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

// bundle is a runner with packs that exist in memory.
type bundle struct {
	*process.Runner
	archives *archives
	cache    string
}

func setup(t testing.TB, change ...func(*process.Config)) *bundle {
	t.Helper()
	b := &bundle{archives: &archives{byKey: map[string][]byte{}}, cache: t.TempDir()}
	cfg := process.Config{Archives: b.archives, CacheDir: b.cache, Python: realPython(), WarmProcesses: 10, Warden: true}
	if _, bench := t.(*testing.B); !bench {
		cfg.Logger = zaptest.NewLogger(t)
	}
	for _, c := range change {
		c(&cfg)
	}
	var err error
	b.Runner, err = process.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

// realPython returns the interpreter behind python3: a version manager's takes longer than a poll.
func realPython() string {
	out, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		return "python3"
	}
	return strings.TrimSpace(string(out))
}

var runtimeOf = map[string]string{
	".py": sensor.RuntimePython, ".mjs": sensor.RuntimeNode, ".js": sensor.RuntimeNode, ".cjs": sensor.RuntimeNode, ".sh": sensor.RuntimeExec,
}

// code returns a request to poll a sensor whose pack is this one file.
func (b *bundle) code(t testing.TB, name, content string) runner.Request {
	t.Helper()
	return b.pack(t, name, map[string]string{name: content})
}

// pack returns a request to poll a sensor of a pack with these files.
func (b *bundle) pack(t testing.TB, entrypoint string, files map[string]string) runner.Request {
	t.Helper()
	var headers []tar.Header
	var contents []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		headers = append(headers, tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o755})
		contents = append(contents, files[name])
	}
	return runner.Request{
		Sensor: sensor.Sensor{
			Ref: "test.sensor", TriggerRef: "test.trigger", Runtime: runtimeOf[filepath.Ext(entrypoint)], Entrypoint: entrypoint,
			PackDigest: b.archives.put(archive(t, headers, contents)),
		},
		Timeout: 2 * time.Minute,
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

// result is what a poll brought and how it ended.
type result struct {
	sensor.Poll
	Parts    []sensor.Part
	Items    []sensor.Item // of all parts
	Payloads [][]byte
	Cursor   json.RawMessage // of the last part that has one
}

// run polls and takes what it brings.
func (b *bundle) run(ctx context.Context, req runner.Request) (result, error) {
	var r result
	req.Take = func(_ context.Context, part sensor.Part) error {
		r.Parts = append(r.Parts, part)
		r.Items = append(r.Items, part.Items...)
		for _, item := range part.Items {
			r.Payloads = append(r.Payloads, item.Payload)
		}
		if part.Cursor != nil {
			r.Cursor = part.Cursor
		}
		return nil
	}
	var err error
	r.Poll, err = b.Poll(ctx, req)
	return r, err
}

// poll polls and expects it to go well.
func (b *bundle) poll(t testing.TB, req runner.Request) result {
	t.Helper()
	r, err := b.run(t.Context(), req)
	require.NoError(t, err)
	return r
}

// fault polls and expects the sensor to fail.
func (b *bundle) fault(t testing.TB, req runner.Request) *sensor.Fault {
	t.Helper()
	fault, r := b.failed(t, req)
	require.Empty(t, r.Parts, "a failed poll without a checkpoint keeps nothing")
	return fault
}

// failed polls, expects the sensor to fail, and returns also what is kept.
func (b *bundle) failed(t testing.TB, req runner.Request) (*sensor.Fault, result) {
	t.Helper()
	r, err := b.run(t.Context(), req)
	var fault *sensor.Fault
	require.ErrorAs(t, err, &fault)
	return fault, r
}

// payloads returns the payloads as one line each.
func payloads(poll result) string { return string(bytes.Join(poll.Payloads, []byte("\n"))) }

func config(t testing.TB, req runner.Request, v any) runner.Request {
	t.Helper()
	content, err := json.Marshal(v)
	require.NoError(t, err)
	req.Sensor.Config = content
	return req
}

// writeExecutable writes a file that a test is to run, see writeReadOnly.
func writeExecutable(t testing.TB, path, content string) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	require.NoError(t, os.WriteFile(path, []byte(content), 0o755))
}

func writeFile(t testing.TB, path, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
}

// removeAll removes a folder whose files nobody may write to.
func removeAll(t testing.TB, dir string) {
	t.Helper()
	require.NoError(t, os.RemoveAll(dir))
}
