package process_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkIdlePoll is a poll that finds nothing: all of it is the runtime's start and end.
func BenchmarkIdlePoll(b *testing.B) {
	for file, code := range map[string]string{
		"exec.sh":    "#!/bin/sh\n",
		"python.py":  "def poll(ctx):\n    return []\n",
		"nodejs.mjs": "export function poll() {}\n",
	} {
		name, _, _ := strings.Cut(file, ".")
		b.Run(name, func(b *testing.B) {
			bundle := setup(b)
			req := bundle.code(b, file, code)
			bundle.poll(b, req) // unpacks
			for b.Loop() {
				bundle.poll(b, req)
			}
		})
	}
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
