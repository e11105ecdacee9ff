package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

// RuleVersion is what a rule was from one change to the next.
type RuleVersion struct {
	sensor.Rule
	Since time.Time
	Until *time.Time // nil: it is in force
}

// ruleVersionSelect reads definitions as rows of attune.rule: what that table has is what a version has. The pack may be
// gone, but not its name.
const ruleVersionSelect = `
	select ` + ruleColumns + `, v.created as since, v.ended as until
	from attune.rule_version v
	cross join lateral jsonb_populate_record(null::attune.rule, v.definition) r
	cross join lateral (select split_part(v.rule_ref, '.', 1) as ref) p`

// RuleVersions returns what a rule has been, the latest version first.
func (s *Store) RuleVersions(ctx context.Context, ref string) ([]RuleVersion, error) {
	versions, err := list[RuleVersion](ctx, s.pool, ruleVersionSelect+`
		where v.rule_ref = @ref order by v.version desc`, pgx.NamedArgs{"ref": ref})
	if err != nil {
		return nil, fmt.Errorf("listing the versions of rule %q: %w", ref, err)
	}
	return versions, nil
}

// RulesAt returns the rules, enabled or not, that belonged to a trigger when its ruleset had this number, by ref.
func (s *Store) RulesAt(ctx context.Context, triggerRef string, ruleset int64) ([]RuleVersion, error) {
	versions, err := list[RuleVersion](ctx, s.pool, ruleVersionSelect+`
		where v.trigger_ref = @trigger and v.ruleset <= @ruleset
			and (v.ended_ruleset is null or v.ended_ruleset > @ruleset)
		order by v.rule_ref`, pgx.NamedArgs{"trigger": triggerRef, "ruleset": ruleset})
	if err != nil {
		return nil, fmt.Errorf("loading the rules that trigger %q had: %w", triggerRef, err)
	}
	return versions, nil
}
