package sdk_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkWarmPoll is what the SDK and two pipes take of a poll that brings one event, in a process that is up.
func BenchmarkWarmPoll(b *testing.B) {
	for l, code := range map[*language]string{
		&python: "def poll(ctx):\n    yield {'n': 1}\n",
		&node:   "export function* poll() { yield { n: 1 }; }\n",
	} {
		b.Run(l.name, func(b *testing.B) {
			s := l.serve(b, l.code(b, code))
			s.poll(request(nil)) // loads the code
			line, err := json.Marshal(request(nil))
			require.NoError(b, err)
			line = append(line, '\n')
			var took []time.Duration
			for b.Loop() {
				start := time.Now()
				_, err := s.requests.Write(line)
				require.NoError(b, err)
				for done := false; !done; {
					message, err := s.messages.ReadSlice('\n')
					require.NoError(b, err)
					done = bytes.HasPrefix(message, []byte(`{"type":"done"`))
				}
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
		})
	}
}

// BenchmarkStart is the way from nothing to a process that said hello.
func BenchmarkStart(b *testing.B) {
	for _, l := range both {
		b.Run(l.name, func(b *testing.B) {
			dir := l.code(b, "")
			for b.Loop() {
				l.serve(b, dir).end()
			}
		})
	}
}
