package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/coalesce"
	"github.com/attune-automation/sensors/internal/sensor"
)

// Parts of at most sharedItems items share transactions with those of other sensors, sharedParts of them at a time, in
// sharedCommits transactions at once.
const (
	sharedItems   = 8
	sharedParts   = 250
	sharedCommits = 1
)

// AppendEvents is Append followed by CommitEvents, of items that passed all checks, in one transaction: the payloads are
// never stored but as events, which are returned. Small parts of several sensors that come at the same time share a
// transaction, which locks each sensor as if it were alone; what becomes of one is nothing to the others.
//
// What is not as simple as that is appended as by Append, and returned without events: a part that brings nothing or is too
// large for one batch, that changes entries, or whose keys suppress an item; one of a sensor with payloads that wait to
// become events, or that somebody else has locked; and one with something that PostgreSQL refuses.
func (s *Store) AppendEvents(ctx context.Context, turn sensor.Turn, part sensor.Part) (sensor.Appended, error) {
	a, ok, err := newArrival(turn, part)
	if err != nil {
		return sensor.Appended{}, fmt.Errorf("storing what sensor %q brought: %w", turn.Sensor.Ref, err)
	}
	if !ok {
		return s.Append(ctx, turn, part)
	}
	var outcome arrived
	if len(part.Items) > sharedItems || len(part.Deliveries) > 0 {
		outcome, err = s.arriveAlone(ctx, a)
	} else {
		outcome, err = s.arrivals.Do(ctx, a)
	}
	switch {
	case ctx.Err() != nil:
		return sensor.Appended{}, fmt.Errorf("storing what sensor %q brought: %w", turn.Sensor.Ref, ctx.Err())
	case err == nil && outcome.done:
		return outcome.Appended, nil
	}
	return s.Append(ctx, turn, part) // which finds out for this part alone what is the matter
}

// arrival is a part that may become events at once.
type arrival struct {
	turn   sensor.Turn
	part   sensor.Part
	keys   partKeys
	config json.RawMessage
}

// arrived is what became of an arrival.
type arrived struct {
	sensor.Appended
	done bool // false: nothing was written
}

// newArrival says whether the part is simple enough, as far as can be seen without the database.
func newArrival(turn sensor.Turn, part sensor.Part) (a *arrival, ok bool, err error) {
	simple := len(part.Items) > 0 && len(part.Entries) == 0 && !part.ResetEntries &&
		checkItems(turn.Sensor, part.Items) == nil && checkMarks(part) == nil && len(split(part.Items)) == 1
	if !simple {
		return nil, false, nil
	}
	a = &arrival{turn: turn, part: part, keys: newPartKeys(part.Items)}
	keyed := 0
	for i := range part.Items {
		if part.Items[i].Key != "" {
			keyed++
		}
	}
	if keyed > len(a.keys.distinct) || keyed > 0 && turn.Sensor.DedupeTTL <= 0 {
		return nil, false, nil
	}
	a.config, err = sensor.TakeSnapshot(turn.Trigger, &turn.Sensor)
	return a, err == nil, err
}

func newArrivals(s *Store) (*coalesce.Gatherer[*arrival, arrived], error) {
	return coalesce.New(coalesce.Config[*arrival, arrived]{Work: s.arriveTogether, Most: sharedParts, Parallel: sharedCommits})
}

func (s *Store) arriveAlone(ctx context.Context, a *arrival) (arrived, error) {
	all, err := s.arrive(ctx, []*arrival{a})
	if err != nil {
		return arrived{}, err
	}
	return all[0], nil
}

// arriveTogether writes what it can of the parts: of those that PostgreSQL refuses nothing.
func (s *Store) arriveTogether(ctx context.Context, arrivals []*arrival) ([]arrived, error) {
	return inHalves(arrivals, func(part []*arrival) ([]arrived, error) { return s.arrive(ctx, part) },
		func(error) arrived { return arrived{} })
}

// arrive writes what it can of the parts, in one transaction.
func (s *Store) arrive(ctx context.Context, arrivals []*arrival) ([]arrived, error) {
	all := make([]arrived, len(arrivals))
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		fit, err := lockArrivals(ctx, tx, arrivals)
		if err != nil || len(fit) == 0 {
			return err
		}
		w := arriving{}
		for _, n := range fit {
			w.arrivals = append(w.arrivals, arrivals[n])
		}
		if err := w.insertBatches(ctx, tx); err != nil {
			return err
		}
		if err := w.insertEvents(ctx, tx); err != nil {
			return err
		}
		for i, n := range fit {
			head := sensor.BatchHead{ID: w.batches[i].ID, Count: w.batches[i].Count}
			all[n] = arrived{done: true, Appended: sensor.Appended{
				Batches: []sensor.BatchHead{head}, Seq: w.batches[i].Seq, Events: w.events[i],
			}}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("storing events of %d polls: %w", len(arrivals), err)
	}
	return all, nil
}

// lockArrivals locks the states of sensors that nobody else has locked, which waits for nobody, and returns the places of the
// parts that can become events now. The statements are separate, so that those that follow see what was committed before
// the locks were taken.
func lockArrivals(ctx context.Context, tx pgx.Tx, arrivals []*arrival) (fit []int, err error) {
	states, taken := map[string]state{}, map[string]bool{}
	var refs, fresh, keys, owners []string
	for _, a := range arrivals {
		ref := a.turn.Sensor.Ref
		if refs = append(refs, ref); a.turn.TailSeq == 0 {
			fresh = append(fresh, ref)
		}
		for _, key := range a.keys.distinct {
			keys, owners = append(keys, key), append(owners, ref)
		}
	}
	batch := &pgx.Batch{}
	if len(fresh) > 0 {
		batch.Queue(`
			insert into attune.sensor_state (sensor_ref) select distinct ref from unnest(@refs::text[]) as n (ref) order by ref
			on conflict do nothing`, pgx.NamedArgs{"refs": fresh})
	}
	batch.Queue(`select sensor_ref, committed_seq from attune.sensor_state where sensor_ref = any(@refs) for update skip locked`,
		pgx.NamedArgs{"refs": refs}).Query(func(rows pgx.Rows) error {
		var ref string
		var st state
		_, err := pgx.ForEachRow(rows, []any{&ref, &st.committedSeq}, func() error { states[ref] = st; return nil })
		return err
	})
	batch.Queue(`
		select sensor_ref, max(seq) from attune.poll_batch where sensor_ref = any(@refs) and status <> 'done' group by sensor_ref`,
		pgx.NamedArgs{"refs": refs}).Query(func(rows pgx.Rows) error {
		var ref string
		var last int64
		_, err := pgx.ForEachRow(rows, []any{&ref, &last}, func() error {
			if st, locked := states[ref]; locked {
				st.lastSeq = last
				states[ref] = st
			}
			return nil
		})
		return err
	})
	if len(keys) > 0 {
		batch.Queue(`
			select k.sensor_ref from unnest(@owners::text[], @keys::text[]) as n (ref, key)
			join attune.event_key k on k.sensor_ref = n.ref and k.key = n.key where k.expires > now()`,
			pgx.NamedArgs{"owners": owners, "keys": keys}).Query(func(rows pgx.Rows) error {
			var ref string
			_, err := pgx.ForEachRow(rows, []any{&ref}, func() error { taken[ref] = true; return nil })
			return err
		})
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return nil, err
	}
	for i, a := range arrivals {
		ref := a.turn.Sensor.Ref
		st, locked := states[ref]
		if locked && st.tail() == a.turn.TailSeq && st.committedSeq == st.tail() && !taken[ref] {
			fit = append(fit, i)
			delete(states, ref) // another part of the same sensor comes too late
		}
	}
	return fit, nil
}
