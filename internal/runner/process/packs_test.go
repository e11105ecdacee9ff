package process_test

import (
	"archive/tar"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/runner/process"
)

func TestAPackIsUnpackedOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	req := b.pack(t, "s.sh", map[string]string{"s.sh": "#!/bin/sh\ncat lib/words.txt\n", "lib/words.txt": `{"a": 1}` + "\n"})
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			poll, err := b.Poll(t.Context(), req)
			require.NoError(t, err)
			require.Equal(t, `{"a": 1}`, payloads(poll))
		})
	}
	all.Wait()
	require.Equal(t, 1, b.archives.reads)

	entries, err := os.ReadDir(b.cache + "/packs")
	require.NoError(t, err)
	require.Len(t, entries, 1, "no leftovers")
	info, err := os.Stat(filepath.Join(b.cache, "packs", req.Sensor.PackDigest, "lib/words.txt"))
	require.NoError(t, err)
	require.Zero(t, info.Mode()&0o222, "nobody may write to it")
}

func TestTheCacheIsSharedAndMayBeCleaned(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := setup(t, func(c *process.Config) { c.CacheDir, c.Archives = b.cache, b.archives })
	req := b.code(t, "s.py", "def poll():\n    yield {}\n")
	var all sync.WaitGroup
	for _, r := range []*bundle{b, other} {
		all.Go(func() {
			_, err := r.Poll(t.Context(), req)
			require.NoError(t, err)
		})
	}
	all.Wait()

	require.NoError(t, os.RemoveAll(b.cache))
	b.poll(t, req)
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
			req := b.code(t, "s.sh", "#!/bin/sh\n")
			req.Sensor.PackDigest = b.archives.put(archive(t, []tar.Header{file("s.sh"), test.header}, []string{"#!/bin/sh\n", ""}))
			_, err := b.Poll(t.Context(), req)
			require.ErrorContains(t, err, "unpacking pack archive "+req.Sensor.PackDigest)
			require.ErrorContains(t, err, test.message)
			entries, err := os.ReadDir(b.cache + "/packs")
			require.NoError(t, err)
			require.Empty(t, entries)
		})
	}
}

func TestADamagedArchiveIsNotRun(t *testing.T) {
	t.Parallel()
	b := setup(t)
	req := b.code(t, "s.sh", "#!/bin/sh\n")
	b.archives.byKey[req.Sensor.PackDigest] = []byte("other bytes")
	_, err := b.Poll(t.Context(), req)
	require.ErrorContains(t, err, "is damaged: its SHA-256 is")

	req.Sensor.PackDigest = b.archives.put([]byte("these bytes are no gzip at all"))
	_, err = b.Poll(t.Context(), req)
	require.ErrorContains(t, err, "gzip")

	req.Sensor.PackDigest = "../../etc"
	_, err = b.Poll(t.Context(), req)
	require.ErrorContains(t, err, `"../../etc" is not a SHA-256 in hex`)
}
