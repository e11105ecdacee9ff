package webhook

import (
	"context"
	"sync"
	"time"

	"github.com/attune-automation/sensors/internal/sensor"
)

// Catalog lists the sensors that are webhooks, whether they are active or not.
type Catalog interface {
	Webhooks(ctx context.Context) ([]sensor.Sensor, error)
}

// conflictsLife is how long the polls of all webhooks share one look at the catalog.
const conflictsLife = 5 * time.Second

// Conflicts tell the poll of a webhook whether its path is another sensor's. It is safe for concurrent use.
type Conflicts struct {
	catalog Catalog

	mu    sync.Mutex
	table *Table
	taken time.Time
}

// NewConflicts returns the conflicts among the webhooks of a catalog.
func NewConflicts(catalog Catalog) *Conflicts { return &Conflicts{catalog: catalog} }

// Check returns a *sensor.Fault when the sensor's webhook cannot be served for the sake of another one, and any other
// error when the catalog cannot be read.
func (c *Conflicts) Check(ctx context.Context, ref string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.table == nil || time.Since(c.taken) > conflictsLife {
		sensors, err := c.catalog.Webhooks(ctx)
		if err != nil {
			return err
		}
		c.table, c.taken = TableOf(sensors), time.Now()
	}
	if err := c.table.Conflict(ref); err != nil {
		return &sensor.Fault{Kind: sensor.FaultConfig, Message: err.Error()}
	}
	return nil
}
