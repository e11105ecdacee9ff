package secret_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/secret"
)

func TestResolve(t *testing.T) {
	t.Parallel()
	s := newSource(t, "", "ATTUNE_SECRET_TOKEN=tok\"en\n<1>", "ATTUNE_SECRET_user=alice", "ATTUNE_SECRET_tricky=${secret:user}")
	for config, want := range map[string]string{
		`{"a": "${secret:TOKEN}"}`:                                    `{"a":"tok\"en\n<1>"}`,
		`{"a": "Basic ${secret:user}:${secret:TOKEN}!"}`:              `{"a":"Basic alice:tok\"en\n<1>!"}`,
		`{"a": [{"b": "${secret:user}"}, 1]}`:                         `{"a":[{"b":"alice"},1]}`,
		`"${secret:user}"`:                                            `"alice"`,
		`{"n": 12345678901234567890.10e2, "a": "${secret:user}"}`:     `{"a":"alice","n":12345678901234567890.10e2}`,
		`{"a": "\u0024\u007bsecret:user}"}`:                           `{"a":"alice"}`,
		`{"a": "$${secret:user} $${HOME}"}`:                           `{"a":"${secret:user} ${HOME}"}`,
		`{"a": "$$${secret:user}"}`:                                   `{"a":"$${secret:user}"}`,
		`{"a": "${secret:user}$${x"}`:                                 `{"a":"alice${x"}`,
		`{"a": "${secret:tricky}"}`:                                   `{"a":"${secret:user}"}`,
		`{"${secret:user}": "${secret:user}"}`:                        `{"${secret:user}":"alice"}`,
		`{"a": "${HOME} ${ $ {secret:x} secret:y ${.Value}", "b" :1}`: `{"a": "${HOME} ${ $ {secret:x} secret:y ${.Value}", "b" :1}`,
		`{"price":  "5 $", "e": "\u00e9"}`:                            `{"price":  "5 $", "e": "\u00e9"}`,
		``:                                                            ``,
	} {
		got, _, err := s.Resolve(json.RawMessage(config))
		require.NoError(t, err, config)
		require.Equal(t, want, string(got))
	}
}

func TestResolveReturnsWhatItUsed(t *testing.T) {
	t.Parallel()
	s := newSource(t, "", "ATTUNE_SECRET_one=value-1", "ATTUNE_SECRET_two=value-2", "ATTUNE_SECRET_three=value-3")
	_, used, err := s.Resolve(json.RawMessage(`{"a": "${secret:two}", "b": ["${secret:one} ${secret:two}"]}`))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"one": "value-1", "two": "value-2"}, used.Plain())
	require.Equal(t, "secrets one, two", used.String())

	_, used, err = s.Resolve(json.RawMessage(`{"a": "$${secret:two}"}`))
	require.NoError(t, err)
	require.Empty(t, used.Plain())
}

func TestResolveNamesAllThatIsWrong(t *testing.T) {
	t.Parallel()
	s := newSource(t, "", "ATTUNE_SECRET_TOKEN=hunter2")
	_, _, err := s.Resolve(json.RawMessage(
		`{"url": "https://${secret:user}:${secret:TOKEN}@x", "headers": [{"X-Key": "${secret:key}"}], "odd key": "${secret:}"}`))
	var problems secret.Problems
	require.ErrorAs(t, err, &problems)
	require.Len(t, problems, 3)
	require.Equal(t, []string{"config", "headers", "0", "X-Key"}, problems[0].Path)
	require.Contains(t, problems[0].String(), `config.headers[0].X-Key: there is no secret "key": set ATTUNE_SECRET_key`)
	require.Contains(t, problems[1].String(), `config."odd key": "${secret:}" names no secret`)
	require.Contains(t, problems[2].String(), `config.url: there is no secret "user"`)
	require.NotContains(t, err.Error(), "hunter2")
}

func TestReferences(t *testing.T) {
	t.Parallel()
	found, err := secret.References(json.RawMessage(`{"b": "${secret:x} ${secret:y}", "a": ["", {"c": "${secret:x}"}], "d": "$${secret:z}"}`))
	require.NoError(t, err)
	require.Equal(t, []secret.Reference{
		{Path: []string{"config", "a", "1", "c"}, Name: "x"},
		{Path: []string{"config", "b"}, Name: "x"},
		{Path: []string{"config", "b"}, Name: "y"},
	}, found)
}

func TestMalformedReferences(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"${secret:}":            "names no secret",
		"x ${secret:a b} y":     "has a bad name",
		"${secret:../x}":        "has a bad name",
		"${secret:.x}":          "has a bad name",
		"${secret: x}":          "has a bad name",
		"${secret:x":            "has no closing }",
		"${secret":              "has no closing }",
		"${secret}":             "is no reference to a secret: write ${secret:NAME}, or $${ for a literal ${",
		"${ secret:x}":          "is no reference",
		"${Secret:x}":           "is no reference",
		"${secrets:x}":          "is no reference",
		"${secret:${secret:x}}": "has a bad name",
	} {
		config, err := json.Marshal(map[string]string{"a": text})
		require.NoError(t, err)
		_, err = secret.References(config)
		require.ErrorContains(t, err, "config.a: ", text)
		require.ErrorContains(t, err, want, text)
	}
	_, err := secret.References(json.RawMessage(`{"a": "${secret:x}"`))
	require.ErrorContains(t, err, "reading a config")
	_, err = secret.References(json.RawMessage(`{"a": "${secret:x}"} {}`))
	require.ErrorContains(t, err, "more than one JSON value")
}

// What is escaped comes out as it was, and a config that resolves has no problem in it.
func FuzzResolve(f *testing.F) {
	for _, seed := range []string{"${secret:TOKEN}", "$${", "$$${secret:TOKEN}", "${secret:", "${HOME}", "a${secret:TOKEN}b$${c", "\\u0024{"} {
		f.Add(seed)
	}
	s, err := secret.New(secret.Config{Environ: []string{"ATTUNE_SECRET_TOKEN=hunter2-value"}})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ToValidUTF8(text, "?")
		escaped, err := json.Marshal([]any{strings.ReplaceAll(text, "${", "$${"), json.Number("1.50")})
		require.NoError(t, err)
		resolved, used, err := s.Resolve(escaped)
		require.NoError(t, err)
		require.Empty(t, used.Plain())
		var back []any
		require.NoError(t, json.Unmarshal(resolved, &back))
		require.Equal(t, text, back[0])

		config, err := json.Marshal(text)
		require.NoError(t, err)
		found, err := secret.References(config)
		resolved, used, resolveErr := s.Resolve(config)
		if err != nil {
			require.Equal(t, err, resolveErr)
			return
		}
		if resolveErr == nil {
			require.True(t, json.Valid(resolved))
			require.Equal(t, len(found) > 0, len(used.Plain()) > 0)
		}
	})
}
