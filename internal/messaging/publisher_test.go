package messaging

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
)

func TestPublishEvents(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.start(t)
	sent := events(1, 1200)
	require.NoError(t, p.PublishEvents(t.Context(), sent))
	require.Equal(t, 1200, b.counted.of(OutcomeConfirmed))

	for i, d := range b.messages(t, b.cfg.EventsQueue, len(sent)) {
		want := NewEventCreated(DefaultAppID, sent[i])
		m, err := Decode(d.Body)
		require.NoError(t, err)
		require.Equal(t, want.MessageID, m.MessageID, "messages come in the order of the events")
		got, err := DecodePayload[EventCreated](m)
		require.NoError(t, err)
		require.Equal(t, sent[i].ID, got.EventID)
	}
}

func TestPublishProperties(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.cfg.AppID = "sensors-test"
	p := b.start(t)
	event, enforcement := events(7, 1)[0], enforcements(7, 1)[0]
	system := event
	system.ID, system.SensorID, system.SensorRef = 8, nil, ""
	require.NoError(t, p.PublishEvents(t.Context(), []sensor.Event{event, system}))
	require.NoError(t, p.PublishEnforcements(t.Context(), []sensor.Enforcement{enforcement}))

	fromEvents := b.messages(t, b.cfg.EventsQueue, 2)
	fromEnforcements := b.messages(t, b.cfg.EnforcementsQueue, 1)
	eventID := EventMessageID(event.ID, event.Created).String()
	for _, want := range []struct {
		got                                            amqp.Delivery
		key, id, correlation, kind, ceType, ce, source string
		created                                        time.Time
	}{
		{fromEvents[0], "event.created", eventID, eventID, "EventCreated",
			"attune.event.created", "2026-03-14T15:09:26.535897Z", "/sensors/examples.git_log", event.Created},
		{fromEvents[1], "event.created", EventMessageID(8, event.Created).String(), EventMessageID(8, event.Created).String(),
			"EventCreated", "attune.event.created", "2026-03-14T15:09:26.535897Z", "/triggers/examples.commit", event.Created},
		{fromEnforcements[0], "enforcement.created", EnforcementMessageID(7, enforcement.Created).String(), eventID,
			"EnforcementCreated", "attune.enforcement.created", "2026-03-14T15:09:27.535897Z", "/rules/examples.big_commit",
			enforcement.Created},
	} {
		d := want.got
		require.Equal(t, b.cfg.Exchange, d.Exchange)
		require.Equal(t, want.key, d.RoutingKey)
		require.Equal(t, want.id, d.MessageId)
		require.Equal(t, want.correlation, d.CorrelationId)
		require.Equal(t, want.kind, d.Type)
		require.Equal(t, want.created.Unix(), d.Timestamp.Unix())
		require.Equal(t, "application/json", d.ContentType)
		require.Equal(t, "sensors-test", d.AppId)
		require.Equal(t, amqp.Persistent, d.DeliveryMode)
		require.Equal(t, amqp.Table{
			"ce-specversion": "1.0",
			"ce-id":          want.id,
			"ce-type":        want.ceType,
			"ce-source":      want.source,
			"ce-subject":     "examples.commit",
			"ce-time":        want.ce,
		}, d.Headers)
		require.Contains(t, string(d.Body), `"source_service":"sensors-test"`)
		require.Contains(t, string(d.Body), `{"hash":"2f1c9ab","subject":"a < b && c > d","insertions":9007199254740993,"ratio":1.50}`)
	}
}

func TestPublishNothing(t *testing.T) {
	t.Parallel()
	cfg := Config{URL: "amqp://u:p@" + deadAddress(t)}
	p, err := New(cfg)
	require.NoError(t, err)
	require.NoError(t, p.PublishEvents(t.Context(), nil))
	require.NoError(t, p.PublishEnforcements(t.Context(), nil))
	require.NoError(t, p.Close(t.Context()))
}

func TestPublishRefusesWhatIsNotJSON(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.start(t)
	list := events(1, 2)
	list[1].Payload = json.RawMessage(`{`)
	require.ErrorContains(t, p.PublishEvents(t.Context(), list), "event 2: encoding EventCreated")
	require.Zero(t, b.counted.of(OutcomeConfirmed), "all or nothing is sent of a call that cannot be encoded")
}

func TestUnroutableIsAnError(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.cfg.DeclareQueues = false
	p := b.start(t)
	healthy(t, p)
	_, err := b.admin.QueueDeclare(b.cfg.EnforcementsQueue, false, false, false, false, nil)
	require.NoError(t, err)
	require.NoError(t, b.admin.QueueBind(b.cfg.EnforcementsQueue, "enforcement.#", b.cfg.Exchange, false, nil))

	err = p.PublishEvents(t.Context(), events(1, 3))
	require.EqualError(t, err, fmt.Sprintf("publishing 3 messages to exchange %q: no queue is bound for \"event.created\": "+
		"set message_queue.declare_queues or bind one", b.cfg.Exchange))
	require.Equal(t, 3, b.counted.of(OutcomeReturned))
	require.NoError(t, p.PublishEnforcements(t.Context(), enforcements(1, 3)), "others are not held up")
	require.Equal(t, 3, b.counted.of(OutcomeConfirmed))
}

func TestRefusedIsAnError(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.cfg.DeclareQueues = false
	p := b.start(t)
	healthy(t, p)
	full := amqp.Table{"x-max-length": 2, "x-overflow": "reject-publish"}
	_, err := b.admin.QueueDeclare(b.cfg.EventsQueue, false, false, false, false, full)
	require.NoError(t, err)
	require.NoError(t, b.admin.QueueBind(b.cfg.EventsQueue, "event.#", b.cfg.Exchange, false, nil))

	require.NoError(t, p.PublishEvents(t.Context(), events(1, 2)))
	require.ErrorContains(t, p.PublishEvents(t.Context(), events(3, 2)), `refused "event.created": look at the limits`)
	require.Equal(t, 2, b.counted.of(OutcomeConfirmed))
	require.Equal(t, 2, b.counted.of(OutcomeNacked))
	b.messages(t, b.cfg.EventsQueue, 2)
	require.NoError(t, p.PublishEvents(t.Context(), events(3, 1)), "the channel is as good as before")
}

func TestQueuesCanBeTurnedOffOneByOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	name := b.cfg.EventsQueue
	b.cfg.EventsQueue = ""
	p := b.start(t)
	require.NoError(t, p.PublishEnforcements(t.Context(), enforcements(1, 1)))
	require.ErrorContains(t, p.PublishEvents(t.Context(), events(1, 1)), "no queue is bound")
	_, err := b.admin.QueueDeclarePassive(name, true, false, false, false, nil)
	require.ErrorContains(t, err, "NOT_FOUND")
}

func TestDeletedQueueIsDeclaredAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.start(t)
	require.NoError(t, p.PublishEvents(t.Context(), events(1, 1)))
	_, err := b.admin.QueueDelete(b.cfg.EventsQueue, false, false, false)
	require.NoError(t, err)
	require.ErrorContains(t, p.PublishEvents(t.Context(), events(2, 5)), "no queue is bound")
	require.NoError(t, p.PublishEvents(t.Context(), events(2, 5)))
	require.Len(t, b.messages(t, b.cfg.EventsQueue, 5), 5)
}

func TestDeletedExchangeIsDeclaredAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.start(t)
	require.NoError(t, p.PublishEvents(t.Context(), events(1, 1)))
	require.NoError(t, b.admin.ExchangeDelete(b.cfg.Exchange, false, false))
	err := p.PublishEvents(t.Context(), events(2, 100))
	require.ErrorContains(t, err, "NOT_FOUND - no exchange")
	require.ErrorContains(t, err, p.broker.address)
	require.NoError(t, p.PublishEvents(t.Context(), events(2, 100)))
	require.Len(t, b.messages(t, b.cfg.EventsQueue, 101), 101)
}

// TestManyPublishers proves that what arrives is what was confirmed, with the callers of a hundred sensors at once.
func TestManyPublishers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.cfg.window = 16
	p := b.start(t)
	const callers, calls = 50, 5
	var running sync.WaitGroup
	want := map[string]bool{}
	for c := range callers {
		size := 1 + c%40
		for call := range calls {
			for _, e := range events(1000*(c+1)+100*call, size) {
				want[EventMessageID(e.ID, e.Created).String()] = true
			}
		}
		running.Go(func() {
			for call := range calls {
				if err := p.PublishEvents(t.Context(), events(1000*(c+1)+100*call, size)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
	got := map[string]bool{}
	last := map[int64]int64{}
	for _, d := range b.messages(t, b.cfg.EventsQueue, len(want)) {
		require.False(t, got[d.MessageId], "a message came twice")
		got[d.MessageId] = true
		m, err := Decode(d.Body)
		require.NoError(t, err)
		payload, err := DecodePayload[EventCreated](m)
		require.NoError(t, err)
		caller := payload.EventID / 1000
		require.Greater(t, payload.EventID, last[caller], "messages of one caller come in order")
		last[caller] = payload.EventID
	}
	require.Equal(t, want, got)
	require.Equal(t, len(want), b.counted.of(OutcomeConfirmed))
}

func TestNewNamesTheBadField(t *testing.T) {
	t.Parallel()
	const bad = "message_queue.url is not an AMQP URL: write amqp://USER:PASSWORD@HOST:PORT/VHOST " +
		"(amqps for TLS), with special characters in USER, PASSWORD and VHOST percent-encoded"
	for name, test := range map[string]struct {
		cfg  Config
		want string
	}{
		"no url":             {Config{}, bad},
		"other scheme":       {Config{URL: "http://guest:secret@localhost"}, bad},
		"slash in password":  {Config{URL: "amqp://guest:sec/ret@localhost"}, bad},
		"percent in user":    {Config{URL: "amqp://sec%ret:secret@localhost"}, bad},
		"timeout":            {Config{URL: "amqp://localhost", ConfirmTimeout: -1}, "message_queue.confirm_timeout is -1ns: give a positive duration, such as 10s"},
		"channels":           {Config{URL: "amqp://localhost", Channels: 5000}, "message_queue.channels is 5000: give 1 to 256"},
		"long name":          {Config{URL: "amqp://localhost", EventsQueue: strings.Repeat("q", 256)}, "message_queue.events_queue has 256 bytes: AMQP allows 255"},
		"one queue for both": {Config{URL: "amqp://localhost", DeclareQueues: true, EventsQueue: "q", EnforcementsQueue: "q"}, `message_queue.events_queue and message_queue.enforcements_queue are both "q": give them different names`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(test.cfg)
			require.EqualError(t, err, test.want)
		})
	}
}

func TestCloseTakesNoMore(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p, err := New(b.cfg)
	require.NoError(t, err)
	require.NoError(t, p.PublishEvents(t.Context(), events(1, 1)))
	require.NoError(t, p.Close(t.Context()))
	require.NoError(t, p.Close(t.Context()), "closing twice changes nothing")
	require.ErrorIs(t, p.PublishEvents(t.Context(), events(2, 1)), errClosed)
	require.ErrorIs(t, p.Health(t.Context()), errClosed)
}

// TestCloseFinishesWhatIsInHand closes while callers publish: each of them gets an answer, and it is the truth.
func TestCloseFinishesWhatIsInHand(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p, err := New(b.cfg)
	require.NoError(t, err)
	require.NoError(t, p.PublishEvents(t.Context(), events(1, 1)))
	confirmed := make(chan int, 20)
	var running sync.WaitGroup
	for c := range cap(confirmed) {
		running.Go(func() {
			if p.PublishEvents(t.Context(), events(1000*(c+1), 200)) == nil {
				confirmed <- 200
			}
		})
	}
	require.Eventually(t, func() bool { return b.counted.of(OutcomeConfirmed) > 1 }, patience, time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, p.Close(ctx))
	running.Wait()
	close(confirmed)
	total := 1
	for n := range confirmed {
		total += n
	}
	require.Equal(t, b.counted.of(OutcomeConfirmed), total)
	require.Len(t, b.messages(t, b.cfg.EventsQueue, total), total)
}
