package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/internal/runner/webhook"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

// applied is what an apply did, or would do, to one pack.
type applied struct {
	packSummary
	DryRun  bool            `json:"dry_run"`
	Changes []sensor.Change `json:"changes"`
	Left    []sensor.Change `json:"left,omitempty"` // what the folder no longer has, and what stays, as it is not pruned
}

func newApply(s *session) *cobra.Command {
	var opts store.ApplyOptions
	var set []string
	var watch bool
	c := &cobra.Command{
		Use:   "apply DIR...",
		Short: "Make what is stored equal to packs",
		Long: `Make what is stored equal to packs, each in one transaction, and say what changed. Packs with problems are refused
as validate does, and then none is applied. Running sensors whose definition changed go on with the new one at once, or,
when Temporal is away, as soon as the manager looks.

With --watch, what is saved in the folders is applied at once, until interrupted; what is wrong with it is shown, and
what was applied before stays. What the folder no longer has is named, and stays until an apply with --prune.`,
		Example: `  starter apply packs/examples
  starter apply packs/examples --dry-run --prune
  starter apply packs/examples --watch
  starter apply packs/examples --set examples.git_commits.repository=/srv/repo`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkOverrides(args, set); err != nil {
				return err
			}
			if watch {
				return s.applyEachSave(c.Context(), args, set, opts)
			}
			return s.apply(c.Context(), args, set, opts)
		},
	}
	flags := c.Flags()
	flags.BoolVar(&opts.Prune, "prune", false, "delete what the folder no longer has")
	flags.BoolVar(&opts.DryRun, "dry-run", false, "change nothing, and show what would change")
	flags.BoolVar(&watch, "watch", false, "go on, and apply again whenever a file is saved")
	flags.StringArrayVar(&set, "set", nil, "`SENSOR_REF.KEY=VALUE` replaces a value in a sensor's config; may be repeated")
	return c
}

func (s *session) apply(ctx context.Context, dirs, set []string, opts store.ApplyOptions) error {
	db, err := s.store(ctx)
	if err != nil {
		return err
	}
	known, err := db.Triggers(ctx)
	if err != nil {
		return err
	}
	folders := loadFolders(dirs, known, set)
	if err := s.refuse(folders); err != nil {
		return err
	}
	var all []applied
	changed := false
	for _, f := range folders {
		opts.Check = func(sensors []sensor.Sensor) error { return webhook.TableOf(sensors).ConflictOf(f.pack.Ref) }
		changes, err := db.ApplyPack(ctx, f.pack, opts)
		if err != nil {
			return err
		}
		a := applied{packSummary: s.summary(f), DryRun: opts.DryRun, Changes: changes}
		if !opts.Prune {
			if a.Left, err = db.LeftOver(ctx, f.pack); err != nil {
				return err
			}
		}
		if a.Changes == nil {
			a.Changes = []sensor.Change{}
		}
		s.sayApplied(a)
		all = append(all, a)
		changed = changed || len(changes) > 0
	}
	if changed && !opts.DryRun {
		s.poke(ctx)
	}
	return s.report(map[string]any{"packs": all})
}

func (s *session) sayApplied(a applied) {
	for _, c := range a.Changes {
		s.say("%s %s %s", c.Action, c.Kind, c.Ref)
		for _, f := range c.Fields {
			before, after := shortenBoth(f.Old, f.New)
			s.say("    %s: %s -> %s", f.Field, before, after)
		}
	}
	for _, c := range a.Left {
		s.say("keep %s %s, which the folder no longer has: --prune deletes it", c.Kind, c.Ref)
	}
	switch {
	case len(a.Changes) == 0:
		s.say("pack %s is up to date", a.Ref)
	case a.DryRun:
		s.say("pack %s would have %s", a.Ref, count(len(a.Changes), "change", "changes"))
	default:
		s.say("pack %s is applied: %s", a.Ref, count(len(a.Changes), "change", "changes"))
	}
}

// poke makes the manager look at once. What was applied is in force even if that fails.
func (s *session) poke(ctx context.Context) {
	f, err := s.fleet(ctx)
	if err == nil {
		err = f.Poke(ctx)
	}
	if err == nil || ctx.Err() != nil {
		return
	}
	interval := "its interval"
	if cfg, cfgErr := s.config(); cfgErr == nil {
		interval = cfg.Sensor.ManagerInterval.String()
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	s.warn("applied, but the sensors will notice only when the manager looks, within %s: %s", interval, first)
}
