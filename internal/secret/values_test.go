package secret_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/secret"
)

// valuesOf returns secrets with these values, named a, b, and so on.
func valuesOf(tb testing.TB, values ...string) secret.Values {
	tb.Helper()
	var environ, config []string
	for i, value := range values {
		name := string(rune('a' + i))
		environ = append(environ, secret.EnvPrefix+name+"="+value)
		config = append(config, "${secret:"+name+"}")
	}
	s, err := secret.New(secret.Config{Environ: environ})
	require.NoError(tb, err)
	raw, err := json.Marshal(config)
	require.NoError(tb, err)
	_, used, err := s.Resolve(raw)
	require.NoError(tb, err)
	return used
}

const awkward = `pä ss/w"o\rd+%41🔑&<x>`

func asJSON(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	return string(raw)
}

// leaks are texts that hold a value in one of the forms in which programs print it.
func leaks(t *testing.T, value string) map[string]string {
	t.Helper()
	return map[string]string{
		"plain":           "the value is " + value + ".",
		"JSON":            asJSON(t, map[string]any{"token": []string{value}}),
		"JSON in JSON":    asJSON(t, map[string]string{"body": asJSON(t, map[string]string{"x": value})}),
		"ASCII JSON":      "{" + strconv.QuoteToASCII(value) + ": 1}",
		"path of a URL":   "GET /x/" + url.PathEscape(value) + "/y",
		"query of a URL":  "GET /?a=1&token=" + url.QueryEscape(value) + "&b=2",
		"URL in JSON":     asJSON(t, "/?token="+url.QueryEscape(value)),
		"base64":          "data: " + base64.StdEncoding.EncodeToString([]byte(value)) + "|",
		"basic auth":      "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("me:"+value)),
		"basic auth, URL": base64.URLEncoding.EncodeToString([]byte("user:" + value + "\n")),
		"its own base64":  base64.RawURLEncoding.EncodeToString([]byte("x" + value)),
	}
}

func TestMaskAndFindAllForms(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"hunter2-hunter2", awkward, "line one\nline two\n"} {
		used := valuesOf(t, "another", value)
		for form, text := range leaks(t, value) {
			if form == "ASCII JSON" && strings.Contains(value, "🔑") {
				text = `{"p\u00e4 ss\/w\"o\\rd+%41\ud83d\uDD11\u0026\u003cx>": 1}`
			}
			name, found := used.Find([]byte(text))
			require.True(t, found, "%s: %s", form, text)
			require.Equal(t, "b", name)
			masked := used.Mask(text)
			require.Contains(t, masked, secret.Mask, form)
			_, found = used.Find([]byte(masked))
			require.False(t, found, "%s: %s", form, masked)
			if strings.HasPrefix(form, "JSON") {
				require.True(t, json.Valid([]byte(masked)), masked)
			}
		}
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values     []string
		text, want string
	}{
		{[]string{"hunter2"}, "a hunter2 b hunter2", "a *** b ***"},
		{[]string{"hunter2"}, "hunter2hunter2", "***"},
		{[]string{"hunter2"}, "hunter", "hunter"},
		{[]string{"hunter2"}, `{"k":"hunter2"}`, `{"k":"***"}`},
		{[]string{"abcd", "abcdefgh"}, "abcdefgh abcd", "*** ***"},
		{[]string{"abcdef", "defghi"}, "xabcdefghix", "x***x"},
		{[]string{"aaaa"}, "aaaaaa", "***aa"},
		{[]string{"***a", "bcde"}, "xbcdea", "x***"},
		{[]string{"****"}, "a ******* b", "a *** b"},
		{[]string{"  padded  "}, "it is padded here", "it is *** here"},
		{[]string{"é\"xyz"}, `\u00e9\"xyz é"xyz`, "*** ***"},
		{[]string{"hunter2"}, "", ""},
		{[]string{"user name"}, "q=user+name", "q=***"},
		{[]string{"{\n  \"key\": \"s3cret\"\n}"}, `  "key": "s3cret" } {`, "  *** } {"},
	} {
		require.Equal(t, c.want, valuesOf(t, c.values...).Mask(c.text), c.text)
	}
	require.Equal(t, "hunter2", secret.Values{}.Mask("hunter2"))
	require.Equal(t, "hunter2", secret.Values{}.MaskCut("hunter2"))
}

// A log is masked a line at a time.
func TestMaskLines(t *testing.T) {
	t.Parallel()
	key := "-----BEGIN KEY-----\r\nMIIEvQIBADANBgkq\r\nhkiG9w0BAQEFAASC\r\n-----END KEY-----"
	used := valuesOf(t, key)
	for line := range strings.Lines(key) {
		require.Equal(t, "key: ***", used.Mask("key: "+strings.TrimSpace(line)))
	}
	_, found := used.Find([]byte(`{"text": "-----BEGIN KEY-----"}`))
	require.False(t, found, "one line of a key is no leak")
}

func TestMaskCut(t *testing.T) {
	t.Parallel()
	used := valuesOf(t, "correct horse battery", `say "friend"`)
	for text, want := range map[string]string{
		"it is correct hor":          "it is ***",
		"it is corr":                 "it is ***",
		"it is cor":                  "it is cor",
		"it is correct horse batter": "it is ***",
		"correct horse battery":      "***",
		"correct horse":              "***",
		`{"x": "say \"fri`:           `{"x": "***`,
		"/?a=correct%20ho":           "/?a=***",
		"correct it is":              "correct it is",
	} {
		require.Equal(t, want, used.MaskCut(text), text)
	}
}

func TestPrintingValuesShowsNamesOnly(t *testing.T) {
	t.Parallel()
	used := valuesOf(t, "hunter2")
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		require.Equal(t, "secrets a", fmt.Sprintf(format, used))
	}
	require.NotContains(t, asJSON(t, used), "hunter2")
	require.Equal(t, "no secrets", secret.Values{}.String())
}

func TestFindWithoutSecrets(t *testing.T) {
	t.Parallel()
	_, found := secret.Values{}.Find([]byte("hunter2"))
	require.False(t, found)
	_, found = valuesOf(t, "hunter2").Find([]byte(`{"a": "hunter 2", "b": "\\u00", "c": "%4"}`))
	require.False(t, found)
}

// Whatever a text is, its mask has none of the values in it, in no form; and a text without them is left alone.
func FuzzMask(f *testing.F) {
	f.Add("hunter2", "***a", "x hunter2a", 3)
	f.Add(awkward, "%41%", `\u00\ud83d\`, 1)
	f.Add("a\nb\nlonger line", "line", "longer line", 0)
	f.Fuzz(func(t *testing.T, one, two, text string, cut int) {
		s, err := secret.New(secret.Config{Environ: []string{"ATTUNE_SECRET_a=" + one, "ATTUNE_SECRET_b=" + two}})
		require.NoError(t, err)
		_, used, err := s.Resolve(json.RawMessage(`["${secret:a}", "${secret:b}"]`))
		if err != nil {
			return
		}
		if _, found := used.Find([]byte(text)); !found && !strings.Contains(one+two, "\n") && strings.TrimSpace(one)+strings.TrimSpace(two) == one+two {
			require.Equal(t, text, used.Mask(text))
		}
		escaped := strconv.QuoteToASCII(one)
		for _, leak := range []string{text, text + one + text, url.QueryEscape(one) + text, escaped[:len(escaped)-1] + text, text + base64.StdEncoding.EncodeToString([]byte(text+two))} {
			masked := used.Mask(leak)
			name, found := used.Find([]byte(masked))
			require.False(t, found, "%s is in %q", name, masked)
			require.Equal(t, masked, used.Mask(masked))
		}
		end := one[:4+abs(cut)%(len(one)-3)]
		require.True(t, strings.HasSuffix(used.MaskCut("zz "+end), secret.Mask), end)
	})
}

func abs(n int) int {
	if n < 0 {
		return -(n + 1)
	}
	return n
}

func BenchmarkMask(b *testing.B) {
	line := "2026-01-31 09:30:00 INFO fetched 12 items from https://api.example.com/v1/items?since=2026-01-30T00%3A00%3A00Z"
	for _, n := range []int{0, 1, 5} {
		values := make([]string, n)
		for i := range values {
			values[i] = fmt.Sprintf("ghp_%036d", i)
		}
		used := valuesOf(b, values...)
		b.Run(fmt.Sprintf("secrets=%d", n), func(b *testing.B) {
			b.SetBytes(int64(len(line)))
			for b.Loop() {
				used.Mask(line)
			}
		})
	}
}

func BenchmarkFind(b *testing.B) {
	used := valuesOf(b, "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "postgres-password")
	for name, unit := range map[string]string{"plain": `{"name":"item","count":12},`, "escaped": `{"text":"a\n\"b\" 100% sure"},`} {
		raw := []byte("[" + strings.Repeat(unit, 1<<20/len(unit)) + "{}]")
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				used.Find(raw)
			}
		})
	}
}

func TestMaskLinesOfBase64(t *testing.T) {
	t.Parallel()
	value := strings.Repeat("0123456789 a long key ", 9)
	v := valuesOf(t, value)
	for _, text := range []string{value, value + "\n"} {
		encoded := base64.StdEncoding.EncodeToString([]byte(text))
		for _, width := range []int{64, 76} {
			for line := range slices.Chunk([]byte(encoded), width) {
				require.Equal(t, "key: ***", v.Mask("key: "+string(line)))
			}
		}
	}
}
