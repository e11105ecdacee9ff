package integration

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// mood is a file that a sensor reads and the test writes.
type mood struct{ path string }

func newMood(t *testing.T, text string) mood {
	t.Helper()
	m := mood{path: filepath.Join(t.TempDir(), "mood")}
	m.set(t, text)
	return m
}

func (m mood) set(t *testing.T, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(m.path+".new", []byte(text), 0o644))
	require.NoError(t, os.Rename(m.path+".new", m.path))
}
