package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/internal/backtest"
	"github.com/attune-automation/sensors/internal/correlation"
	"github.com/attune-automation/sensors/internal/pack"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

// backtestFlags are what a backtest is given.
type backtestFlags struct {
	since, until since
	trigger      string
	compare      bool
}

// backtested is a backtest as people and programs see it.
type backtested struct {
	RuleRef        string     `json:"rule_ref"`
	TriggerRefs    []string   `json:"trigger_refs"`
	Since          time.Time  `json:"since"`
	Until          *time.Time `json:"until,omitempty"`
	MatchesPerHour float64    `json:"matches_per_hour"`
	backtest.Report
}

func (b *backtested) triggers() string { return strings.Join(b.TriggerRefs, ", ") }

func newRuleBacktest(s *session) *cobra.Command {
	var f backtestFlags
	c := &cobra.Command{
		Use:   "backtest FILE|REF[@VERSION]",
		Short: "Say what a rule would have matched of the events that are there",
		Long: `Say what a rule would have matched of the events that are there: how many, how many an hour, and which. The rule is that
of a file, as in a pack, or one that is stored, as it is or in one of its versions. Its conditions and its times count;
whether it is enabled or a shadow does not. If it has a throttle or is a correlation, also how many enforcements there would be. Nothing is
written.

With --compare, say what is different from the version in force: what it matches more, and what fewer.`,
		Example: `  starter rule backtest rules/frost.yaml --since 7d
  starter rule backtest rules/frost.yaml --since 7d --compare
  starter rule backtest weather.frost@2 --since 24h --compare`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return s.backtest(c.Context(), args[0], f) },
	}
	flags := c.Flags()
	flags.Var(&f.since, "since", "events written since then: 2026-01-31T08:00:00Z, or 7d ago")
	flags.Var(&f.until, "until", "events written before then, likewise")
	flags.StringVar(&f.trigger, "trigger", "", "events of the trigger with this `REF`, instead of the rule's own")
	flags.BoolVar(&f.compare, "compare", false, "say what is different from the version in force")
	_ = c.MarkFlagRequired("since") // it fails only for a flag that the command lacks
	s.completeRefFlag(c, "trigger", triggerRefs)
	return c
}

func (s *session) backtest(ctx context.Context, subject string, f backtestFlags) error {
	db, err := s.store(ctx)
	if err != nil {
		return err
	}
	rules, err := subjectRules(ctx, db, subject)
	if err != nil {
		return err
	}
	cfg := backtest.Config{Source: db, Rule: &rules[0], Parts: rules[1:], Until: f.until.time}
	result := backtested{RuleRef: rules[0].Ref, TriggerRefs: triggersOf(rules), Since: f.since.time}
	if f.compare {
		others, err := inForce(ctx, db, rules[0].Ref)
		if err != nil {
			return fmt.Errorf("--compare: %w", unknownRule(rules[0].Ref, err))
		}
		cfg.Other, cfg.Others = &others[0], others[1:]
		result.TriggerRefs = triggersOf(slices.Concat(rules, others))
	}
	switch {
	case f.trigger != "" && len(cfg.Parts)+len(cfg.Others) > 0:
		return fmt.Errorf("--trigger %s: a correlation looks at events of the triggers of all its parts, %s: leave the flag out", f.trigger, result.triggers())
	case f.trigger != "":
		result.TriggerRefs = []string{f.trigger}
		cfg.Rule.TriggerRef = f.trigger
		if cfg.Other != nil {
			cfg.Other.TriggerRef = f.trigger
		}
	}
	selection := sensor.Replay{Since: &f.since.time, TriggerRefs: result.TriggerRefs}
	if !f.until.time.IsZero() {
		selection.Until, result.Until = &f.until.time, &f.until.time
	}
	cfg.Selection, err = db.SelectEvents(ctx, selection)
	if errors.Is(err, sensor.ErrNotFound) {
		return no{fmt.Sprintf("there is no event of %s since %s", result.triggers(), moment(f.since.time))}
	}
	if err != nil {
		return err
	}
	bar := newProgress(s.env.Stderr)
	defer bar.clear()
	cfg.Progress = func(events, matches int64) {
		bar.show(events, cfg.Selection.Events, "%d of %d events, %d match", events, cfg.Selection.Events, matches)
	}
	if result.Report, err = backtest.Run(ctx, cfg); err != nil {
		return err
	}
	bar.clear()
	return s.showBacktest(result)
}

// subjectRules returns the rule of a file, or a stored one, in the version that is named or the one in force; if it is a
// correlation, its further parts follow.
func subjectRules(ctx context.Context, db *store.Store, subject string) ([]sensor.Rule, error) {
	text, err := os.ReadFile(subject)
	if err == nil {
		known, err := db.Triggers(ctx)
		if err != nil {
			return nil, err
		}
		return pack.LoadRule(subject, text, known)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	ref, number, versioned := strings.Cut(subject, "@")
	if !versioned {
		rules, err := inForce(ctx, db, ref)
		if errors.Is(err, sensor.ErrNotFound) {
			return nil, fmt.Errorf("%s is neither a file nor a rule: `starter rules` lists these", subject)
		}
		return rules, err
	}
	versions, err := db.RuleVersions(ctx, sensor.WholeOf(ref))
	if err != nil {
		return nil, err
	}
	for _, v := range versions {
		if strconv.FormatInt(v.Version, 10) == number {
			return withParts(v.Rule, func(part string) (sensor.Rule, error) { return partAt(ctx, db, part, v.Until) })
		}
	}
	return nil, fmt.Errorf("there is no version %s of rule %s: `starter rule versions %[2]s` lists them", number, ref)
}

// inForce returns a rule that is stored, and the further parts of a correlation.
func inForce(ctx context.Context, db *store.Store, ref string) ([]sensor.Rule, error) {
	r, err := db.Rule(ctx, sensor.WholeOf(ref))
	if err != nil {
		return nil, err
	}
	return withParts(r, func(part string) (sensor.Rule, error) { return db.Rule(ctx, part) })
}

// withParts finds the further parts of a correlation.
func withParts(whole sensor.Rule, find func(ref string) (sensor.Rule, error)) ([]sensor.Rule, error) {
	rules := []sensor.Rule{whole}
	d, _, err := correlation.Parse(whole.Correlation)
	if d == nil || err != nil {
		return rules, err
	}
	for _, ref := range d.Refs()[1:] {
		r, err := find(ref)
		if err != nil {
			return nil, err
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// partAt returns what a part of a correlation was when a version of its rule ended; nil: that is in force.
func partAt(ctx context.Context, db *store.Store, ref string, until *time.Time) (sensor.Rule, error) {
	versions, err := db.RuleVersions(ctx, ref)
	if err != nil {
		return sensor.Rule{}, err
	}
	for _, v := range versions { // the latest is the first
		if until == nil || v.Since.Before(*until) {
			return v.Rule, nil
		}
	}
	return sensor.Rule{}, fmt.Errorf("rule %s: %w", ref, sensor.ErrNotFound)
}

func triggersOf(rules []sensor.Rule) (refs []string) {
	for _, r := range rules {
		if !slices.Contains(refs, r.TriggerRef) {
			refs = append(refs, r.TriggerRef)
		}
	}
	return refs
}

func (s *session) showBacktest(b backtested) error {
	end := time.Now()
	if b.Until != nil {
		end = *b.Until
	}
	b.MatchesPerHour = float64(b.Matches) / max(end.Sub(b.Since), time.Second).Hours()
	if s.format != formatTable {
		return s.format.encode(s.env.Stdout, b)
	}
	s.say("%s would have matched %d of %s of %s since %s: %s an hour", b.RuleRef, b.Matches,
		count(int(b.Events), "event", "events"), b.triggers(), moment(b.Since), rate(b.MatchesPerHour))
	if b.Enforcements != nil {
		s.say("by its throttle or correlation, that would have made %s", count(int(*b.Enforcements), "enforcement", "enforcements"))
	}
	if b.Busiest != nil {
		s.say("most in the hour from %s: %d", moment(*b.Busiest), b.BusiestMatches)
	}
	if e := b.LastError; e != nil {
		s.say("its expression has no result for %s, which do not match, the last one event %d: %s",
			count(int(b.Errors), "event", "events"), e.EventID, e.Reason)
	}
	if b.Compared != nil {
		s.say("version %d, in force: %d more, %d fewer, %d the same", b.Compared.Version, b.Compared.More, b.Compared.Fewer, b.Compared.Both)
		if b.Compared.Errors > 0 {
			s.say("its expression has no result for %s", count(int(b.Compared.Errors), "event", "events"))
		}
		if b.Compared.Enforcements != nil {
			s.say("by its throttle or correlation, that one would have made %s", count(int(*b.Compared.Enforcements), "enforcement", "enforcements"))
		}
		return s.showSamples(sampled("more", b.Compared.Added), sampled("fewer", b.Compared.Dropped))
	}
	return s.showSamples(sampled("match", b.Sample))
}

// sampleRow is an event, and what it is a sample of.
type sampleRow struct {
	kind string
	backtest.Sample
}

func sampled(kind string, samples []backtest.Sample) (rows []sampleRow) {
	for _, sample := range samples {
		rows = append(rows, sampleRow{kind, sample})
	}
	return rows
}

func (s *session) showSamples(kinds ...[]sampleRow) error {
	var rows []sampleRow
	for _, kind := range kinds {
		rows = append(rows, kind...)
	}
	if len(rows) == 0 {
		return nil
	}
	return list(s, rows,
		column[sampleRow]{"SAMPLE", func(r sampleRow) string { return r.kind }},
		column[sampleRow]{"EVENT", func(r sampleRow) string { return strconv.FormatInt(r.EventID, 10) }},
		column[sampleRow]{"AT", func(r sampleRow) string { return moment(r.At) }},
		column[sampleRow]{"PAYLOAD", func(r sampleRow) string { return string(r.Payload) }},
	)
}
