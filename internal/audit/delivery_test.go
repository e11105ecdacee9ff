package audit_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/audit"
)

// TestDeliveries looks at deliveries of which one is the first event, one was refused, one is the second event and one
// waits.
func TestDeliveries(t *testing.T) {
	t.Parallel()
	const ids = `'01900000-0000-7000-8000-00000000000'`
	for name, c := range map[string]struct {
		sql  string
		want []string
	}{
		"sound": {`select`, nil},
		"event lost": {
			`delete from attune.enforcement where event = 3; delete from attune.event where id = 3;
			update attune.webhook_delivery set batch = 2, position = 0 where position = 2`,
			[]string{
				"1: batch 2 has 1 payloads, but 0 events and 0 refused at 0 positions from -1 to -1",
				"1: delivery 01900000-0000-7000-8000-000000000003 is payload 0 of batch 2, which has 0 events and refused payloads instead of one",
			},
		},
		"what outlives its batch cannot be judged": {`update attune.webhook_delivery set batch = 99 where position = 2`, nil},
		"two at one place": {
			`update attune.webhook_delivery set position = 0 where position = 2`,
			[]string{
				"1: delivery 01900000-0000-7000-8000-000000000001 is payload 0 of batch 1, and so are 1 others",
				"1: delivery 01900000-0000-7000-8000-000000000003 is payload 0 of batch 1, and so are 1 others",
			},
		},
		"event of another delivery": {
			`update attune.event set payload = '{"delivery_id": "another"}' where id = 2`,
			[]string{"1: delivery 01900000-0000-7000-8000-000000000003 is payload 2 of batch 1, whose event names delivery another"},
		},
		"nobody will poll": {
			`update attune.sensor set runtime_ref = 'core.exec'`,
			[]string{"1: delivery 01900000-0000-7000-8000-000000000004 waits for sensor shop.orders, which is no webhook: no poll will take it"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			_, err := b.db.Exec(b.ctx, `
				update attune.sensor set runtime_ref = 'core.webhook', entrypoint = '';
				insert into attune.webhook_delivery (id, sensor_ref, payload, received_at, batch, position)
				select (`+ids+` || n)::uuid, 'shop.orders', '{}', now(), case when n < 4 then 1 end, case when n < 4 then n - 1 end
				from generate_series(1, 4) as n`)
			require.NoError(t, err)
			_, err = b.db.Exec(b.ctx, c.sql)
			require.NoError(t, err)
			report := b.run(audit.Config{})
			require.ElementsMatch(t, c.want, findings(report))
			require.EqualValues(t, 4, report.Deliveries)
			require.EqualValues(t, 1, report.Pending)
		})
	}
}
