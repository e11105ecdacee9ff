// Package dispatch acts on Temporal for rules whose action is core.temporal: it starts workflows and sends them signals and
// updates, in this service's own cluster or in that of a connection profile.
//
// Each enforcement is carried out once, however often that is tried: what the server gets carries an ID that is made from
// the enforcement, by which it knows a repetition. For signals and updates it remembers that as long as the run lasts.
package dispatch

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/google/uuid"
	"go.temporal.io/sdk/client"

	"github.com/attune-automation/sensors/internal/sensor"
)

// Config is what a Dispatcher needs.
type Config struct {
	Client    client.Client // for actions that name no profile
	Namespace string        // of Client
	// Options returns how to reach the cluster of a connection profile.
	Options func(profile string) (client.Options, error)
}

// Dispatcher acts on Temporal. It is safe for concurrent use.
type Dispatcher struct {
	own     connection
	options func(profile string) (client.Options, error)

	mu       sync.Mutex
	profiles map[string]connection // that have been used
}

// connection is a client, and the namespace that it is for.
type connection struct {
	client    client.Client
	namespace string
}

// New returns a Dispatcher. Close it; that leaves the client of the config open.
func New(cfg Config) (*Dispatcher, error) {
	switch {
	case cfg.Client == nil:
		return nil, errors.New("dispatch: Client is missing")
	case cfg.Namespace == "":
		return nil, errors.New("dispatch: Namespace is empty")
	case cfg.Options == nil:
		return nil, errors.New("dispatch: Options is missing")
	}
	return &Dispatcher{
		own: connection{cfg.Client, cfg.Namespace}, options: cfg.Options, profiles: map[string]connection{},
	}, nil
}

// Close closes the connections of profiles.
func (d *Dispatcher) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.profiles {
		c.client.Close()
	}
	clear(d.profiles)
}

// Dispatch carries out the action of an enforcement and says where that ended up. What is wrong with the action itself is
// sensor.ErrRefused; after any other error, try again.
func (d *Dispatcher) Dispatch(ctx context.Context, enforcement sensor.Enforcement, action sensor.TemporalAction) (sensor.Link, error) {
	c, err := d.connect(action.Profile)
	if err != nil {
		return sensor.Link{}, err
	}
	o := order{connection: c, action: action, id: action.ID, requestID: requestID(enforcement)}
	if action.Namespace != "" {
		o.namespace = action.Namespace
	}
	if o.id == "" {
		o.id, o.own = fmt.Sprintf("enforcement:%d", enforcement.ID), true
	}
	link, err := o.carryOut(ctx)
	if err != nil {
		return sensor.Link{}, fmt.Errorf("%s of workflow %s in namespace %s: %w", action.Operation, o.id, o.namespace, explain(err))
	}
	return link, nil
}

// connect returns the connection of a profile, which is made when it is first used.
func (d *Dispatcher) connect(profile string) (connection, error) {
	if profile == "" {
		return d.own, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if c, ok := d.profiles[profile]; ok {
		return c, nil
	}
	options, err := d.options(profile)
	if err != nil {
		return connection{}, fmt.Errorf("connection profile %q: %w", profile, err)
	}
	dialed, err := client.NewLazyClient(options)
	if err != nil {
		return connection{}, fmt.Errorf("connection profile %q: %w", profile, err)
	}
	c := connection{dialed, options.Namespace}
	d.profiles[profile] = c
	return c, nil
}

// requests is the space of the request IDs.
var requests = uuid.MustParse("3f5b0a0e-6c0f-4a56-9c0b-0d7b7a1f4c55")

// requestID names an enforcement for ever: by its moment, too, since a database that is built anew counts IDs from 1 again.
func requestID(e sensor.Enforcement) string {
	return uuid.NewSHA1(requests, fmt.Appendf(nil, "%d/%d", e.ID, e.Created.UnixNano())).String()
}
