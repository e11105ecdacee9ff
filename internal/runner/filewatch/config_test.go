package filewatch

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
)

func TestParse(t *testing.T) {
	t.Parallel()
	c, err := Parse(json.RawMessage(`{"mode": "watch", "paths": ["/srv/in"]}`))
	require.NoError(t, err)
	require.Equal(t, 2*time.Second, c.Settle)
	require.Len(t, c.Changes, 4)
	require.False(t, c.Hash || c.Report || c.Follow)
	scope := c.Scope

	c, err = Parse(json.RawMessage(`{"mode": "watch", "paths": ["/srv/in"], "settle": 0, "hash": true, "initial": "report",
		"changes": ["created"], "follow_symlinks": true, "recursive": false}`))
	require.NoError(t, err)
	require.Zero(t, c.Settle)
	require.Equal(t, map[Change]bool{Created: true}, c.Changes)
	require.True(t, c.Hash && c.Report && c.Follow)
	require.NotEqual(t, scope, c.Scope)

	c, err = Parse(json.RawMessage(`{"mode": "tail", "paths": ["/var/log/*.log"], "start": "beginning", "max_line": "1KiB",
		"patterns": ["ERROR", {"name": "login", "regex": "user (?P<user>\\w+)"}], "multiline": {"start": "^\\S", "flush_after": "1s"}}`))
	require.NoError(t, err)
	require.True(t, c.Beginning && c.Multiline())
	require.Equal(t, 1024, c.MaxLine)
	require.Equal(t, []string{"0", "login"}, []string{c.Patterns[0].Name, c.Patterns[1].Name})
	require.Empty(t, c.Patterns[0].fields)
	require.Equal(t, []string{"", "user"}, c.Patterns[1].fields)
	require.Equal(t, time.Second, c.Flush)

	require.Equal(t, TriggerLine, Trigger(json.RawMessage(`{"mode": "tail"}`)))
	require.Equal(t, TriggerFile, Trigger(json.RawMessage(`{"mode": 1}`)))
}

// What is wrong is said at its place, all at once.
func TestParseProblems(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		`[]`:                               `config: got []: write keys and values`,
		`{}`:                               `config.mode: missing: write watch or tail`,
		`{"mode": "tial"}`:                 `config.mode: unknown mode "tial": did you mean "tail"?`,
		`{"mode": "watch"}`:                `config.paths: missing: write a list of absolute paths`,
		`{"mode": "watch", "paths": "/x"}`: `config.paths: got "/x": write a list`,
		`{"mode": "watch", "paths": ["/x", "in"], "ignore": ["a/b"]}`:                       `config.paths.1: "in" is relative: write an absolute path, such as /srv/in/*.csv; config.ignore.0: "a/b" is relative`,
		`{"mode": "watch", "paths": [1]}`:                                                   `config.paths.0: got 1: write a text`,
		`{"mode": "watch", "paths": ["/x"], "settle": "2h"}`:                                `config.settle: 2h is out of bounds: write a duration from 0s to 1h`,
		`{"mode": "watch", "paths": ["/x"], "settle": 5}`:                                   `config.settle: got 5: write a duration`,
		`{"mode": "watch", "paths": ["/x"], "changes": ["make"]}`:                           `config.changes.0: unknown word "make": use one of created`,
		`{"mode": "watch", "paths": ["/x"], "changes": []}`:                                 `config.changes: is empty`,
		`{"mode": "watch", "paths": ["/x"], "chnages": []}`:                                 `config.chnages: unknown key: did you mean "changes"?`,
		`{"mode": "watch", "paths": ["/x"], "hash": "yes"}`:                                 `config.hash: got "yes": write true or false`,
		`{"mode": "tail", "paths": ["/x"], "patterns": ["(", "(?P<a>x)(?P<a>y)"]}`:          `config.patterns.0: does not compile: error parsing regexp: missing closing ): ` + "`(`",
		`{"mode": "tail", "paths": ["/x"], "patterns": [{"name": "a"}]}`:                    `config.patterns.0.regex: missing`,
		`{"mode": "tail", "paths": ["/x"], "patterns": [{"regex": "["}]}`:                   `config.patterns.0.regex: does not compile`,
		`{"mode": "tail", "paths": ["/x"], "patterns": [{"regex": "x", "flags": "i"}]}`:     `config.patterns.0.flags: unknown key`,
		`{"mode": "tail", "paths": ["/x"], "patterns": ["x", {"name": "0", "regex": "y"}]}`: `config.patterns.1: has the name "0", as pattern 0 has`,
		`{"mode": "tail", "paths": ["/x"], "patterns": ["(a{0,100}){0,100}"]}`:              `config.patterns.0: `,
		`{"mode": "tail", "paths": ["/x"], "patterns": []}`:                                 `config.patterns: is empty`,
		`{"mode": "tail", "paths": ["/x", "/var/log/*.gz"]}`:                                `config.paths.1: names compressed files, which are never read`,
		`{"mode": "tail", "paths": ["/x"], "max_line": "1GiB"}`:                             `config.max_line: 1GiB is out of bounds: write a size from 256B to 256KiB`,
		`{"mode": "tail", "paths": ["/x"], "multiline": {}}`:                                `config.multiline: write one of start`,
		`{"mode": "tail", "paths": ["/x"], "multiline": {"start": "("}}`:                    `config.multiline.start: does not compile`,
	} {
		_, err := Parse(json.RawMessage(config))
		var problems sensor.ConfigProblems
		require.ErrorAs(t, err, &problems, config)
		require.ErrorContains(t, err, want, config)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"mode": "watch", "paths": ["/srv/**/*.csv"], "ignore": ["*.tmp"], "settle": "2s", "changes": ["created"]}`))
	f.Add([]byte(`{"mode": "tail", "paths": ["/x"], "patterns": ["a", {"name": "n", "regex": "(?P<a>b)"}], "multiline": {"start": "^x"}, "max_line": 1000}`))
	f.Fuzz(func(t *testing.T, config []byte) {
		c, err := Parse(config)
		if err == nil {
			require.NotEmpty(t, c.Paths)
			return
		}
		problems, ok := errors.AsType[sensor.ConfigProblems](err)
		require.True(t, ok)
		require.NotEmpty(t, problems)
	})
}
