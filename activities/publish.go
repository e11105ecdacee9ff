package activities

import (
	"context"
	"time"
)

// What one attempt to publish may take: time to wait for a broker that is away, and for each message a hundred times
// what a broker in good health needs.
const (
	publishPatience = 10 * time.Second
	messagePatience = 10 * time.Millisecond
)

// publish publishes rows. Without a limit an attempt would wait in silence while the broker is away; so it fails, and the
// pending activity says of what.
func publish[T any](ctx context.Context, rows []T, by func(context.Context, []T) error) error {
	ctx, cancel := context.WithTimeout(ctx, publishPatience+time.Duration(len(rows))*messagePatience)
	defer cancel()
	return by(ctx, rows)
}
