package config

import (
	"cmp"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const docPath = "../../docs/configuration.md"

// cutDoc returns the text of the document around and between the two comments of a part.
func cutDoc(t *testing.T, part string) (before, inside, after string) {
	t.Helper()
	content, err := os.ReadFile(docPath)
	require.NoError(t, err)
	begin, end := "<!-- "+part+": begin -->\n", "<!-- "+part+": end -->"
	before, rest, found := strings.Cut(string(content), begin)
	require.True(t, found, begin)
	inside, after, found = strings.Cut(rest, end)
	require.True(t, found, end)
	return before + begin, inside, end + after
}

func TestDocumentedKeys(t *testing.T) {
	t.Parallel()
	before, inside, after := cutDoc(t, "keys")
	want := keysAsMarkdown()
	if *update {
		require.NoError(t, os.WriteFile(docPath, []byte(before+want+after), 0o600))
	}
	require.Equal(t, want, inside, "run this test with -update")
}

func keysAsMarkdown() string {
	var b strings.Builder
	var section string
	for _, k := range keys(new(Config)) {
		if k.section() != section {
			section = k.section()
			fmt.Fprintf(&b, "\n### %s\n\n| key | variable | type | default | meaning |\n|---|---|---|---|---|\n", section)
		}
		standard := cmp.Or(k.shown, "`"+k.fallback+"`")
		if k.required != "" {
			standard = "none: required"
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s | %s |\n", k.name, k.env(), k.value.kind(), standard, k.doc)
	}
	return b.String() + "\n"
}

func TestDocumentedExample(t *testing.T) {
	t.Parallel()
	_, example, _ := cutDoc(t, "example")
	example = strings.TrimSuffix(strings.TrimPrefix(example, "```yaml\n"), "```\n")
	c, err := Load(Options{File: writeFile(t, "config.yaml", example), Environ: testEnviron()})
	require.NoError(t, err)
	require.Equal(t, []string{RoleActivities}, c.Worker.Roles)
	require.Equal(t, "temporal.example:7233", c.Temporal.Address)
}

func TestEveryFieldHasAKey(t *testing.T) {
	t.Parallel()
	c, err := Load(Options{File: writeFile(t, "config.yaml", ""), Environ: testEnviron(needed...)})
	require.NoError(t, err)
	values := map[string]bool{}
	for _, k := range keys(&c) {
		require.NotEmpty(t, k.doc, k.name)
		require.False(t, values[k.name], "%s is there twice", k.name)
		values[k.name] = true
	}
	const file = 1 // Config.File is not a key
	require.Len(t, values, countFields(reflect.ValueOf(c))-file)
}

// countFields returns the number of exported fields that are not structs themselves, in v and the structs in it.
func countFields(v reflect.Value) int {
	if v.Kind() != reflect.Struct {
		return 1
	}
	var n int
	for i := range v.NumField() {
		if v.Type().Field(i).IsExported() {
			n += countFields(v.Field(i))
		}
	}
	return n
}
