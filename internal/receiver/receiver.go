// Package receiver is the HTTP server of webhook sensors: it finds the sensor that a request is for, proves who sent it,
// and answers once the delivery is committed. What a config means is up to package webhook.
package receiver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/attune-automation/sensors/internal/sensor"
)

// Inbox stores deliveries.
type Inbox interface {
	// Accept returns when the delivery is committed, with its ID, or that of the first delivery with the same key.
	Accept(ctx context.Context, d sensor.Delivery) (id string, duplicate bool, err error)
}

// Waker tells sensors that there is something to poll. It never blocks.
type Waker interface{ Wake(ref string) }

// Catalog lists the sensors that are webhooks, whether they are active or not.
type Catalog interface {
	Webhooks(ctx context.Context) ([]sensor.Sensor, error)
}

// Metrics counts what the receiver does.
type Metrics interface {
	WebhookRequest(status int, took time.Duration)
	WebhookDelivery(sensorRef string, duplicate bool)
	WebhookRefused(sensorRef, reason string)
	WebhookCertificate(outcome string)
}

// Receiver serves webhooks.
type Receiver struct {
	config      Config
	http        *http.Server
	certificate *certificate // nil: no TLS
	routes      atomic.Pointer[routes]
	slots       chan struct{}
	addresses   *addressLimits
	senders     *crowds        // of requests
	complaint   rate.Sometimes // about deliveries that could not be stored
	crowd       rate.Sometimes // about connections that were too many
	now         func() time.Time

	stop    context.CancelFunc
	running sync.WaitGroup
}

// New returns a receiver that does not listen yet.
func New(c Config) (*Receiver, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	r := &Receiver{
		config: c, slots: make(chan struct{}, c.MaxRequests), addresses: newAddressLimits(c.AddressRate), now: time.Now,
		senders:   newCrowds(c.AddressConnections, c.TrustedProxies),
		complaint: rate.Sometimes{Interval: complainEvery}, crowd: rate.Sometimes{Interval: complainEvery},
	}
	open := &connections{crowds: newCrowds(c.AddressConnections, c.TrustedProxies), refused: r.refusedConnection}
	errorLog, err := zap.NewStdLogAt(c.Logger, zap.DebugLevel) // of clients that break off
	if err != nil {
		return nil, fmt.Errorf("receiver: %w", err)
	}
	r.http = &http.Server{
		Handler:           r,
		ReadHeaderTimeout: c.HeaderTimeout,
		ReadTimeout:       c.ReadTimeout,
		WriteTimeout:      c.ReadTimeout + c.AcceptTimeout + writeTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    c.MaxHeader,
		ErrorLog:          errorLog,
		ConnState:         open.changed,
	}
	if c.CertificateFile != "" {
		r.certificate = &certificate{config: c}
		r.http.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: r.certificate.get}
	}
	return r, nil
}

const (
	writeTime     = 5 * time.Second // for the answer
	idleTime      = time.Minute     // that a connection is kept open for the next request
	complainEvery = 10 * time.Second
)

// Start listens, serves in the background and returns the address it listens on. It needs no server of the worker: until
// the sensors are known, it asks senders to wait.
func (r *Receiver) Start() (string, error) {
	if r.certificate != nil {
		if err := r.certificate.load(); err != nil {
			return "", err
		}
	}
	listener, err := net.Listen("tcp", r.config.Address)
	if err != nil {
		return "", fmt.Errorf("webhooks.address (ATTUNE__WEBHOOKS__ADDRESS) %q: %w: choose a free host:port, or leave webhooks out of worker.roles",
			r.config.Address, err)
	}
	address := listener.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	r.running.Go(func() { r.refresh(ctx) })
	if r.certificate != nil {
		r.running.Go(func() { r.certificate.watch(ctx) })
	}
	r.running.Go(func() {
		if err := r.serve(listener); !errors.Is(err, http.ErrServerClosed) {
			r.config.Logger.Error("webhooks are no longer served", zap.Error(err))
		}
	})
	return address, nil
}

func (r *Receiver) serve(listener net.Listener) error {
	if r.certificate != nil {
		return r.http.ServeTLS(listener, "", "")
	}
	return r.http.Serve(listener)
}

// Shutdown stops listening, and waits until ctx ends for the requests in hand to be answered.
func (r *Receiver) Shutdown(ctx context.Context) error {
	err := r.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("stopping the receiver of webhooks: %w", err), r.http.Close())
	}
	r.stop()
	r.running.Wait()
	return err
}

// Ready says why the receiver cannot serve yet.
func (r *Receiver) Ready(context.Context) error {
	if r.routes.Load() == nil {
		return errors.New("the webhooks could not be listed yet")
	}
	return nil
}
