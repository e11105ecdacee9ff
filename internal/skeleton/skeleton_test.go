package skeleton_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/pack"
	"github.com/attune-automation/sensors/internal/skeleton"
)

func TestWrite(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "house")
	extensions := map[string]string{"python3": ".py", "nodejs": ".mjs", "exec": ".sh"}
	for i, runtime := range skeleton.Runtimes() {
		got, err := skeleton.Write(skeleton.Config{Dir: dir, Name: "front_door-" + runtime, Runtime: runtime})
		require.NoError(t, err)
		name := "front_door-" + runtime
		want := []string{"sensors/" + name + ".yaml", "triggers/" + name + ".yaml", "code/" + name + extensions[runtime], "tests/" + name + ".json"}
		if i == 0 {
			want = append([]string{"pack.yaml"}, want...)
		}
		require.Equal(t, skeleton.Sensor{Ref: "house." + name, Name: name, Files: want}, got)
		for _, file := range want {
			text, err := os.ReadFile(filepath.Join(dir, file))
			require.NoError(t, err)
			require.NotContains(t, string(text), "{{")
			require.True(t, strings.HasSuffix(string(text), "\n"))
			if filepath.Ext(file) == ".json" {
				require.True(t, json.Valid(text))
			}
		}
	}
	loaded, err := pack.Load(dir, pack.Options{})
	require.NoError(t, err, "what is written is a sound pack")
	require.Equal(t, "house", loaded.Ref)
	require.Len(t, loaded.Sensors, 3)
	require.Equal(t, "Front door python3", loaded.Sensors[2].Label)
	require.NoError(t, exec.Command("sh", "-n", filepath.Join(dir, "code/front_door-exec.sh")).Run())
}

func TestWriteNeverOverwrites(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "house")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "code"), 0o755))
	mine := filepath.Join(dir, "code/door.py")
	require.NoError(t, os.WriteFile(mine, []byte("mine"), 0o600))
	_, err := skeleton.Write(skeleton.Config{Dir: dir, Name: "door", Runtime: "python3"})
	require.EqualError(t, err, dir+" has code/door.py already, and nothing is overwritten: choose another name")
	text, err := os.ReadFile(mine)
	require.NoError(t, err)
	require.Equal(t, "mine", string(text))
	require.NoFileExists(t, filepath.Join(dir, "sensors/door.yaml"))
	require.NoFileExists(t, filepath.Join(dir, "pack.yaml"))
}

func TestWriteNames(t *testing.T) {
	t.Parallel()
	house := filepath.Join(t.TempDir(), "house")
	require.NoError(t, os.MkdirAll(house, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(house, "pack.yaml"), []byte("ref: home\n"), 0o600))
	broken := filepath.Join(t.TempDir(), "broken")
	require.NoError(t, os.MkdirAll(broken, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(broken, "pack.yaml"), []byte("ref: [\n"), 0o600))
	for name, test := range map[string]struct{ dir, name, ref, err string }{
		"name in a pack":        {house, "door", "home.door", ""},
		"ref in a pack":         {house, "home.window", "home.window", ""},
		"ref of another pack":   {house, "house.door", "", `"house.door" is not in pack "home" of folder ` + house + `: write home.door, or --dir with another folder`},
		"new pack":              {filepath.Join(t.TempDir(), "New Folder"), "inbox.door", "inbox.door", ""},
		"no name for a pack":    {filepath.Join(t.TempDir(), "New Folder"), "door", "", "write PACK.NAME instead of NAME"},
		"bad name":              {house, "Front Door", "", `bad ref "home.Front Door"`},
		"no name":               {house, "", "", `bad ref "home."`},
		"a path":                {house, "../door", "", "is not in pack"},
		"a path in a ref":       {house, "home./door", "", "bad ref"},
		"a hidden file":         {house, "home..door", "", `bad name ".door"`},
		"broken pack":           {broken, "door", "", "pack.yaml is not YAML"},
		"bad name of a new one": {t.TempDir(), "Bad.door", "", `bad ref "Bad"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := skeleton.Write(skeleton.Config{Dir: test.dir, Name: test.name, Runtime: "exec"})
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.ref, got.Ref)
		})
	}
	_, err := skeleton.Write(skeleton.Config{Dir: house, Name: "x", Runtime: "ruby"})
	require.EqualError(t, err, `unknown runtime "ruby": use one of python3, nodejs, exec`)
}
