package filewatch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// chaos does things to files, and to the worker, in an order that only chance knows.
type chaos struct {
	*bench
	rand *rand.Rand
	n    int
}

func newChaos(b *bench, seed uint64) *chaos {
	return &chaos{bench: b, rand: rand.New(rand.NewPCG(seed, 7))}
}

// turn polls, polls and dies in between, or is replaced by a worker that knows nothing.
func (c *chaos) turn() {
	c.t.Helper()
	c.parts, c.crashAt = 0, 0
	switch c.rand.IntN(4) {
	case 0:
		c.crashAt = 1 + c.rand.IntN(3)
	case 1:
		c.restart()
	}
	if _, err := c.try(); err != nil {
		require.ErrorIs(c.t, err, errCrash)
		if c.rand.IntN(2) == 0 {
			c.restart()
		}
	}
	c.crashAt = 0
	c.clock = c.clock.Add(time.Duration(c.rand.IntN(3000)) * time.Millisecond)
}

// view is what somebody knows of the files who was told of their changes alone.
type view map[string]int64

// apply applies what was told, which must fit to what was told before.
func (v view) apply(t *testing.T, payload []byte) {
	t.Helper()
	var p filePayload
	require.NoError(t, json.Unmarshal(payload, &p))
	_, known := v[p.Path]
	switch p.Change {
	case Created:
		require.False(t, known, "%s", payload)
		v[p.Path] = p.Size
	case Modified:
		require.True(t, known, "%s", payload)
		require.Equal(t, v[p.Path], *p.PreviousSize, "%s", payload)
		v[p.Path] = p.Size
	case Deleted:
		require.True(t, known, "%s", payload)
		delete(v, p.Path)
	case Moved:
		require.False(t, known, "%s", payload)
		require.Contains(t, v, p.From, "%s", payload)
		require.Equal(t, v[p.From], p.Size, "%s", payload)
		delete(v, p.From)
		v[p.Path] = p.Size
	}
}

// Whatever happens to files and workers, whoever applies what is told knows the files as they are.
func TestWatchedFilesAgainstAModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		config := map[string]any{"initial": "report", "hash": seed%3 == 0}
		if seed%4 == 0 {
			config["settle"] = 0
		}
		c := newChaos(watching(t, config), seed)
		for range 150 {
			c.disturb()
		}
		c.settled()
		known := view{}
		for _, item := range c.items {
			known.apply(t, item.Payload)
		}
		require.Equal(t, c.actual(), known, "seed %d", seed)
	}
}

func (c *chaos) actual() view {
	v := view{}
	require.NoError(c.t, filepath.WalkDir(c.root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		v[path] = info.Size()
		return err
	}))
	return v
}

func (c *chaos) name() string {
	return strings.Repeat("d/", c.rand.IntN(3)) + string(rune('a'+c.rand.IntN(6)))
}

func (c *chaos) disturb() {
	c.n++
	switch c.rand.IntN(8) {
	case 0, 1, 2:
		name := c.name()
		_ = os.MkdirAll(filepath.Dir(c.path(name)), 0o755)
		_ = os.WriteFile(c.path(name), make([]byte, c.n), 0o600) // each size is another one
	case 3:
		_ = os.Remove(c.path(c.name()))
	case 4:
		from, to := c.name(), c.name()
		_ = os.MkdirAll(filepath.Dir(c.path(to)), 0o755)
		_ = os.Rename(c.path(from), c.path(to))
	case 5:
		_ = os.Rename(c.path("d"), c.path(fmt.Sprintf("other%d", c.rand.IntN(2))))
	default:
		c.turn()
	}
}

// Whatever happens to a log and workers, every line is told once.
func TestLinesAgainstAModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		glob := []string{"ROOT/app.log", "ROOT/app.log*"}[seed%2]
		c := newChaos(tailing(t, map[string]any{"paths": []string{glob}, "start": "beginning"}), seed)
		c.write("app.log", "")
		c.poll()
		for range 120 {
			c.log()
		}
		c.settled()
		told := map[string]int{}
		for _, line := range c.told(0) {
			told[line]++
		}
		for i := range c.n {
			require.Equal(t, 1, told[fmt.Sprintf("line %d", i+1)], "seed %d, line %d of %d", seed, i+1, c.n)
		}
		require.Len(t, told, c.n)
	}
}

func (c *chaos) log() {
	switch c.rand.IntN(8) {
	case 0, 1, 2:
		for range c.rand.IntN(4) {
			c.n++
			c.append("app.log", fmt.Sprintf("line %d\n", c.n))
		}
	case 3:
		c.shift()
		c.rename("app.log", "app.log.1")
		c.append("app.log", "")
	case 4:
		c.shift()
		raw, err := os.ReadFile(c.path("app.log"))
		require.NoError(c.t, err)
		c.write("app.log.1", string(raw))
		if c.rand.IntN(2) == 0 {
			c.turn()
		}
		require.NoError(c.t, os.Truncate(c.path("app.log"), 0))
	default:
		c.turn()
	}
}

// shift makes room for a further rotation.
func (c *chaos) shift() {
	for i := 200; i > 0; i-- {
		err := os.Rename(c.path(fmt.Sprintf("app.log.%d", i)), c.path(fmt.Sprintf("app.log.%d", i+1)))
		require.True(c.t, err == nil || errors.Is(err, fs.ErrNotExist))
	}
}
