package packs_test

import (
	"archive/tar"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/runner/packs"
)

// tarball returns an npm package with a module for each of import and require.
func tarball(t *testing.T, colour string) string {
	t.Helper()
	var headers []tar.Header
	var contents []string
	for _, file := range [][2]string{
		{"package.json", `{"name": "attune-demo-colour", "version": "1.0.0", "exports": {"import": "./colour.mjs", "require": "./colour.cjs"},
			"scripts": {"postinstall": "touch installed"}}`},
		{"colour.mjs", "export const name = '" + colour + "';\n"},
		{"colour.cjs", "exports.name = '" + colour + "';\n"},
	} {
		headers = append(headers, tar.Header{Name: "package/" + file[0], Typeflag: tar.TypeReg, Mode: 0o644})
		contents = append(contents, file[1])
	}
	return string(archive(t, headers, contents))
}

func TestAPackGetsItsNodePackages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	files := map[string]string{
		"package.json": `{"name": "demo", "private": true, "dependencies": {"attune-demo-colour": "file:vendor/colour.tgz", "attune-demo-shade": "./lib"},
			"devDependencies": {"attune-demo-missing": "file:vendor/colour.tgz"}}`,
		"vendor/colour.tgz": tarball(t, "red"),
		"lib/package.json":  `{"name": "attune-demo-shade", "version": "1.0.0", "main": "shade.js"}`,
		"lib/shade.js":      "module.exports = 'dark';\n",
		"code/s.mjs":        "import { name } from 'attune-demo-colour';\nimport shade from 'attune-demo-shade';\nconsole.log('import', shade, name);\n",
		"code/s.cjs":        "console.log('require', require('attune-demo-shade'), require('attune-demo-colour').name);\n",
		"s.sh":              "#!/bin/sh\nls\n",
	}
	s := b.pack(t, "code/s.mjs", files)
	p := b.ready(t, s)
	require.Equal(t, "import dark red", run(t, p))
	require.Equal(t, "require dark red", run(t, b.ready(t, b.pack(t, "code/s.cjs", files))))
	require.FileExists(t, p.Dir+"/node_modules/attune-demo-colour/installed", "the packages' own scripts ran")
	require.NoDirExists(t, p.Dir+"/node_modules/attune-demo-missing")
	require.Contains(t, p.Visible, filepath.Join(b.dir, "deps", names(t, b.dir+"/deps")[0]))
	require.NotContains(t, run(t, b.ready(t, b.pack(t, "s.sh", files))), "node_modules", "other runtimes get the pack as it is")

	offline := setup(t, sharing(b), func(c *packs.Config) { c.Launcher = refuse{} })
	require.Equal(t, p, offline.ready(t, s))

	// Whatever cleans the dependencies alone, they come back to where the pack looks.
	require.NoError(t, os.RemoveAll(b.dir+"/deps"))
	require.Equal(t, "import dark red", run(t, b.ready(t, s)))

	changed := b.pack(t, "code/s.mjs", with(files, "vendor/colour.tgz", tarball(t, "blue")))
	require.Equal(t, "import dark blue", run(t, b.ready(t, changed)))
	require.Equal(t, "import dark red", run(t, b.ready(t, s)))
}

func TestALockFileIsKeptTo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := b.pack(t, "s.mjs", map[string]string{
		"package.json": `{"name": "demo", "dependencies": {"attune-demo-colour": "file:colour.tgz"}}`,
		"package-lock.json": `{"name": "demo", "lockfileVersion": 3, "requires": true, "packages": {
			"": {"name": "demo", "dependencies": {"attune-demo-colour": "file:colour.tgz"}},
			"node_modules/attune-demo-colour": {"version": "1.0.0", "resolved": "file:colour.tgz", "integrity": "sha512-bm8gc3VjaCBzdW0="}}}`,
		"colour.tgz": tarball(t, "red"),
		"s.mjs":      "",
	})
	require.Contains(t, b.failed(t, s).Reason, "EINTEGRITY")
}

func TestAPackMayBringItsNodeModules(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *packs.Config) { c.Launcher = refuse{} })
	files := map[string]string{
		"package.json":                   `{"dependencies": {"left": "1.0.0"}}`,
		"node_modules/left/main.js":      "exports.side = 'left';\n",
		"node_modules/left/package.json": `{"main": "main.js"}`,
		"s.mjs":                          "import { side } from 'left';\nconsole.log(side);\n",
	}
	require.Equal(t, "left", run(t, b.ready(t, b.pack(t, "s.mjs", files))))

	none := b.pack(t, "s.mjs", map[string]string{"package.json": `{"type": "module", "devDependencies": {"left": "1.0.0"}}`, "s.mjs": "console.log(1)"})
	require.Equal(t, "1", run(t, b.ready(t, none)))
}

func TestNodeWithoutNpmIsNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	node := filepath.Join(dir, "node")
	writeExecutable(t, node, "#!/bin/sh\nprintf '%s\\n' $0 20.1 node "+dir+"\n")
	b := setup(t, func(c *packs.Config) { c.Node, c.Path = node, "/nowhere" })
	s := b.pack(t, "s.mjs", map[string]string{"package.json": `{"dependencies": {"left": "1.0.0"}}`, "s.mjs": ""})
	require.Contains(t, b.failed(t, s).Reason, "npm is not there, neither beside "+node+
		" nor on runtime.path (/nowhere): install it on the worker's machine (on Debian: apt-get install npm); tried again at")
}
