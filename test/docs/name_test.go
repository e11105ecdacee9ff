package docs

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/cli"
)

var (
	quoted      = regexp.MustCompile("`([^`\n]+(?:\n[^`\n]+)?)`")
	makeTarget  = regexp.MustCompile(`^make ((?:[a-zA-Z0-9_/=.-]+ ?)+)`)
	starterCall = regexp.MustCompile(`^(?:bin/)?starter ([a-z][a-z -]*)(.*)$`)
	flagName    = regexp.MustCompile(`(?:^|\s)(--[a-z-]+|-o)\b`)
	testName    = regexp.MustCompile(`\bTest[A-Z][A-Za-z]+\b`)
)

// calls are what the page says to type: in back quotes, and the lines of shell blocks.
func calls(p page) []string {
	var all []string
	for _, m := range quoted.FindAllStringSubmatch(prose(p.text), -1) {
		all = append(all, strings.ReplaceAll(m[1], "\n", " "))
	}
	for _, b := range p.blocks("sh", "console") {
		for line := range strings.Lines(strings.ReplaceAll(b.text, "\\\n", " ")) {
			line, prompt := strings.CutPrefix(line, "$ ")
			if b.language == "console" && !prompt {
				continue
			}
			line, _, _ = strings.Cut(line, " #")
			for _, part := range regexp.MustCompile(`[|&;<]+`).Split(line, -1) {
				all = append(all, strings.TrimSpace(part))
			}
		}
	}
	return all
}

// Every target of make that a document names is in the Makefile.
func TestMakeTargets(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	require.NoError(t, err)
	found := 0
	for _, p := range pages(t) {
		for _, call := range calls(p) {
			m := makeTarget.FindStringSubmatch(call)
			if m == nil {
				continue
			}
			for _, target := range strings.Fields(m[1]) {
				if strings.Contains(target, "=") { // a variable
					continue
				}
				if family, _, ok := strings.Cut(target, "/"); ok && family == "bench" {
					target = "bench/%"
				}
				require.Regexp(t, `(?m)^`+regexp.QuoteMeta(target)+`:`, string(makefile), "%s names `make %s`", p.path, target)
				found++
			}
		}
	}
	require.Greater(t, found, 10)
}

// Every command of starter that a document names exists, with the flags that it is given.
func TestCommands(t *testing.T) {
	t.Parallel()
	found := 0
	for _, p := range pages(t) {
		for _, call := range calls(p) {
			m := starterCall.FindStringSubmatch(call)
			if m == nil {
				continue
			}
			words, rest, _ := strings.Cut(m[1], " -")
			help, name := helpOf(t, strings.Fields(words))
			require.NotEmpty(t, help, "%s names `%s`", p.path, call)
			for _, f := range flagName.FindAllStringSubmatch(" -"+rest+m[2], -1) {
				require.Regexp(t, `(?m)^ .*`+regexp.QuoteMeta(f[1])+`\b`, help, "%s names `%s`: starter %s has no %s", p.path, call, name, f[1])
			}
			found++
		}
	}
	require.Greater(t, found, 40)
}

// helpOf returns the help of the command that the words begin with; "" if there is none.
func helpOf(t *testing.T, words []string) (help, name string) {
	t.Helper()
	for n := min(2, len(words)); n > 0; n-- {
		name = strings.Join(words[:n], " ")
		var out bytes.Buffer
		code := cli.Main(t.Context(), append(append([]string{}, words[:n]...), "--help"),
			cli.Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out})
		if code == 0 && regexp.MustCompile(`(?m)^  starter `+name+`( |$)`).MatchString(out.String()) {
			return out.String(), name
		}
	}
	return "", ""
}

// Every test that a document names is there.
func TestTests(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && len(entry.Name()) > 2 {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, "_test.go") {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(text), -1) {
				known[m[1]] = true
			}
		}
		return nil
	})
	require.NoError(t, err)
	found := 0
	for _, p := range pages(t) {
		ours := strings.ReplaceAll(p.text, "unittest.TestCase", "")
		for _, name := range testName.FindAllString(ours, -1) {
			require.True(t, known[name], "%s names %s", p.path, name)
			found++
		}
	}
	require.Greater(t, found, 10)
}

// Every file and folder of the checkout that a document names in back quotes is there.
func TestPaths(t *testing.T) {
	t.Parallel()
	ours := regexp.MustCompile(`^(?:activities|deploy|docs|internal|migrations|packs|scripts|test|workflows)(?:/[A-Za-z0-9_.-]+)+$`)
	found := 0
	for _, p := range pages(t) {
		for _, m := range quoted.FindAllStringSubmatch(prose(p.text), -1) {
			if ours.MatchString(m[1]) {
				_, err := os.Stat(filepath.Join(root, m[1]))
				require.NoError(t, err, "%s names %s", p.path, m[1])
				found++
			}
		}
	}
	require.Greater(t, found, 20)
}

// Every variable and setting that a document names is one of the configuration.
func TestSettings(t *testing.T) {
	t.Parallel()
	configuration := readPage(t, "docs/configuration.md").text
	name := regexp.MustCompile("ATTUNE__[A-Z_]+[A-Z]|`(?:database|message_queue|temporal|sensor|worker|runtime|secret|webhooks|ops|log)\\.[a-z_]+`")
	columns := readPage(t, "migrations/00001_initial.sql").text
	found := 0
	for _, p := range pages(t) {
		if p.path == "docs/configuration.md" || p.path == rulesPage {
			continue
		}
		for _, m := range name.FindAllString(p.text, -1) {
			if strings.Contains(columns, "comment on column attune."+strings.Trim(m, "`")+" ") {
				continue // a table may be called as a section is
			}
			require.Contains(t, configuration, m, "%s names %s", p.path, m)
			found++
		}
	}
	require.Greater(t, found, 20)
}
