package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

// applyLock is the advisory lock that packs are applied under, one at a time: one pack may use another's triggers.
const applyLock = 0x41_74_74_75_6e_65 // "Attune"

// errDryRun rolls back what was only tried.
var errDryRun = errors.New("dry run")

// ApplyOptions say how ApplyPack goes about it.
type ApplyOptions struct {
	Prune  bool // delete what the pack no longer has
	DryRun bool // change nothing; return what would change

	// Check says what is wrong with all sensors that there are then, and so undoes the apply; nil: nothing is looked at.
	Check func(sensors []sensor.Sensor) error
}

// LeftOver returns what is stored of a pack and the pack no longer has: what an apply with Prune would delete.
func (s *Store) LeftOver(ctx context.Context, p sensor.Pack) ([]sensor.Change, error) {
	var left []sensor.Change
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		stored, err := storedPack(ctx, tx, p.Ref)
		if err != nil {
			return err
		}
		left = slices.DeleteFunc(diffPack(stored, p, true), func(c sensor.Change) bool { return c.Action != sensor.ActionDelete })
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking for what pack %q no longer has: %w", p.Ref, err)
	}
	return left, nil
}

// ApplyPack makes what is stored equal to a pack, in one transaction, and returns what it changed: nothing, and no row
// is touched, if it was equal before. JSON that differs only in notation is equal. A sensor's version grows with its
// definition and its pack's code, and when its trigger is enabled or disabled; a trigger's ruleset grows when its rules
// change. Triggers that other packs still use are not deleted: the error names who uses them.
func (s *Store) ApplyPack(ctx context.Context, p sensor.Pack, opts ApplyOptions) ([]sensor.Change, error) {
	var changes []sensor.Change
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock($1)`, applyLock); err != nil {
			return err
		}
		stored, err := storedPack(ctx, tx, p.Ref)
		if err != nil {
			return err
		}
		changes = diffPack(stored, p, opts.Prune)
		if len(changes) == 0 {
			return nil
		}
		w := packWriter{tx: tx, pack: p, stored: stored, changes: changes}
		if err := w.write(ctx); err != nil {
			return err
		}
		if err := opts.check(ctx, tx); err != nil {
			return err
		}
		if opts.DryRun {
			return errDryRun
		}
		return nil
	})
	if err != nil && !errors.Is(err, errDryRun) {
		return nil, fmt.Errorf("applying pack %q: %w", p.Ref, err)
	}
	return changes, nil
}

func (o ApplyOptions) check(ctx context.Context, tx pgx.Tx) error {
	if o.Check == nil {
		return nil
	}
	sensors, err := list[sensor.Sensor](ctx, tx, `select `+sensorColumns+` from `+sensorTables+` order by s.ref`, nil)
	if err != nil {
		return err
	}
	return o.Check(sensors)
}

// storedPack returns what is stored of a pack, without its archive; zero if nothing is.
func storedPack(ctx context.Context, tx pgx.Tx, ref string) (sensor.Pack, error) {
	type row struct{ Ref, Label, Description, Version, Digest string }
	args := pgx.NamedArgs{"ref": ref}
	head, err := one[row](ctx, tx, `
		select ref, label, description, version, digest from attune.pack where ref = @ref`, args)
	if errors.Is(err, sensor.ErrNotFound) {
		return sensor.Pack{}, nil
	} else if err != nil {
		return sensor.Pack{}, err
	}
	p := sensor.Pack{
		Ref: head.Ref, Label: head.Label, Description: head.Description, Version: head.Version, Digest: head.Digest,
	}
	if p.Triggers, err = list[sensor.Trigger](ctx, tx, triggerSelect+` where p.ref = @ref`, args); err != nil {
		return sensor.Pack{}, err
	}
	p.Rules, err = list[sensor.Rule](ctx, tx, `select `+ruleColumns+` from `+ruleTables+` where p.ref = @ref`, args)
	if err != nil {
		return sensor.Pack{}, err
	}
	type definition struct {
		sensor.Sensor
		Declared bool // enabled as the pack's file has it, whatever the trigger's is
	}
	sensors, err := list[definition](ctx, tx, `
		select `+sensorColumns+`, s.enabled as declared from `+sensorTables+` where p.ref = @ref`, args)
	for _, d := range sensors {
		d.Sensor.Enabled = d.Declared
		p.Sensors = append(p.Sensors, d.Sensor)
	}
	return p, err
}
