package cli_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSensorNew(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.env = nil
	dir := filepath.Join(t.TempDir(), "our house")
	out := b.ok("sensor", "new", "house.door", "--runtime", "python3", "--dir", dir)
	for _, file := range []string{"pack.yaml", "sensors/door.yaml", "triggers/door.yaml", "code/door.py", "tests/door.json"} {
		require.Contains(t, out, "wrote "+filepath.Join(dir, file)+"\n")
		require.FileExists(t, filepath.Join(dir, file))
	}
	require.Contains(t, out, "  starter sensor test '"+dir+"' --sensor door\n")
	require.Contains(t, out, "  starter sensor test '"+dir+"' --sensor door --expect '"+dir+"/tests/door.json'\n")
	require.Contains(t, out, "  starter apply '"+dir+"' --watch\n")
	require.Equal(t, "pack house is sound: 1 trigger, 1 sensor, 0 rules\n", b.ok("validate", dir))

	written := decode[struct {
		Sensor, Trigger, Dir string
		Files                []string
	}](t, b.ok("sensor", "new", "window", "--runtime", "exec", "--dir", dir, "-o", "json"))
	require.Equal(t, "house.window", written.Sensor)
	require.Equal(t, dir, written.Dir)
	require.Equal(t, []string{"sensors/window.yaml", "triggers/window.yaml", "code/window.sh", "tests/window.json"}, written.Files)
}

func TestSensorNewRefusals(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	dir := folder(t, "shop")
	require.Contains(t, b.fails(2, "sensor", "new", "shop.orders", "--dir", dir), `required flag(s) "runtime" not set`)
	require.Contains(t, b.fails(2, "sensor", "new", "orders", "--runtime", "ruby", "--dir", dir), `unknown runtime "ruby": use one of python3, nodejs, exec`)
	b.ok("sensor", "new", "parcels", "--runtime", "nodejs", "--dir", dir)
	require.Contains(t, b.fails(2, "sensor", "new", "parcels", "--runtime", "exec", "--dir", dir),
		"sensors/parcels.yaml, triggers/parcels.yaml, tests/parcels.json already, and nothing is overwritten")

	broken := folder(t, "broken")
	r := b.run("sensor", "new", "door", "--runtime", "exec", "--dir", broken)
	require.Equal(t, 1, r.code)
	require.Contains(t, r.stdout, "rules/one.yaml:2: trigger: unknown trigger")
	require.Contains(t, r.stderr, "the files are written, but the pack has problems: 2 problems")
}
