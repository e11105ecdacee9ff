package cli

import "github.com/spf13/cobra"

// packSummary is a pack that is sound.
type packSummary struct {
	Dir      string `json:"dir"`
	Ref      string `json:"ref"`
	Version  string `json:"version,omitempty"`
	Digest   string `json:"digest"`
	Triggers int    `json:"triggers"`
	Sensors  int    `json:"sensors"`
	Rules    int    `json:"rules"`
	// Warnings are what is probably a slip, though the pack can be applied.
	Warnings []problem `json:"warnings,omitempty"`
}

func (s *session) summary(f folder) packSummary {
	return packSummary{
		Warnings: s.warnings(f),
		Dir:      f.dir, Ref: f.pack.Ref, Version: f.pack.Version, Digest: f.pack.Digest,
		Triggers: len(f.pack.Triggers), Sensors: len(f.pack.Sensors), Rules: len(f.pack.Rules),
	}
}

func newValidate(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "validate DIR...",
		Short: "Check packs and report every problem at once",
		Long: `Check packs and report every problem at once: file, line, field and what to do. This needs no server and no
settings. Sensors and rules may use the triggers of the core pack and of all packs that are given together. The exit
code is 1 if there is any problem.`,
		Example: `  starter validate packs/examples
  starter validate packs/github packs/alerts -o json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			core, err := corePack()
			if err != nil {
				return err
			}
			folders := loadFolders(args, core.Triggers, nil)
			if err := s.refuse(folders); err != nil {
				return err
			}
			var summaries []packSummary
			for _, f := range folders {
				p := s.summary(f)
				s.say("pack %s is sound: %s, %s, %s", p.Ref, count(p.Triggers, "trigger", "triggers"),
					count(p.Sensors, "sensor", "sensors"), count(p.Rules, "rule", "rules"))
				summaries = append(summaries, p)
			}
			return s.report(map[string]any{"packs": summaries})
		},
	}
}
