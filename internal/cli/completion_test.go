package cli_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCompletionScripts(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish"} {
		require.Contains(t, newBench(t).ok("completion", shell), "starter", shell)
	}
	require.Contains(t, newBench(t).fails(2, "completion", "tcsh"), `"tcsh"`)
}

func TestCompletionOffersRefs(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase()
	b.ok("apply", folder(t, "shop"))
	for args, want := range map[string]string{
		"start-sensor ":             "shop.orders\nshop.returns\nshop.silent\n:4\n",
		"start-sensor shop.orders ": ":4\n",
		"emit --payload {} ":        "shop.order\nshop.quiet\n:4\n",
		"events --sensor ":          "shop.orders\nshop.returns\nshop.silent\n:4\n",
		"enforcements --rule ":      "shop.big\nshop.every\n:4\n",
		"sensors --state ":          "running\npaused\nbacking_off\nfailed\nstopped\ncompleted\ndisabled\nwaiting\n:4\n",
		"events -o ":                "table\njson\nyaml\n:4\n",
		"rule test --condition ":    "all\nany\n:4\n",
		"completion ":               "bash\nzsh\nfish\n:4\n",
	} {
		require.Equal(t, want, b.ok(append([]string{"__complete"}, strings.Split(args, " ")...)...), args)
	}
	b.set("ATTUNE__DATABASE__URL", "postgres://"+nowhere+"/attune")
	require.Equal(t, ":4\n", b.ok("__complete", "start-sensor", ""), "no database, no refs and no error")
}
