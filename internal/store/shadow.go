package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

// sortMatches returns the matches that order something and those of shadow rules, each in their order.
func sortMatches(matches []sensor.Match) (orders, shadows []sensor.Match) {
	if !slices.ContainsFunc(matches, isShadow) {
		return matches, nil
	}
	for _, m := range matches {
		if isShadow(m) {
			shadows = append(shadows, m)
		} else {
			orders = append(orders, m)
		}
	}
	return orders, shadows
}

func isShadow(m sensor.Match) bool { return m.Rule.Shadow }

// insertShadowMatches refuses a match of an event that is not of the batch, as insertEnforcements does.
func insertShadowMatches(ctx context.Context, tx pgx.Tx, batchID int64, matches []sensor.Match) error {
	for part := range slices.Chunk(matches, maxMatches) {
		events, versions, refs := make([]int64, len(part)), make([]int64, len(part)), make([]string, len(part))
		for i, m := range part {
			events[i], versions[i], refs[i] = m.Event.ID, m.Rule.Version, m.Rule.Ref
		}
		if _, err := tx.Exec(ctx, `
			insert into attune.shadow_match (event, rule_ref, rule_version)
			select case when e.batch = @batch then e.id end, m.ref, m.version
			from unnest(@events::bigint[], @refs::text[], @versions::bigint[]) as m (event, ref, version)
			left join attune.event e on e.id = m.event
			on conflict (event, rule_ref) do nothing`,
			pgx.NamedArgs{"batch": batchID, "events": events, "refs": refs, "versions": versions}); err != nil {
			return fmt.Errorf("writing matches of shadow rules: %w", err)
		}
	}
	return nil
}
