package process_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/runner"
	"github.com/attune-automation/sensors/internal/runner/jail"
	"github.com/attune-automation/sensors/internal/runner/process"
)

// idle is code of polls that find nothing: all that they take is the runtime's.
var idle = map[string]string{
	"exec.sh":    "#!/bin/sh\n",
	"python.py":  "def poll(ctx):\n    return []\n",
	"nodejs.mjs": "export function poll() {}\n",
}

// BenchmarkColdPoll is a poll that finds nothing, in a process of its own.
func BenchmarkColdPoll(b *testing.B) {
	for file, code := range idle {
		name, _, _ := strings.Cut(file, ".")
		b.Run(name, func(b *testing.B) {
			bundle := setup(b, func(c *process.Config) { c.WarmProcesses = 0 })
			req := bundle.code(b, file, code)
			bundle.poll(b, req) // unpacks
			for b.Loop() {
				bundle.poll(b, req)
			}
		})
	}
}

// BenchmarkWarmPoll is the same in a process that is up, and compares it with some cold ones of the same run.
func BenchmarkWarmPoll(b *testing.B) {
	const colds = 15
	for _, file := range []string{"python.py", "nodejs.mjs"} {
		name, _, _ := strings.Cut(file, ".")
		b.Run(name, func(b *testing.B) {
			bundle := setup(b, func(c *process.Config) { c.WarmPolls = 1 << 30 })
			req := bundle.code(b, file, idle[file])
			no := false
			cold := req
			cold.Sensor.Warm = &no
			bundle.poll(b, cold) // unpacks
			var coldTimes, warmTimes []time.Duration
			for range colds {
				coldTimes = append(coldTimes, bundle.poll(b, cold).Usage.Wall)
			}
			bundle.poll(b, req)
			for b.Loop() {
				r := bundle.poll(b, req)
				require.True(b, r.Warm)
				warmTimes = append(warmTimes, r.Usage.Wall)
			}
			warm, reference := median(warmTimes), median(coldTimes)
			b.ReportMetric(warm.Seconds()*1e3, "warm-p50-ms")
			b.ReportMetric(reference.Seconds()*1e3, "cold-p50-ms")
			b.ReportMetric(float64(reference)/float64(warm), "times-faster")
		})
	}
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}

// BenchmarkWarmProcesses has as many Python sensors as -benchtime says (500x), each in a process that stays up, and then
// polls them in turn.
func BenchmarkWarmProcesses(b *testing.B) {
	for _, sandbox := range []jail.Mode{jail.ModeBwrap, jail.ModeNone} {
		b.Run(string(sandbox), func(b *testing.B) { benchmarkWarmProcesses(b, sandbox) })
	}
}

func benchmarkWarmProcesses(b *testing.B, sandbox jail.Mode) {
	bundle := setup(b, func(c *process.Config) { c.WarmProcesses, c.Sandbox = b.N, sandbox })
	sensors := make([]runner.Request, b.N)
	for i := range sensors {
		sensors[i] = bundle.code(b, "s.py", idle["python.py"])
		sensors[i].Sensor.Ref = fmt.Sprintf("test.sensor_%d", i)
	}
	bundle.poll(b, sensors[0]) // unpacks
	b.ResetTimer()
	var starts sync.WaitGroup
	turns := make(chan struct{}, 4)
	for _, req := range sensors {
		turns <- struct{}{}
		starts.Go(func() {
			bundle.poll(b, req)
			<-turns
		})
	}
	starts.Wait()
	b.StopTimer()
	require.Equal(b, b.N, bundle.Warm())
	bytes := residentBytes(b, bundle.cache)
	times := make([]time.Duration, b.N)
	for i, req := range sensors {
		r := bundle.poll(b, req)
		require.True(b, r.Warm)
		times[i] = r.Usage.Wall
	}
	b.ReportMetric(float64(bytes)/float64(b.N)/(1<<20), "MiB/process")
	b.ReportMetric(float64(bytes)/(1<<30), "GiB")
	b.ReportMetric(median(times).Seconds()*1e3, "warm-p50-ms")
}

// residentBytes returns what all processes of a bundle have in memory, the sandboxes' own included, shared pages once.
func residentBytes(b *testing.B, cache string) int64 {
	b.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(b, err)
	var sum int64
	for _, dir := range processes {
		cmdline, _ := os.ReadFile(dir + "/cmdline")
		if !strings.Contains(string(cmdline), cache) {
			continue
		}
		memory, _ := os.ReadFile(dir + "/smaps_rollup")
		_, pss, _ := strings.Cut(string(memory), "\nPss:")
		pss, _, _ = strings.Cut(strings.TrimSpace(pss), " ")
		kb, err := strconv.ParseInt(pss, 10, 64)
		require.NoError(b, err, dir)
		sum += kb << 10
	}
	return sum
}

// BenchmarkEvents is a poll that brings events of 0.5 KB.
func BenchmarkEvents(b *testing.B) {
	text := strings.Repeat("x", 480)
	for _, count := range []int{1_000, 10_000} {
		n := strconv.Itoa(count)
		for file, files := range map[string]map[string]string{
			"exec.sh":    {"exec.sh": "#!/bin/sh\nexec cat events\n", "events": strings.Repeat(`{"n": 1, "text": "`+text+"\"}\n", count)},
			"python.py":  {"python.py": "def poll(ctx):\n    for n in range(" + n + "):\n        yield {'n': n, 'text': '" + text + "'}\n"},
			"nodejs.mjs": {"nodejs.mjs": "export function* poll() { for (let n = 0; n < " + n + "; n++) yield { n, text: '" + text + "' }; }\n"},
		} {
			name, _, _ := strings.Cut(file, ".")
			b.Run(name+"/"+n, func(b *testing.B) {
				bundle := setup(b)
				req := bundle.pack(b, file, files)
				require.Len(b, bundle.poll(b, req).Payloads, count)
				for b.Loop() {
					bundle.poll(b, req)
				}
				b.ReportMetric(float64(count)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}
