package activities

import (
	"context"
	"fmt"
	"slices"

	"github.com/attune-automation/sensors/internal/sensor"
)

// taking stores what one poll brings, part by part.
type taking struct {
	*Poller
	turn     sensor.Turn           // as the parts so far leave it
	attended bool                  // whoever polls also works off what the poll brings
	took     func(sensor.Appended) // is called with what became of each part; nil: that is below

	heads      []sensor.BatchHead
	suppressed int
}

func (t *taking) take(ctx context.Context, part sensor.Part) error {
	appended, err := t.store(ctx, part)
	if err != nil {
		return err
	}
	t.turn.TailSeq = appended.Seq
	if part.Cursor != nil {
		t.turn.Cursor = part.Cursor
	}
	if appended.Suppressed > 0 {
		t.Metrics.Suppressed(t.turn.Sensor.TriggerRef, appended.Suppressed)
	}
	if t.took != nil {
		t.took(appended)
		return nil
	}
	t.heads, t.suppressed = append(t.heads, appended.Batches...), t.suppressed+appended.Suppressed
	return nil
}

// store stores a part: of a sensor that is attended, and if all of it can be, as events. An item that is refused loses its
// key, since a payload that never becomes an event suppresses none.
func (t *taking) store(ctx context.Context, part sensor.Part) (sensor.Appended, error) {
	if !t.attended && !slices.ContainsFunc(part.Items, func(item sensor.Item) bool { return item.Key != "" }) {
		return t.Store.Append(ctx, t.turn, part)
	}
	reasons, err := t.Checker.Reasons(ctx, t.turn.Trigger, part.Items)
	if err != nil {
		return sensor.Appended{}, fmt.Errorf("checking what the poll brought: %w", err)
	}
	if t.attended && !slices.ContainsFunc(reasons, func(reason error) bool { return reason != nil }) {
		appended, err := t.Store.AppendEvents(ctx, t.turn, part)
		if err == nil && appended.Events != nil {
			t.Drainer.Generator.wrote(appended.Batches[0], appended.Events)
		}
		return appended, err
	}
	part.Items = slices.Clone(part.Items)
	for i, reason := range reasons {
		if reason != nil {
			part.Items[i].Key = ""
		}
	}
	return t.Store.Append(ctx, t.turn, part)
}
