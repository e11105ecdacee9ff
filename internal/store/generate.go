package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

// CommitEvents turns a batch's payloads into event rows and rejected payloads and moves the sensor's cursor, all or
// nothing. Every position of the batch must be in exactly one of the two lists. What PostgreSQL itself refuses among
// events is added to the rejected. The keys of rejected payloads are free again. Event IDs grow with the position. The
// events are returned as PostgreSQL holds them, in order. A batch that is already generated is left as it is and its
// events are returned; one whose predecessor is not yet generated is sensor.ErrTurnLost.
func (s *Store) CommitEvents(
	ctx context.Context, b sensor.Batch, events []sensor.NewEvent, rejected []sensor.Rejection,
) ([]sensor.Event, error) {
	var stored []sensor.Event
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		locked, err := lockForEvents(ctx, tx, b.ID)
		if err != nil {
			return err
		}
		if locked.Status != sensor.BatchStored {
			stored, err = eventsOfBatch(ctx, tx, b.ID)
			return err
		}
		if locked.SensorRef != "" && locked.CommittedSeq != locked.Seq-1 {
			return fmt.Errorf("%w: batch is number %d, the sensor is at %d", sensor.ErrTurnLost, locked.Seq, locked.CommittedSeq)
		}
		if err := checkPositions(locked.Count, events, rejected); err != nil {
			return err
		}
		events = slices.SortedFunc(slices.Values(events), func(x, y sensor.NewEvent) int {
			return cmp.Compare(x.Position, y.Position)
		})
		refused, err := insertEvents(ctx, tx, locked.Batch, events, &stored)
		if err != nil {
			return err
		}
		return commitGenerated(ctx, tx, b.ID, append(refused, rejected...))
	})
	if err != nil {
		return nil, fmt.Errorf("committing the events of batch %d: %w", b.ID, err)
	}
	return stored, nil
}

// lockedBatch is a batch, without its payloads, whose row and sensor's state are locked.
type lockedBatch struct {
	sensor.Batch
	CommittedSeq int64 // of the sensor; 0 for system events
}

// lockForEvents locks the state of the batch's sensor, if it has one, and then the batch.
func lockForEvents(ctx context.Context, tx pgx.Tx, id int64) (locked lockedBatch, err error) {
	args := pgx.NamedArgs{"id": id}
	batch := &pgx.Batch{}
	batch.Queue(`
		select committed_seq from attune.sensor_state
		where sensor_ref = (select sensor_ref from attune.poll_batch where id = @id) for update`, args).
		QueryRow(func(row pgx.Row) error {
			err := row.Scan(&locked.CommittedSeq)
			if errors.Is(err, pgx.ErrNoRows) {
				return nil
			}
			return err
		})
	batch.Queue(`
		select `+batchHeader+` from attune.poll_batch where id = @id for update`, args).
		Query(func(rows pgx.Rows) (err error) {
			locked.Batch, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[sensor.Batch])
			return err
		})
	return locked, notFound(tx.SendBatch(ctx, batch).Close())
}

// checkPositions says whether every position below count is there once: a payload that is left out would be lost.
func checkPositions(count int, events []sensor.NewEvent, rejected []sensor.Rejection) error {
	seen := make([]bool, count)
	visit := func(position int) error {
		if position < 0 || position >= count || seen[position] {
			return fmt.Errorf("position %d is there twice or outside the batch of %d", position, count)
		}
		seen[position] = true
		return nil
	}
	for _, e := range events {
		if err := visit(e.Position); err != nil {
			return err
		}
	}
	for _, r := range rejected {
		if err := visit(r.Position); err != nil {
			return err
		}
	}
	if missing := slices.Index(seen, false); missing >= 0 {
		return fmt.Errorf("position %d is neither an event nor rejected", missing)
	}
	return nil
}

// commitGenerated writes the rejected payloads, whose keys are free again, and moves the sensor and its batch on.
func commitGenerated(ctx context.Context, tx pgx.Tx, batchID int64, rejected []sensor.Rejection) error {
	args := pgx.NamedArgs{"batch": batchID}
	batch := &pgx.Batch{}
	positions := make([]int, len(rejected))
	for i, r := range rejected {
		positions[i] = r.Position
		batch.Queue(`
			insert into attune.rejected_event (batch, position, trigger_ref, source_ref, raw, reason)
			select id, @position, coalesce(nullif(@trigger::text, ''), trigger_ref), sensor_ref, @raw, @reason
			from attune.poll_batch where id = @batch`,
			pgx.NamedArgs{
				"batch": batchID, "position": r.Position, "trigger": r.TriggerRef, "raw": r.Raw, "reason": printable(r.Reason),
			})
	}
	if len(rejected) > 0 {
		batch.Queue(`
			delete from attune.event_key k using attune.poll_batch b
			where b.id = @batch and k.sensor_ref = b.sensor_ref and k.key = any(b.keys) and k.batch = b.id
				and k.position = any(@positions)`,
			pgx.NamedArgs{"batch": batchID, "positions": positions})
	}
	batch.Queue(`
		update attune.sensor_state st set committed_seq = b.seq, cursor = coalesce(b.cursor, st.cursor), updated = now()
		from attune.poll_batch b where b.id = @batch and st.sensor_ref = b.sensor_ref`, args)
	batch.Queue(`update attune.poll_batch set status = 'generated', generated = now() where id = @batch`, args)
	return tx.SendBatch(ctx, batch).Close()
}

// printable makes a text that may quote a payload acceptable to PostgreSQL.
func printable(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", `\u0000`)
}
