package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

// undispatched are the enforcements n whose action is this service's own to carry out and is not carried out yet, as the
// index of that name has them.
const undispatched = `n.status = 'created' and n.config ->> 'action' = '` + sensor.ActionTemporal + `'`

// UndispatchedOf returns the enforcements of a batch whose action this service has yet to carry out, by ID.
func (s *Store) UndispatchedOf(ctx context.Context, batchID int64) ([]sensor.Enforcement, error) {
	found, err := list[sensor.Enforcement](ctx, s.pool,
		enforcementSelect+` where e.batch = @batch and `+undispatched+` order by n.id`, pgx.NamedArgs{"batch": batchID})
	if err != nil {
		return nil, fmt.Errorf("reading the actions of batch %d: %w", batchID, err)
	}
	return found, nil
}

// Dispatched records where the action of an enforcement ended up. One that is resolved already is left as it is.
func (s *Store) Dispatched(ctx context.Context, enforcementID int64, link sensor.Link) error {
	return s.resolve(ctx, enforcementID, "dispatched", pgx.NamedArgs{"link": link, "reason": nil})
}

// DispatchFailed records why the action of an enforcement cannot be carried out. One that is resolved already is left as it
// is.
func (s *Store) DispatchFailed(ctx context.Context, enforcementID int64, reason string) error {
	return s.resolve(ctx, enforcementID, "failed", pgx.NamedArgs{"link": nil, "reason": reason})
}

func (s *Store) resolve(ctx context.Context, id int64, status string, args pgx.NamedArgs) error {
	args["id"], args["status"] = id, status
	_, err := s.pool.Exec(ctx, `
		update attune.enforcement n set status = @status, link = @link, reason = @reason, resolved_at = now()
		where n.id = @id and `+undispatched, args)
	if err != nil {
		return fmt.Errorf("recording that enforcement %d is %s: %w", id, status, err)
	}
	return nil
}

// OrphanDispatches returns batches of which actions have waited for so long that nobody may be at work on them. Those of
// batches that are not done are left to who works on these.
func (s *Store) OrphanDispatches(ctx context.Context, olderThan time.Duration, limit int) ([]int64, error) {
	rows, err := s.pool.Query(ctx, `
		select e.batch from attune.enforcement n join attune.event e on e.id = n.event
		join attune.poll_batch b on b.id = e.batch and b.status = 'done'
		where `+undispatched+` and n.created < now() - @age::interval
		group by e.batch order by e.batch limit @limit`, pgx.NamedArgs{"age": olderThan, "limit": limit})
	if err == nil {
		var ids []int64
		if ids, err = pgx.CollectRows(rows, pgx.RowTo[int64]); err == nil {
			return ids, nil
		}
	}
	return nil, fmt.Errorf("looking for actions that nobody has carried out: %w", err)
}

// Redispatch has the action of a failed enforcement tried again, and returns the batch that it belongs to. One that has not
// failed, or whose action is not this service's own, is sensor.ErrNotFound.
func (s *Store) Redispatch(ctx context.Context, enforcementID int64) (batchID int64, err error) {
	err = s.pool.QueryRow(ctx, `
		update attune.enforcement n set status = 'created', reason = null, resolved_at = null
		from attune.event e
		where n.id = @id and e.id = n.event and n.status = 'failed' and n.config ->> 'action' = @action
			and jsonb_typeof(n.config -> 'params') = 'object'
		returning e.batch`, pgx.NamedArgs{"id": enforcementID, "action": sensor.ActionTemporal}).Scan(&batchID)
	if err != nil {
		return 0, fmt.Errorf("having the action of enforcement %d tried again: %w", enforcementID, notFound(err))
	}
	return batchID, nil
}
