package stack

import (
	"context"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/messaging"
)

// Messages is what the broker delivered since Watch.
type Messages struct {
	mu  sync.Mutex
	all []messaging.Delivery
}

// Watch starts to collect all messages that workers publish. The queue is in place when it returns.
func (s *Stack) Watch() *Messages {
	s.t.Helper()
	publisher, err := messaging.New(messaging.Config{URL: s.Config.MessageQueue.URL, Exchange: s.Config.MessageQueue.Exchange,
		DeclareQueues: true, EventsQueue: s.Config.MessageQueue.EventsQueue, EnforcementsQueue: s.Config.MessageQueue.EnforcementsQueue})
	require.NoError(s.t, err)
	require.NoError(s.t, publisher.Health(s.t.Context()))
	defer publisher.Close(context.Background())
	m := &Messages{}
	ctx, cancel := context.WithCancel(context.Background())
	bound, done := make(chan struct{}), make(chan error, 1)
	var once sync.Once
	go func() {
		done <- messaging.Watch(ctx, messaging.WatchConfig{
			URL: s.Config.MessageQueue.URL, Exchange: s.Config.MessageQueue.Exchange,
			Bound: func() { once.Do(func() { close(bound) }) },
		}, nil, m.add)
	}()
	s.t.Cleanup(func() {
		cancel()
		require.NoError(s.t, <-done)
	})
	select {
	case <-bound:
	case err := <-done:
		require.NoError(s.t, err)
	}
	return m
}

func (m *Messages) add(d messaging.Delivery) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all = append(m.all, d)
	return d.Err
}

// All returns what came so far, in order.
func (m *Messages) All() []messaging.Delivery {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]messaging.Delivery(nil), m.all...)
}

// Count returns how many different messages of a type came: one that comes again has the same ID.
func (m *Messages) Count(messageType string) int {
	ids := map[string]bool{}
	for _, d := range m.All() {
		if string(d.Message.MessageType) == messageType {
			ids[d.MessageID] = true
		}
	}
	return len(ids)
}
