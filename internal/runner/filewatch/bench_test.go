package filewatch

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/attune-automation/sensors/internal/runner"
	"github.com/attune-automation/sensors/internal/sensor"
)

// plenty is as many files as one sensor should be able to watch without anybody noticing.
const plenty = 100_000

// BenchmarkWatch polls a sensor that watches 100,000 files of which none changes: the time of a scan, the memory that the
// sensor takes between polls, and the time of a poll that finds nothing in memory.
func BenchmarkWatch(b *testing.B) {
	root := b.TempDir()
	for i := range plenty {
		if i%100 == 0 {
			require.NoError(b, os.MkdirAll(filepath.Join(root, "incoming", fmt.Sprintf("customer-%04d", i/100)), 0o755))
		}
		path := filepath.Join(root, "incoming", fmt.Sprintf("customer-%04d", i/100), fmt.Sprintf("order-%08d.csv", i))
		require.NoError(b, os.WriteFile(path, nil, 0o600))
	}
	s := newMemory(b, fmt.Sprintf(`{"mode": "watch", "paths": [%q]}`, root+"/**/*.csv"))
	s.poll()
	require.Len(b, s.entries, plenty)
	with := heap()
	s.runner = New(RunnerConfig{})
	memory := with - heap()
	s.poll()
	b.Run("scan", func(b *testing.B) {
		began := processorTime(b)
		n := 0
		for b.Loop() {
			s.poll()
			n++
		}
		b.ReportMetric((processorTime(b)-began).Seconds()*1000/float64(n), "CPU-ms/scan")
		b.ReportMetric(float64(memory)/(1<<20), "MiB-kept")
	})
	b.Run("load", func(b *testing.B) {
		for b.Loop() {
			s.runner = New(RunnerConfig{})
			s.poll()
		}
	})
}

// BenchmarkTail reads lines on one core of which every one matches a pattern with a named group.
func BenchmarkTail(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const lines = 10_000 // as many as a poll brings
	var text strings.Builder
	for i := range lines {
		fmt.Fprintf(&text, "2026-01-31T09:30:00Z ERROR request %d of /api/orders failed: upstream timed out (110: Connection timed out)\n", i)
	}
	for name, patterns := range map[string]string{
		"every":   `[{"name": "error", "regex": "^(?P<time>\\S+) (?P<level>ERROR|FATAL) (?P<message>.*)"}]`,
		"nothing": `["^\\S+ WARNING", "panic"]`,
	} {
		b.Run(name, func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "app.log")
			s := newMemory(b, fmt.Sprintf(`{"mode": "tail", "paths": [%q], "start": "beginning", "patterns": %s}`, path, patterns))
			require.NoError(b, os.WriteFile(path, []byte(text.String()), 0o600))
			began := processorTime(b)
			n := 0
			for b.Loop() {
				s.cursor = nil
				s.poll()
				n += lines
			}
			b.ReportMetric(float64(n)/(processorTime(b)-began).Seconds(), "lines/CPU-s")
		})
	}
}

// memory keeps what a sensor brings.
type memory struct {
	b       *testing.B
	runner  *Runner
	config  string
	seq     int64
	cursor  json.RawMessage
	entries map[string]json.RawMessage
}

func newMemory(b *testing.B, config string) *memory {
	return &memory{b: b, config: config, runner: New(RunnerConfig{}), entries: map[string]json.RawMessage{}}
}

func (m *memory) poll() {
	_, err := m.runner.Poll(m.b.Context(), runner.Request{
		Sensor: sensor.Sensor{Ref: "b.files", Config: json.RawMessage(m.config)},
		Cursor: m.cursor, Timeout: time.Hour,
		Seq: func() int64 { return m.seq },
		Entries: func(context.Context) (entries []sensor.Entry, err error) {
			for key, value := range m.entries {
				entries = append(entries, sensor.Entry{Key: key, Value: value})
			}
			return entries, nil
		},
		Take: func(_ context.Context, part sensor.Part) error {
			m.seq++
			if part.Cursor != nil {
				m.cursor = part.Cursor
			}
			for _, e := range part.Entries {
				m.entries[strings.Clone(e.Key)] = append(json.RawMessage(nil), e.Value...)
			}
			return nil
		},
	})
	require.NoError(m.b, err)
}

// processorTime is what this process has used of processors.
func processorTime(b *testing.B) time.Duration {
	var usage unix.Rusage
	require.NoError(b, unix.Getrusage(unix.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func heap() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
