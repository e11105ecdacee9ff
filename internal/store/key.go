package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

// partKeys are the keys of a part's items: which of them are taken, and how often each was met again.
type partKeys struct {
	distinct []string
	taken    map[string]bool // stored and not expired, or by an earlier item of the part
	repeated map[string]int  // how many items each suppresses
	fresh    []sensor.Item   // the items that are left, in order
}

func newPartKeys(items []sensor.Item) partKeys {
	var k partKeys
	seen := map[string]bool{}
	for i := range items {
		if key := items[i].Key; key != "" && !seen[key] {
			seen[key] = true
			k.distinct = append(k.distinct, key)
		}
	}
	return k
}

// queue adds the statement that finds out which keys are taken. It must run after the sensor's state is locked.
func (k *partKeys) queue(batch *pgx.Batch, sensorRef string) {
	if len(k.distinct) == 0 {
		return
	}
	batch.Queue(`
		select key from attune.event_key where sensor_ref = @ref and key = any(@keys) and expires > now()`,
		pgx.NamedArgs{"ref": sensorRef, "keys": k.distinct},
	).Query(func(rows pgx.Rows) error {
		k.taken = make(map[string]bool, len(k.distinct))
		var key string
		_, err := pgx.ForEachRow(rows, []any{&key}, func() error {
			k.taken[key] = true
			return nil
		})
		return err
	})
}

// suppress returns the items whose keys are not taken, and how many that leaves out.
func (k *partKeys) suppress(items []sensor.Item) (fresh []sensor.Item, suppressed int) {
	if len(k.distinct) == 0 {
		return items, 0
	}
	k.repeated = map[string]int{}
	for _, item := range items {
		switch {
		case item.Key == "":
		case k.taken[item.Key]:
			k.repeated[item.Key]++
			suppressed++
			continue
		default:
			k.taken[item.Key] = true
		}
		k.fresh = append(k.fresh, item)
	}
	return k.fresh, suppressed
}

// errNoTTL is a mistake of the caller.
var errNoTTL = errors.New("no dedupe TTL: apply the worker's defaults to the sensor")

// write stores the keys of the items that became the batches, over those that have expired, and counts what was
// suppressed. The sensor's state is locked, so that nobody else writes its keys meanwhile but to delete expired ones.
func (k *partKeys) write(ctx context.Context, tx pgx.Tx, s sensor.Sensor, heads []sensor.BatchHead) error {
	if len(k.distinct) == 0 {
		return nil
	}
	if s.DedupeTTL <= 0 {
		return errNoTTL
	}
	batch := &pgx.Batch{}
	rows := k.rows(s, heads)
	rows.queue(batch)
	if len(k.repeated) > 0 {
		keys, counts := make([]string, 0, len(k.repeated)), make([]int, 0, len(k.repeated))
		for key, count := range k.repeated {
			keys, counts = append(keys, key), append(counts, count)
		}
		batch.Queue(`
			update attune.event_key k set suppressed = suppressed + n.count, last_suppressed = now()
			from unnest(@keys::text[], @counts::int[]) as n (key, count)
			where k.sensor_ref = @ref and k.key = n.key`,
			pgx.NamedArgs{"ref": s.Ref, "keys": keys, "counts": counts})
	}
	return tx.SendBatch(ctx, batch).Close()
}

// rows returns the keys of the items that are left, with the batch and the position of each.
func (k *partKeys) rows(s sensor.Sensor, heads []sensor.BatchHead) (rows keyRows) {
	next := 0
	for _, head := range heads {
		for position, item := range k.fresh[next : next+head.Count] {
			rows.add(s, item.Key, head.ID, position)
		}
		next += head.Count
	}
	return rows
}

// keyRows are rows of attune.event_key to be, as columns.
type keyRows struct {
	refs, keys []string
	batches    []int64
	positions  []int
	ttls       []float64 // seconds
}

// add adds the key of an item, unless it has none.
func (r *keyRows) add(s sensor.Sensor, key string, batchID int64, position int) {
	if key == "" {
		return
	}
	r.refs, r.keys, r.ttls = append(r.refs, s.Ref), append(r.keys, key), append(r.ttls, s.DedupeTTL.Seconds())
	r.batches, r.positions = append(r.batches, batchID), append(r.positions, position)
}

// queue adds the statement that writes the rows over those that have expired, if there are any.
func (r *keyRows) queue(batch *pgx.Batch) {
	if len(r.keys) == 0 {
		return
	}
	batch.Queue(`
		insert into attune.event_key (sensor_ref, key, batch, position, expires)
		select n.ref, n.key, n.batch, n.position, now() + make_interval(secs => n.ttl)
		from unnest(@refs::text[], @keys::text[], @batches::bigint[], @positions::int[], @ttls::float8[])
			as n (ref, key, batch, position, ttl)
		on conflict (sensor_ref, key) do update set batch = excluded.batch, position = excluded.position,
			created = excluded.created, expires = excluded.expires, suppressed = 0, last_suppressed = null`,
		pgx.NamedArgs{"refs": r.refs, "keys": r.keys, "batches": r.batches, "positions": r.positions, "ttls": r.ttls})
}
