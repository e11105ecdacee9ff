package cli

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

const (
	docsFile   = "../../docs/cli.md"
	docsMarker = "-update`. -->\n"
)

// TestDocumentation keeps the page of the documentation equal to the help.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(docsFile)
	require.NoError(t, err)
	intro, got, ok := strings.Cut(string(page), docsMarker)
	require.True(t, ok, "%s has lost the comment after which the commands are written", docsFile)
	want := document(newRoot(&session{}))
	if flag.Lookup("update").Value.String() == "true" {
		require.NoError(t, os.WriteFile(docsFile, []byte(intro+docsMarker+want), 0o644))
		return
	}
	require.Equal(t, want, got, "run go test ./internal/cli -run TestDocumentation -update")
}

// TestHelp makes sure that every command explains itself.
func TestHelp(t *testing.T) {
	t.Parallel()
	walk(newRoot(&session{}), func(c *cobra.Command) {
		require.NotEmpty(t, c.Short, c.CommandPath())
		require.NotRegexp(t, `\.$`, c.Short, c.CommandPath())
		require.NotNil(t, c.Args, "%s takes any arguments", c.CommandPath())
		if c.HasSubCommands() {
			return
		}
		require.Contains(t, c.Example, "starter", "%s has no example", c.CommandPath())
		for line := range strings.Lines(c.Example) {
			require.LessOrEqual(t, len(line), 110, "%s: %s", c.CommandPath(), line)
		}
	})
}

func walk(root *cobra.Command, f func(c *cobra.Command)) {
	for _, c := range root.Commands() {
		f(c)
		walk(c, f)
	}
}

func document(root *cobra.Command) string {
	var b strings.Builder
	for _, group := range root.Groups() {
		fmt.Fprintf(&b, "\n## %s\n", strings.TrimSuffix(group.Title, ":"))
		for _, c := range root.Commands() {
			if c.GroupID != group.ID {
				continue
			}
			documentCommand(&b, c)
			walk(c, func(sub *cobra.Command) { documentCommand(&b, sub) })
		}
	}
	fmt.Fprintf(&b, "\n## Flags of every command\n\n```\n%s```\n", root.PersistentFlags().FlagUsages())
	return b.String()
}

func documentCommand(b *strings.Builder, c *cobra.Command) {
	if c.HasSubCommands() {
		return
	}
	about := c.Long
	if about == "" {
		about = c.Short + "."
	}
	fmt.Fprintf(b, "\n### %s\n\n%s\n\n```\n%s\n```\n", c.CommandPath(), about, c.UseLine())
	if flags := c.NonInheritedFlags().FlagUsages(); flags != "" {
		fmt.Fprintf(b, "\n```\n%s```\n", flags)
	}
	var example strings.Builder
	for line := range strings.Lines(c.Example) {
		example.WriteString(strings.TrimPrefix(line, "  "))
	}
	fmt.Fprintf(b, "\n```sh\n%s\n```\n", example.String())
}
