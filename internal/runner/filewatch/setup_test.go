package filewatch

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/runner"
	"github.com/attune-automation/sensors/internal/sensor"
)

// bench polls one sensor, keeps what it brings as the database does, and has time pass.
type bench struct {
	t       *testing.T
	root    string
	config  map[string]any
	runner  *Runner
	clock   time.Time
	seq     int64
	cursor  json.RawMessage
	entries map[string]json.RawMessage
	items   []sensor.Item
	parts   int
	loads   int
	crashAt int // the part at which the worker dies, from 1; 0: never
}

var errCrash = errors.New("the worker died")

func newBench(t *testing.T, config map[string]any) *bench {
	t.Helper()
	b := &bench{t: t, root: t.TempDir(), config: config, clock: time.Now(), entries: map[string]json.RawMessage{}}
	b.restart()
	return b
}

// restart is a worker that knows nothing but what is stored.
func (b *bench) restart() {
	b.runner = New(RunnerConfig{Now: func() time.Time { return b.clock }})
}

func (b *bench) path(name string) string { return filepath.Join(b.root, name) }

func (b *bench) write(name, text string) {
	b.t.Helper()
	require.NoError(b.t, os.MkdirAll(filepath.Dir(b.path(name)), 0o755))
	require.NoError(b.t, os.WriteFile(b.path(name), []byte(text), 0o600))
}

func (b *bench) append(name, text string) {
	b.t.Helper()
	f, err := os.OpenFile(b.path(name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(b.t, err)
	_, err = f.WriteString(text)
	require.NoError(b.t, err)
	require.NoError(b.t, f.Close())
}

func (b *bench) rename(from, to string) {
	b.t.Helper()
	require.NoError(b.t, os.MkdirAll(filepath.Dir(b.path(to)), 0o755))
	require.NoError(b.t, os.Rename(b.path(from), b.path(to)))
}

func (b *bench) remove(name string) {
	b.t.Helper()
	require.NoError(b.t, os.RemoveAll(b.path(name)))
}

// request is a poll of the sensor as it is. In the config, ROOT is the folder of the test.
func (b *bench) request() runner.Request {
	raw, err := json.Marshal(b.config)
	require.NoError(b.t, err)
	return runner.Request{
		Sensor: sensor.Sensor{
			Ref: "t.files", Runtime: sensor.RuntimeFileWatch, PollInterval: time.Hour,
			Config: json.RawMessage(strings.ReplaceAll(string(raw), "ROOT", b.root)),
		},
		Cursor:  b.cursor,
		Timeout: time.Minute,
		Seq:     func() int64 { return b.seq },
		Entries: func(context.Context) (entries []sensor.Entry, err error) {
			b.loads++
			for key, value := range b.entries {
				entries = append(entries, sensor.Entry{Key: key, Value: value})
			}
			return entries, nil
		},
		Take: b.take,
	}
}

func (b *bench) take(_ context.Context, part sensor.Part) error {
	b.parts++
	if b.parts == b.crashAt {
		return errCrash
	}
	b.seq++
	b.items = append(b.items, part.Items...)
	if part.Cursor != nil {
		b.cursor = part.Cursor
	}
	if part.ResetEntries {
		clear(b.entries)
	}
	seen := map[string]bool{}
	for _, e := range part.Entries {
		require.False(b.t, seen[e.Key], "%s is there twice", e.Key)
		seen[e.Key] = true
		if e.Value == nil {
			delete(b.entries, e.Key)
			continue
		}
		require.True(b.t, json.Valid(e.Value))
		b.entries[e.Key] = append(json.RawMessage(nil), e.Value...)
	}
	return nil
}

// try polls once.
func (b *bench) try() (sensor.Poll, error) { return b.runner.Poll(b.t.Context(), b.request()) }

// poll polls once and returns what that brought.
func (b *bench) poll() (sensor.Poll, []string) {
	b.t.Helper()
	before := len(b.items)
	res, err := b.try()
	require.NoError(b.t, err)
	return res, b.told(before)
}

// settled polls until all that is there is quiet, and returns what that brought.
func (b *bench) settled() []string {
	b.t.Helper()
	before := len(b.items)
	for range 2 {
		for more := true; more; {
			res, err := b.try()
			require.NoError(b.t, err)
			more = res.More
		}
		b.clock = b.clock.Add(10 * time.Second)
	}
	return b.told(before)
}

// told shows items, with paths below the folder of the test.
func (b *bench) told(from int) []string {
	b.t.Helper()
	var texts []string
	for _, item := range b.items[from:] {
		var p struct {
			Change, Path, From, Line string
			MovedTo                  string `json:"moved_to"`
		}
		require.NoError(b.t, json.Unmarshal(item.Payload, &p))
		below := func(path string) string { return strings.TrimPrefix(path, b.root+"/") }
		text := below(p.Path)
		switch {
		case p.Change == "":
			text = p.Line
		case p.From != "":
			text = p.Change + " " + below(p.From) + " " + text
		default:
			text = p.Change + " " + text
		}
		texts = append(texts, text)
	}
	return texts
}
