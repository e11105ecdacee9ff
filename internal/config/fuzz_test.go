package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What Load accepts, it accepts again as Print writes it.
func FuzzFile(f *testing.F) {
	for _, seed := range []string{
		"sensor: {poll_interval: 1.5h}", "sensor.poll_interval: 30s\nlog:\n", "worker: {roles: [activities]}",
		"a: &a {b: *a}", "? [a]\n: b", "log: {level: !!binary aW5mbw==}", "ops: {address: '[::1]:0'}", "---\n...\n", "\x00",
		"runtime: {hide: [], memory: 0, cpu: 0}", "secret: {directory: }", "runtime: {python: |\n  a\n  b\n}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, content string) {
		path := filepath.Join(t.TempDir(), "config.yaml")
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		c, err := Load(Options{File: path, Environ: testEnviron(needed...)})
		if err != nil {
			require.NotContains(t, err.Error(), "hunter2@")
			return
		}
		var out strings.Builder
		require.NoError(t, c.Print(&out))
		require.NoError(t, os.WriteFile(path, []byte(out.String()), 0o600))
		again, err := Load(Options{File: path, Environ: testEnviron(needed...)})
		require.NoError(t, err)
		require.Equal(t, c, again)
	})
}

// Whatever a password holds, none of it is shown.
func FuzzMaskURL(f *testing.F) {
	for _, seed := range []string{"", "secret", "a@b", "a/b", "a?b", "a#b", "1/%40", "a%2Fb", ":", "[", "\n", "é"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, password string) {
		require.Contains(t, []string{hidden, "amqp://attune:xxxxx@broker/"}, maskURL("amqp://attune:"+password+"@broker/"))
	})
}
