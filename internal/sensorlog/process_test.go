package sensorlog_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensorlog"
)

// Two workers write and rotate at the same time, and one is killed: every line in every file is whole, each file is one
// worker's, and its numbers follow each other.
func TestTwoProcessesAndAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	killed, _ := startWriter(t, dir)
	other, stop := startWriter(t, dir)
	require.NoError(t, killed.Process.Kill())
	_ = killed.Wait()

	successor, stopSuccessor := startWriter(t, dir) // takes the place of the one that died
	stopSuccessor()
	stop()
	whole := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z stdout  (\d+)/(\d+) x*$`)
	for slot, pids := range map[string][]int{
		"worker-0": {killed.Process.Pid, successor.Process.Pid}, "worker-1": {other.Process.Pid},
	} {
		var before string // pid/number
		for _, name := range []string{"shop.orders.log.2", "shop.orders.log.1", "shop.orders.log"} {
			raw, err := os.ReadFile(filepath.Join(dir, slot, name))
			require.NoError(t, err)
			require.LessOrEqual(t, len(raw), 16<<10+400)
			for line := range strings.Lines(string(raw)) {
				parts := whole.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
				require.NotNil(t, parts, line)
				var pid, n int
				_, err := fmt.Sscan(parts[1]+" "+parts[2], &pid, &n)
				require.NoError(t, err)
				require.Contains(t, pids, pid)
				if strings.HasPrefix(before, parts[1]+"/") {
					require.Equal(t, fmt.Sprintf("%d/%d", pid, n-1), before)
				}
				before = parts[1] + "/" + parts[2]
			}
		}
	}
	_, err := os.Stat(filepath.Join(dir, "worker-2"))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NotEmpty(t, read(t, sensorlog.Query{Dir: dir}))
}
