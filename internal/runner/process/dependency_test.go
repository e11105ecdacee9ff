package process_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
)

// wheel returns a Python package with one module.
func wheel(t *testing.T, name, code string) string {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, file := range [][2]string{
		{name + ".py", code},
		{name + "-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: " + name + "\nVersion: 1.0\n"},
		{name + "-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
		{name + "-1.0.dist-info/RECORD", name + ".py,,\n" + name + "-1.0.dist-info/METADATA,,\n" + name + "-1.0.dist-info/WHEEL,,\n" + name + "-1.0.dist-info/RECORD,,\n"},
	} {
		f, err := w.Create(file[0])
		require.NoError(t, err)
		_, err = f.Write([]byte(file[1]))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return out.String()
}

func TestDependenciesAreInstalledInTheSandboxAndUsedThere(t *testing.T) {
	t.Parallel()
	for entrypoint, files := range map[string]map[string]string{
		"s.py": {
			"s.py":                                 "import greeting\ndef poll(ctx):\n    yield {'text': greeting.TEXT}\n",
			"requirements.txt":                     "--no-index\n--find-links ./vendor\ngreeting==1.0\n",
			"vendor/greeting-1.0-py3-none-any.whl": wheel(t, "greeting", "TEXT = 'hello'\n"),
		},
		"s.mjs": {
			"s.mjs":                 "import { text } from 'greeting';\nexport function* poll() { yield { text }; }\n",
			"package.json":          `{"dependencies": {"greeting": "file:./greeting"}}`,
			"greeting/package.json": `{"name": "greeting", "version": "1.0.0", "type": "module", "main": "main.js", "scripts": {"install": "node -e \"require('fs').writeFileSync('seen', process.env.HOME)\""}}`,
			"greeting/main.js":      "export const text = 'hello';\n",
		},
	} {
		t.Run(entrypoint, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			req := b.pack(t, entrypoint, files)
			req.Sensor.PackRef = "test"
			patience := time.After(2 * time.Minute)
			for again := time.NewTicker(100 * time.Millisecond); ; {
				r, err := b.run(t.Context(), req)
				var notReady *sensor.NotReady
				if !errors.As(err, &notReady) {
					require.NoError(t, err)
					require.JSONEq(t, `{"text": "hello"}`, payloads(r))
					return
				}
				require.Contains(t, notReady.Reason, "installing")
				select {
				case <-again.C:
				case <-patience:
					require.FailNow(t, notReady.Reason)
				}
			}
		})
	}
}
