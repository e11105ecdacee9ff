package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/internal/store"
)

// completionTimeout is how long a shell waits for refs from the database.
const completionTimeout = 2 * time.Second

func newCompletion() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "Print a script that completes commands, flags and refs in your shell",
		Example: `  source <(starter completion bash)
  starter completion bash > /etc/bash_completion.d/starter
  starter completion zsh > "${fpath[1]}/_starter"
  starter completion fish > ~/.config/fish/completions/starter.fish`,
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"bash", "zsh", "fish"},
		RunE: func(c *cobra.Command, args []string) error {
			out := c.OutOrStdout()
			switch args[0] {
			case "zsh":
				return c.Root().GenZshCompletion(out)
			case "fish":
				return c.Root().GenFishCompletion(out, true)
			default:
				return c.Root().GenBashCompletionV2(out, true)
			}
		},
	}
}

// lister returns the refs of a kind.
type lister func(ctx context.Context, db *store.Store) ([]string, error)

// completeRefs offers refs to the shell, for one argument or for a flag; none when the database cannot be asked.
func (s *session) completeRefs(list lister) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		const none = cobra.ShellCompDirectiveNoFileComp
		ctx, cancel := context.WithTimeout(c.Context(), completionTimeout)
		defer cancel()
		db, err := s.store(ctx)
		if err != nil {
			return nil, none
		}
		refs, err := list(ctx, db)
		if err != nil {
			return nil, none
		}
		return refs, none
	}
}

// completeRefFlag offers refs to the shell for a flag.
func (s *session) completeRefFlag(c *cobra.Command, flag string, list lister) {
	// It fails only for a flag that the command lacks.
	_ = c.RegisterFlagCompletionFunc(flag, s.completeRefs(list))
}

// completeSensor offers sensors for the first argument and nothing for the others.
func (s *session) completeSensor() cobra.CompletionFunc {
	complete := s.completeRefs(sensorRefs)
	return func(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return complete(c, args, begun)
	}
}
