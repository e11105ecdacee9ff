package packs_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/runner/packs"
)

// TestWhatACodeChangeInstallsAnew: packages by name are kept while the code around them changes; what may come from the
// pack's own files is not.
func TestWhatACodeChangeInstallsAnew(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file, content string
		installs      int
	}{
		"no requirement":        {"requirements.txt", "\ufeff\n  # nothing yet\r\n", 0},
		"names":                 {"requirements.txt", "requests\r\nAttrs [tests] >= 1, < 2 # why\nrich==13.0; python_version < '3.13'\n", 1},
		"hashes":                {"requirements.txt", "rich==13.0 \\\n    --hash=sha256:abc \\\n    --hash=sha256:def\n", 1},
		"an index":              {"requirements.txt", "--index-url https://${USER}@index.example/simple\n-i https://x\nrich\n", 1},
		"an address":            {"requirements.txt", "rich @ https://example.com/rich.whl\nb[x]@git+https://example.com/b.git@v1\n", 1},
		"a file's address":      {"requirements.txt", "rich @ file:///opt/rich.whl\n", 2},
		"other requirements":    {"requirements.txt", "-r more.txt\n", 2},
		"constraints":           {"requirements.txt", "rich\n-cmore.txt\n", 2},
		"a folder":              {"requirements.txt", "lib/rich\n", 2},
		"the pack":              {"requirements.txt", "-e .\n", 2},
		"a wheel":               {"requirements.txt", "rich-13-py3-none-any.whl\n", 2},
		"a bare address":        {"requirements.txt", "https://example.com/rich.whl\n", 2},
		"an unknown option":     {"requirements.txt", "--everything\n", 2},
		"npm: no dependency":    {"package.json", `{"type": "module", "dependencies": {}}`, 0},
		"npm: versions":         {"package.json", `{"dependencies": {"a": "^1.0.0", "b": "latest", "c": "npm:d@2"}}`, 1},
		"npm: addresses":        {"package.json", `{"optionalDependencies": {"a": "https://example.com/a.tgz", "b": "user/repo"}}`, 1},
		"npm: a folder":         {"package.json", `{"dependencies": {"a": "./a"}}`, 2},
		"npm: a file":           {"package.json", `{"dependencies": {"a": "a.tgz"}}`, 2},
		"npm: a file's address": {"package.json", `{"dependencies": {"a": "1"}, "overrides": {"b": "file:b"}}`, 2},
		"npm: workspaces":       {"package.json", `{"workspaces": ["lib"]}`, 2},
		"npm: its own scripts":  {"package.json", `{"dependencies": {"a": "1"}, "scripts": {"postinstall": "node build.mjs"}}`, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, launcher := withLauncher(func(context.Context, packs.Command) error { return nil })
			b := setup(t, launcher)
			entrypoint := "s.py"
			if test.file == "package.json" {
				entrypoint = "s.mjs"
			}
			for _, code := range []string{"1", "2"} {
				b.ready(t, b.pack(t, entrypoint, map[string]string{test.file: test.content, entrypoint: code}))
			}
			require.Len(t, names(t, b.dir+"/deps"), test.installs)
		})
	}
}

func TestALockFileDecidesWhatIsInstalled(t *testing.T) {
	t.Parallel()
	l, launcher := withLauncher(func(context.Context, packs.Command) error { return nil })
	b := setup(t, launcher)
	files := map[string]string{"package.json": `{"dependencies": {"a": "1"}}`, "s.mjs": ""}
	b.ready(t, b.pack(t, "s.mjs", files))
	require.Equal(t, "install", l.commands[0].Args[0])
	for _, lock := range []string{"{}", `{"lockfileVersion": 3}`} {
		b.ready(t, b.pack(t, "s.mjs", with(files, "package-lock.json", lock)))
		require.Equal(t, "ci", l.commands[l.count()-1].Args[0])
	}
	require.Len(t, names(t, b.dir+"/deps"), 3)
}
