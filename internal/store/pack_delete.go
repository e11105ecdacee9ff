package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

func (w *packWriter) deleteParts(ctx context.Context) error {
	if refs := w.deleted(kindRule); len(refs) > 0 {
		if _, err := w.tx.Exec(ctx, endVersions, pgx.NamedArgs{"refs": refs}); err != nil {
			return err
		}
		if _, err := w.tx.Exec(ctx, `delete from attune.rule where ref = any(@refs)`, pgx.NamedArgs{"refs": refs}); err != nil {
			return err
		}
	}
	if refs := w.deleted(kindSensor); len(refs) > 0 {
		if err := batchLeftDeliveries(ctx, w.tx, refs); err != nil {
			return err
		}
		if _, err := w.tx.Exec(ctx, `delete from attune.sensor where ref = any(@refs)`, pgx.NamedArgs{"refs": refs}); err != nil {
			return err
		}
	}
	return nil
}

// deleteTriggers comes last: whatever uses a trigger now is another pack's.
func (w *packWriter) deleteTriggers(ctx context.Context) error {
	refs := w.deleted(kindTrigger)
	if len(refs) == 0 {
		return nil
	}
	rows, err := w.tx.Query(ctx, `
		select format('trigger %s is still used by sensor %s', used, ref)
		from attune.sensor, unnest(trigger_ref || other_trigger_refs) as used where used = any(@refs)
		union all
		select format('trigger %s is still used by rule %s', trigger_ref, ref)
		from attune.rule where trigger_ref = any(@refs)
		order by 1`, pgx.NamedArgs{"refs": refs})
	if err != nil {
		return err
	}
	uses, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	if len(uses) > 0 {
		return fmt.Errorf("%s: change or delete what uses it first, or keep it in the pack", strings.Join(uses, "; "))
	}
	_, err = w.tx.Exec(ctx, `delete from attune.trigger where ref = any(@refs)`, pgx.NamedArgs{"refs": refs})
	return err
}
