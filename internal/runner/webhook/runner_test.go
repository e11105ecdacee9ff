package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
)

// office is what a Runner works with.
type office struct {
	pending []sensor.Delivery
	more    bool
	err     error
	sensors []sensor.Sensor
	secrets map[string]string
	waited  []time.Duration
}

func (o *office) PendingDeliveries(context.Context, string) ([]sensor.Delivery, bool, error) {
	return o.pending, o.more, o.err
}

func (o *office) Webhooks(context.Context) ([]sensor.Sensor, error) { return o.sensors, nil }

func (o *office) Lookup(name string) (string, error) {
	if value, ok := o.secrets[name]; ok {
		return value, nil
	}
	return "", fmt.Errorf("no secret %s", name)
}

func (o *office) DeliveryWaited(waited time.Duration) { o.waited = append(o.waited, waited) }

// poll polls a webhook, and returns the parts that this brings.
func (o *office) poll(t *testing.T, s sensor.Sensor) (parts []sensor.Part, poll sensor.Poll, err error) {
	t.Helper()
	r, err := NewRunner(RunnerConfig{Deliveries: o, Secrets: o, Catalog: o, Metrics: o})
	require.NoError(t, err)
	poll, err = r.Poll(t.Context(), sensor.PollRequest{Sensor: s, Take: func(_ context.Context, part sensor.Part) error {
		parts = append(parts, part)
		return nil
	}})
	return parts, poll, err
}

func openSensor(ref string) sensor.Sensor {
	return sensor.Sensor{Ref: ref, Runtime: sensor.RuntimeWebhook, Config: json.RawMessage(`{"auth": "none"}`)}
}

func TestPollTakesWhatWasDelivered(t *testing.T) {
	t.Parallel()
	o := &office{pending: []sensor.Delivery{
		{ID: "1", Payload: []byte(`{"n": 1}`), ReceivedAt: time.Now().Add(-time.Second)},
		{ID: "2", Payload: []byte(`{"n": 2}`), ReceivedAt: time.Now()},
	}}
	want := []sensor.Part{{
		Items: []sensor.Item{{Payload: []byte(`{"n": 1}`)}, {Payload: []byte(`{"n": 2}`)}}, Deliveries: []string{"1", "2"},
	}}
	parts, poll, err := o.poll(t, openSensor("t.hook"))
	require.NoError(t, err)
	require.Equal(t, sensor.Poll{Linger: true}, poll)
	require.Equal(t, want, parts)
	require.Len(t, o.waited, 2)
	require.GreaterOrEqual(t, o.waited[0], time.Second)

	o.more = true
	parts, poll, err = o.poll(t, openSensor("t.hook"))
	require.NoError(t, err)
	require.Equal(t, sensor.Poll{More: true}, poll)
	require.Equal(t, want, parts)

	o = &office{}
	parts, poll, err = o.poll(t, openSensor("t.hook"))
	require.NoError(t, err)
	require.Equal(t, sensor.Poll{Linger: true}, poll)
	require.Empty(t, parts)

	o.err = errors.New("the database is away")
	_, _, err = o.poll(t, openSensor("t.hook"))
	require.ErrorIs(t, err, o.err)
}

// What keeps the receiver from serving a webhook fails its poll, but not before it took what had been accepted.
func TestPollSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	secured := openSensor("t.hook")
	secured.Config = json.RawMessage(`{"auth": {"type": "bearer", "secrets": ["${secret:TOKEN}"]}}`)
	broken := openSensor("t.hook")
	broken.Config = json.RawMessage(`{"auth": "perhaps"}`)
	second := openSensor("t.second")
	second.ID, second.Config = 2, json.RawMessage(`{"auth": "none", "path": "t.hook"}`)
	for name, c := range map[string]struct {
		sensor sensor.Sensor
		want   string
	}{
		"secret":   {secured, "no secret TOKEN"},
		"config":   {broken, "auth"},
		"conflict": {second, "conflicts with"},
	} {
		o := &office{pending: []sensor.Delivery{{ID: "1"}}, sensors: []sensor.Sensor{openSensor("t.hook"), c.sensor}}
		parts, _, err := o.poll(t, c.sensor)
		var fault *sensor.Fault
		require.ErrorAs(t, err, &fault, name)
		require.Equal(t, sensor.FaultConfig, fault.Kind, name)
		require.ErrorContains(t, err, c.want, name)
		require.Len(t, parts, 1, name)
	}
	_, _, err := (&office{secrets: map[string]string{"TOKEN": "a long enough token"}}).poll(t, secured)
	require.NoError(t, err)
	_, err = NewRunner(RunnerConfig{})
	require.ErrorContains(t, err, "Secrets")
}
