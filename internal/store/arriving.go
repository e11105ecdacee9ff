package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

// arriving writes parts that can become events, of sensors whose states are locked.
type arriving struct {
	arrivals []*arrival
	batches  []sensor.Batch   // of each arrival
	events   [][]sensor.Event // of each arrival, in order
}

// insertBatches inserts batches that are generated, without payloads.
func (w *arriving) insertBatches(ctx context.Context, tx pgx.Tx) error {
	n := len(w.arrivals)
	w.batches = make([]sensor.Batch, n)
	ids, refs, triggers := make([]int64, n), make([]string, n), make([]string, n)
	seqs, counts, configs, cursors := make([]int64, n), make([]int, n), make([]string, n), make([]*string, n)
	places := make(map[string]*sensor.Batch, n)
	for i, a := range w.arrivals {
		def := &a.turn.Sensor
		ids[i], refs[i], triggers[i], seqs[i] = def.ID, def.Ref, def.TriggerRef, a.turn.TailSeq+1
		counts[i], configs[i], cursors[i] = len(a.part.Items), string(a.config), nullable(a.part.Cursor)
		w.batches[i] = sensor.Batch{
			SensorID: &def.ID, SensorRef: def.Ref, TriggerRef: def.TriggerRef, Seq: seqs[i], Status: sensor.BatchGenerated, Count: counts[i],
		}
		places[def.Ref] = &w.batches[i]
	}
	rows, err := tx.Query(ctx, `
		insert into attune.poll_batch (sensor, sensor_ref, trigger_ref, seq, status, count, config, cursor, generated)
		select n.sensor, n.ref, n.trigger, n.seq, 'generated', n.count, n.config::jsonb, n.cursor::jsonb, now()
		from unnest(@sensors::bigint[], @refs::text[], @triggers::text[], @seqs::bigint[], @counts::int[], @configs::text[],
			@cursors::text[]) as n (sensor, ref, trigger, seq, count, config, cursor)
		returning id, sensor_ref, config`,
		pgx.NamedArgs{
			"sensors": ids, "refs": refs, "triggers": triggers, "seqs": seqs, "counts": counts, "configs": configs, "cursors": cursors,
		})
	if err != nil {
		return err
	}
	var id int64
	var ref string
	var config []byte
	_, err = pgx.ForEachRow(rows, []any{&id, &ref, &config}, func() error {
		places[ref].ID, places[ref].Config = id, append([]byte(nil), config...)
		return nil
	})
	return err
}

// insertEvents inserts the events, moves the sensors on, and writes the keys and marks that belong to the parts.
func (w *arriving) insertEvents(ctx context.Context, tx pgx.Tx) error {
	batch := &pgx.Batch{}
	w.queueEvents(batch)
	w.queueStates(batch)
	w.queueKeys(batch)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return err
	}
	for i, a := range w.arrivals {
		head := sensor.BatchHead{ID: w.batches[i].ID, Count: w.batches[i].Count}
		err := markDeliveries(ctx, tx, a.turn.Sensor.Ref, a.part.Deliveries, []sensor.BatchHead{head})
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *arriving) queueEvents(batch *pgx.Batch) {
	var fresh eventRows
	places := make(map[int64]int, len(w.batches)) // by ID
	for i, a := range w.arrivals {
		places[w.batches[i].ID] = i
		for position, item := range a.part.Items {
			fresh.add(w.batches[i].ID, sensor.NewEvent{
				Position: position, Payload: item.Payload, TriggerRef: item.TriggerRef, OccurredAt: item.OccurredAt,
			})
		}
	}
	w.events = make([][]sensor.Event, len(w.arrivals))
	batch.Queue(insertEventsSQL, fresh.args()).Query(func(rows pgx.Rows) error {
		batchOf := func(id int64) *sensor.Batch { return &w.batches[places[id]] }
		return collectInserted(rows, batchOf, func(e sensor.Event) {
			w.events[places[e.BatchID]] = append(w.events[places[e.BatchID]], e)
		})
	})
}

// queueStates moves the cursors, each with its events.
func (w *arriving) queueStates(batch *pgx.Batch) {
	refs, seqs, cursors := make([]string, len(w.arrivals)), make([]int64, len(w.arrivals)), make([]*string, len(w.arrivals))
	for i, a := range w.arrivals {
		refs[i], seqs[i], cursors[i] = a.turn.Sensor.Ref, w.batches[i].Seq, nullable(a.part.Cursor)
	}
	batch.Queue(`
		update attune.sensor_state st set committed_seq = n.seq, cursor = coalesce(n.cursor::jsonb, st.cursor), updated = now()
		from unnest(@refs::text[], @seqs::bigint[], @cursors::text[]) as n (ref, seq, cursor) where st.sensor_ref = n.ref`,
		pgx.NamedArgs{"refs": refs, "seqs": seqs, "cursors": cursors})
}

// queueKeys stores the keys of the items.
func (w *arriving) queueKeys(batch *pgx.Batch) {
	var keys keyRows
	for i, a := range w.arrivals {
		for position, item := range a.part.Items {
			keys.add(a.turn.Sensor, item.Key, w.batches[i].ID, position)
		}
	}
	keys.queue(batch)
}
