package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/internal/messaging"
)

// watchOptions are the flags of watch.
type watchOptions struct {
	events, enforcements bool
	count                int
}

// errEnough ends a watch that has seen as many messages as it was to.
var errEnough = errors.New("enough messages")

func newWatch(s *session) *cobra.Command {
	var o watchOptions
	c := &cobra.Command{
		Use:   "watch",
		Short: "Print events and enforcements as they are published",
		Long: `Print events and enforcements as they are published, until interrupted. They are read through a queue of its own,
so that nobody misses them for it. With -o json, each line is a message as it was sent.`,
		Example: `  starter watch
  starter watch --enforcements -o json | jq .payload
  starter watch --events --count 1`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.count < 0 {
				return fmt.Errorf("--count %d: write how many messages to wait for", o.count)
			}
			return s.watch(c.Context(), o)
		},
	}
	flags := c.Flags()
	flags.BoolVar(&o.events, "events", false, "only events")
	flags.BoolVar(&o.enforcements, "enforcements", false, "only enforcements")
	flags.IntVar(&o.count, "count", 0, "end after this many messages")
	return c
}

func (o watchOptions) keys() []string {
	var keys []string
	if o.events || !o.enforcements {
		keys = append(keys, "event.#")
	}
	if o.enforcements || !o.events {
		keys = append(keys, "enforcement.#")
	}
	return keys
}

func (s *session) watch(ctx context.Context, o watchOptions) error {
	cfg, err := s.config(keyBroker)
	if err != nil {
		return err
	}
	mq := cfg.MessageQueue
	seen := 0
	var failed error // of the output, not of the broker
	err = messaging.Watch(ctx, messaging.WatchConfig{
		URL: mq.URL, Exchange: mq.Exchange, AppID: "attune-starter",
		Bound: func() { s.warn("watching exchange %s", mq.Exchange) },
	}, o.keys(), func(d messaging.Delivery) error {
		if failed = s.printDelivery(d); failed != nil {
			return failed
		}
		if seen++; seen == o.count {
			return errEnough
		}
		return nil
	})
	switch {
	case failed != nil:
		return failed
	case err != nil && !errors.Is(err, errEnough):
		return fmt.Errorf("the broker cannot be used: start it, or correct message_queue.url (ATTUNE__MESSAGE_QUEUE__URL): %w", err)
	}
	return nil
}

func (s *session) printDelivery(d messaging.Delivery) error {
	if d.Err != nil {
		s.warn("a message with routing key %s and ID %s is none of the platform's: %v", d.RoutingKey, d.MessageID, d.Err)
		return nil
	}
	switch s.format {
	case formatJSON:
		return writeLine(s.env.Stdout, d.Body)
	case formatYAML:
		if _, err := io.WriteString(s.env.Stdout, "---\n"); err != nil {
			return err
		}
		return encodeYAML(s.env.Stdout, json.RawMessage(d.Body))
	}
	_, err := fmt.Fprintf(s.env.Stdout, "%s  %s\n", moment(d.Message.Timestamp), describe(d.Message))
	return err
}

// writeLine writes JSON on one line.
func writeLine(w io.Writer, raw []byte) error {
	var line bytes.Buffer
	if err := json.Compact(&line, raw); err != nil {
		return err
	}
	line.WriteByte('\n')
	_, err := w.Write(line.Bytes())
	return err
}

// describe says in a line what a message says.
func describe(m messaging.Message) string {
	switch m.MessageType {
	case messaging.TypeEventCreated:
		if p, err := messaging.DecodePayload[messaging.EventCreated](m); err == nil {
			source := "system"
			if p.SensorRef != nil {
				source = *p.SensorRef
			}
			return fmt.Sprintf("event        %-8d %s from %s: %s", p.EventID, p.TriggerRef, source, shorten(string(p.Payload)))
		}
	case messaging.TypeEnforcementCreated:
		if p, err := messaging.DecodePayload[messaging.EnforcementCreated](m); err == nil {
			return fmt.Sprintf("enforcement  %-8d %s on event %d of %s", p.EnforcementID, p.RuleRef, p.EventID, p.TriggerRef)
		}
	}
	return fmt.Sprintf("%s  %s", shorten(string(m.MessageType)), shorten(string(m.Payload)))
}
