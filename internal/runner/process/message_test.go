package process

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzParseMessage proves that the short way of parsing an event takes what the long way takes, and keeps its bytes.
func FuzzParseMessage(f *testing.F) {
	for _, line := range []string{
		`{"type":"event","payload":{"a": 1e400, "b": "\ud800\u0000"}}`,
		`{"type":"event","payload":{},"payload":[1]}`,
		`{"type":"event","payload":{}},"x":{"y":1}}`,
		`{"type":"event","payload":}`,
		`{"type":"event","payload": {} }  `,
		`{"payload":{},"type":"event"}`,
		`{"type":"cursor","cursor":null}`,
		`{"type":"log","level":"info","message":"x"}`,
		`{"type":"done"} {}`,
		`[]`, `"`, `{"type":5}`,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		m, err := parseMessage(line)
		if err != nil {
			return
		}
		require.True(t, json.Valid(line) || bytes.HasPrefix(line, []byte(eventPrefix)))
		require.True(t, m.Payload == nil || bytes.Contains(line, m.Payload))
		if want, err := parseFields(line); err == nil {
			require.Equal(t, want, m)
		}
	})
}

// FuzzSplitter proves that lines come back whole, in whatever pieces they come and whatever the limit is.
func FuzzSplitter(f *testing.F) {
	f.Add([]byte("a\nbb\n\nccc"), 2, 1)
	f.Add([]byte(strings.Repeat("x", 100)+"\n"), 40, 16)
	f.Fuzz(func(t *testing.T, text []byte, limit, size int) {
		s := splitter{limit: 1 + abs(limit)%100}
		size = 1 + abs(size)%100
		rest := text
		take := func(line []byte, dropped int, whole bool) error {
			want, after, found := bytes.Cut(rest, []byte("\n"))
			require.Equal(t, found, whole)
			require.Equal(t, string(want[:min(s.limit, len(want))]), string(line))
			require.Equal(t, max(0, len(want)-s.limit), dropped)
			rest = after
			return nil
		}
		for piece := range slices.Chunk(text, size) {
			require.NoError(t, s.feed(piece, take))
		}
		require.NoError(t, s.end(take))
		require.Empty(t, rest)
	})
}

func abs(n int) int { return max(n, -(n + 1)) }
