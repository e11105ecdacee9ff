package audit

import (
	"fmt"
	"iter"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

// deliveries checks that what webhooks accepted is an event each, or refused, or will be.
func (a *auditor) deliveries(deliveries iter.Seq2[store.AuditDelivery, error]) error {
	for d, err := range deliveries {
		if err != nil {
			return err
		}
		a.report.Deliveries++
		if d.BatchID == nil {
			a.report.Pending++
		}
		a.delivery(d, "delivery "+d.ID)
	}
	return nil
}

func (a *auditor) delivery(d store.AuditDelivery, subject string) {
	if d.BatchID == nil {
		if !d.Webhook {
			a.find(1, subject, "waits for sensor %s, which is no webhook: no poll will take it", d.SensorRef)
		}
		return
	}
	place := fmt.Sprintf("payload %d of batch %d", d.Position, *d.BatchID)
	switch {
	case d.Sharing > 1:
		a.find(1, subject, "is %s, and so are %d others", place, d.Sharing-1)
	case d.Status != "" && d.Status != sensor.BatchStored && d.Rows != 1: // retention may have deleted an old batch
		a.find(1, subject, "is %s, which has %d events and refused payloads instead of one", place, d.Rows)
	case d.Named != "" && d.Named != d.ID:
		a.find(1, subject, "is %s, whose event names delivery %s", place, d.Named)
	}
}
