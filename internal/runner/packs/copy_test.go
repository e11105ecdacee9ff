package packs_test

import (
	"archive/tar"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
)

func TestAPackIsUnpackedOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := b.pack(t, "s.sh", map[string]string{"s.sh": "#!/bin/sh\ncat lib/words.txt\n", "lib/words.txt": "hello"})
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			p, err := b.Prepare(t.Context(), s)
			require.NoError(t, err)
			require.Empty(t, p.Interpreter)
			require.Equal(t, []string{p.Dir}, p.Visible)
			require.Equal(t, "hello", run(t, p))
		})
	}
	all.Wait()
	require.Equal(t, 1, b.archives.reads)
	require.Equal(t, []string{s.PackDigest}, names(t, b.dir+"/packs"), "no leftovers")
	info, err := os.Stat(filepath.Join(b.dir, "packs", s.PackDigest, "lib/words.txt"))
	require.NoError(t, err)
	require.Zero(t, info.Mode()&0o222, "nobody may write to it")
}

func TestTheCacheIsSharedAndMayBeCleaned(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := setup(t, sharing(b))
	s := b.pack(t, "s.py", map[string]string{"s.py": "print(1)"})
	var all sync.WaitGroup
	for _, c := range []*bundle{b, other} {
		all.Go(func() {
			_, err := c.Prepare(t.Context(), s)
			require.NoError(t, err)
		})
	}
	all.Wait()

	require.NoError(t, os.RemoveAll(b.dir))
	require.Equal(t, "1", run(t, b.ready(t, s)))
}

func TestWhatASensorMayNotStart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	files := map[string]string{"s.py": "", "package.json": "{\n\"dependencies\": [}", "s.mjs": ""}
	for entrypoint, message := range map[string]string{
		"t.py":    "there is no file \"t.py\" in the pack: correct the sensor's `entrypoint` or add the file, and apply the pack",
		"../s.py": `entrypoint "../s.py" is not a path below the pack's folder`,
		"/bin/sh": `entrypoint "/bin/sh" is not a path below the pack's folder`,
		"s.mjs":   "the pack's package.json can't be read: invalid character '}' looking for beginning of value: correct it and apply the pack",
	} {
		require.Equal(t, message, b.fault(t, b.pack(t, entrypoint, files)))
	}

	s := b.pack(t, "s.sh", nil)
	s.PackDigest = b.archives.put(archive(t, []tar.Header{{Name: "s.sh", Typeflag: tar.TypeReg, Mode: 0o644}}, []string{""}))
	require.Equal(t, "\"s.sh\" is not executable: `chmod +x` it and apply the pack", b.fault(t, s))
	s.Runtime = "core.cobol"
	require.Equal(t, `no runtime "core.cobol"`, b.fault(t, s))
}

func TestArchivesThatAreRefused(t *testing.T) {
	t.Parallel()
	file := func(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644} }
	for name, test := range map[string]struct {
		header  tar.Header
		message string
	}{
		"a path that climbs":   {file("a/../../x"), `"a/../../x": leaves the pack's folder`},
		"an absolute path":     {file("/tmp/x"), `"/tmp/x": leaves the pack's folder`},
		"a symbolic link":      {tar.Header{Name: "x", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}, `"x": is neither a file nor a folder`},
		"a hard link":          {tar.Header{Name: "x", Typeflag: tar.TypeLink, Linkname: "s.sh"}, `"x": is neither a file nor a folder`},
		"a device":             {tar.Header{Name: "x", Typeflag: tar.TypeChar}, `"x": is neither a file nor a folder`},
		"the same file twice":  {file("s.sh"), `"s.sh"`},
		"a file that's a path": {file("s.sh/x"), `"s.sh/x"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			s := sensor.Sensor{PackRef: "demo", Runtime: sensor.RuntimeExec, Entrypoint: "s.sh"}
			s.PackDigest = b.archives.put(archive(t, []tar.Header{file("s.sh"), test.header}, []string{"#!/bin/sh\n", ""}))
			_, err := b.Prepare(t.Context(), s)
			require.ErrorContains(t, err, `preparing pack "demo": unpacking pack archive `+s.PackDigest)
			require.ErrorContains(t, err, test.message)
			require.Empty(t, names(t, b.dir+"/packs"))
		})
	}
}

func TestADamagedArchiveIsNotRun(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := b.pack(t, "s.sh", map[string]string{"s.sh": "#!/bin/sh\n"})
	b.archives.byKey[s.PackDigest] = []byte("other bytes")
	_, err := b.Prepare(t.Context(), s)
	require.ErrorContains(t, err, "is damaged: its SHA-256 is")

	s.PackDigest = b.archives.put([]byte("these bytes are no gzip at all"))
	_, err = b.Prepare(t.Context(), s)
	require.ErrorContains(t, err, "gzip")

	s.PackDigest = "../../etc"
	_, err = b.Prepare(t.Context(), s)
	require.ErrorContains(t, err, `"../../etc" is not a SHA-256 in hex`)
}

func TestAFolderThatOthersMayChangeIsNotRun(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := b.pack(t, "s.sh", map[string]string{"s.sh": "#!/bin/sh\n"})
	dir := b.ready(t, s).Dir
	require.NoError(t, os.Chmod(dir, 0o777))
	_, err := b.Prepare(t.Context(), s)
	require.ErrorContains(t, err, dir+" can be written to by other users (its mode is 0777): remove it, or set worker.cache_dir to a folder of this user alone")

	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, os.Symlink("/etc", dir))
	_, err = b.Prepare(t.Context(), s)
	require.ErrorContains(t, err, dir+" is no folder: remove it")
}
