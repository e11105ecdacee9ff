package docs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/test/stack"
)

// The sensor and the rule that the README builds up do what it says.
func TestTheReadmesSensor(t *testing.T) {
	t.Parallel()
	pack, drop := t.TempDir(), t.TempDir()
	files := readPage(t, "README.md").files()
	require.Len(t, files, 5)
	for name, text := range files {
		path := filepath.Join(pack, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	s := stack.New(t, nil)
	s.ApplyDir(pack, "inbox.drop.folder="+drop)
	require.NoError(t, os.WriteFile(filepath.Join(drop, "orders.csv"), []byte("id,total\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(drop, "notes.txt"), []byte("hello\n"), 0o600))
	s.StartWorker()
	s.Eventually(func(ctx context.Context) error {
		enforcements, err := s.Store.Enforcements(ctx, store.EnforcementFilter{RuleRef: "inbox.csv"})
		if err == nil && len(enforcements) != 1 {
			err = fmt.Errorf("%d enforcements", len(enforcements))
		}
		return err
	})
	events, err := s.Store.Events(t.Context(), store.EventFilter{SensorRef: "inbox.drop"})
	require.NoError(t, err)
	require.Len(t, events, 2)
	require.JSONEq(t, `{"name": "orders.csv", "bytes": 9}`, string(events[0].Payload))
	require.JSONEq(t, `{"name": "notes.txt", "bytes": 6}`, string(events[1].Payload))
}
