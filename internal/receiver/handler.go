package receiver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/runner/webhook"
	"github.com/attune-automation/sensors/internal/sensor"
)

// request is a request on its way to becoming a delivery.
type request struct {
	*http.Request
	writer     http.ResponseWriter
	at         time.Time
	remote     netip.Addr
	ref        string // of the sensor; empty: none is known
	hook       *hook
	parameters map[string]string
}

// ServeHTTP answers one request.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	q := &request{Request: hr, writer: w, at: r.now(), remote: remote(hr, r.config.TrustedProxies)}
	a := r.handle(q)
	a.write(w)
	took := r.now().Sub(q.at)
	r.config.Metrics.WebhookRequest(a.status, took)
	if a.reason != "" {
		r.config.Metrics.WebhookRefused(q.ref, a.reason)
	}
	r.config.Logger.Debug("webhook request", zap.String("sensor_ref", q.ref), zap.String("method", hr.Method), zap.Int("status", a.status),
		zap.Stringer("remote", q.remote), zap.Duration("took", took), zap.String("refused", a.reason), zap.NamedError("because", a.detail))
}

// handle refuses what costs least to refuse first. A sender learns that a webhook is there, and nothing more, before it
// has proved who it is.
func (r *Receiver) handle(q *request) answer {
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	default:
		return later(http.StatusServiceUnavailable, "busy", "too many requests at once", time.Second)
	}
	if wait, ok := r.addresses.allow(q.remote, q.at); !ok {
		return later(http.StatusTooManyRequests, "address_rate", "too many requests from this address", wait)
	}
	leave, ok := r.senders.enter(q.remote) // connections do not bound them: one of HTTP/2, or of a proxy, has many
	if !ok {
		return later(http.StatusTooManyRequests, "address_requests", "too many requests at once from this address", time.Second)
	}
	defer leave()
	if a, ok := r.find(q); !ok {
		return a
	}
	raw, a, ok := r.verify(q)
	if !ok {
		return a
	}
	if wait, ok := take(q.hook.limiter, q.at); !ok {
		return later(http.StatusTooManyRequests, "sensor_rate", "too many requests for this webhook", wait)
	}
	return r.deliver(q, raw)
}

// maxParameters is how many parameters of a query Go decodes; of more, nobody would see any.
const maxParameters = 10_000

// brokenWait is when senders are to come again to a webhook that somebody has to repair.
const brokenWait = time.Minute

// find finds the webhook that a request is for, and asks whether it takes such requests at all.
func (r *Receiver) find(q *request) (answer, bool) {
	now := r.routes.Load()
	if now == nil {
		return later(http.StatusServiceUnavailable, "starting", "not ready yet", 2*time.Second), false
	}
	path, ok := strings.CutPrefix(q.URL.EscapedPath(), r.config.BasePath+"/")
	if !ok {
		return notFound(), false
	}
	ref, parameters, ok := now.table.Find(path)
	if !ok || !now.hooks[ref].serves() {
		return notFound(), false
	}
	q.ref, q.hook, q.parameters = ref, now.hooks[ref], parameters
	switch {
	case q.hook.endpoint == nil:
		return later(http.StatusServiceUnavailable, "misconfigured", "the webhook is out of order", brokenWait), false
	case !slices.Contains(q.hook.config.Methods, q.Method):
		return methodNotAllowed(q.hook.config.Methods), false
	case strings.Count(q.URL.RawQuery, "&") >= maxParameters:
		return refused(http.StatusRequestURITooLong, "query", fmt.Sprintf("more than %d parameters in the query", maxParameters)), false
	case !q.hook.config.Allowed(q.remote):
		return refused(http.StatusForbidden, "address", "this address is not allowed"), false
	}
	return answer{}, true
}

// verify proves who sent a request, before reading its body if that has nothing to do with it, and returns the body.
func (r *Receiver) verify(q *request) ([]byte, answer, bool) {
	e := q.hook.endpoint
	proof := webhook.Request{Method: q.Method, Path: q.URL.EscapedPath(), Query: q.URL.RawQuery, Header: q.Header, Now: q.at}
	if !e.SignsBody() {
		if err := e.Verify(proof); err != nil {
			return nil, unauthorized(e.Challenge(), err), false
		}
	}
	raw, a, ok := r.read(q)
	if !ok {
		return nil, a, false
	}
	if proof.Body = raw; e.SignsBody() {
		if err := e.Verify(proof); err != nil {
			return nil, unauthorized("", err), false
		}
	}
	return raw, answer{}, true
}

func (r *Receiver) maxBody(q *request) int64 {
	if own := q.hook.config.MaxBody; own > 0 {
		return min(own, r.config.MaxBody)
	}
	return r.config.MaxBody
}

// ordinaryBody is how much room there is for a body before any of it has come: a sender can claim more without sending it.
const ordinaryBody = 16 << 10

// read reads the body as it is sent.
func (r *Receiver) read(q *request) ([]byte, answer, bool) {
	most := r.maxBody(q)
	if q.ContentLength > most {
		return nil, tooLarge(), false
	}
	var b bytes.Buffer
	b.Grow(int(min(max(q.ContentLength, 0), ordinaryBody)) + bytes.MinRead)
	_, err := io.Copy(&b, http.MaxBytesReader(q.writer, q.Body, most))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, tooLarge(), false
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, refused(http.StatusRequestTimeout, "slow", "the body took too long").with("Connection", "close"), false
	case err != nil:
		return nil, refused(http.StatusBadRequest, "body", "the body could not be read"), false
	}
	return b.Bytes(), answer{}, true
}

// deliver makes a delivery of a request that is proved, and stores it.
func (r *Receiver) deliver(q *request, raw []byte) answer {
	c := q.hook.config
	plain, err := webhook.Decompress(q.Header, raw, r.maxBody(q))
	if err != nil {
		return badBody(err)
	}
	if reply, ok := c.Handshake(q.Header, plain); ok {
		return answer{status: http.StatusOK, body: reply}
	}
	body, err := c.ReadBody(q.Header, plain)
	if err != nil {
		return badBody(err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return r.notStored(q, err)
	}
	d := sensor.Delivery{ID: id.String(), SensorRef: q.ref, Key: c.Key(q.Header, body), ReceivedAt: q.at.UTC()}
	d.Payload, err = c.Payload(webhook.Arrival{
		ID: d.ID, Method: q.Method, Header: q.Header, Query: q.URL.RawQuery, Parameters: q.parameters, Remote: q.remote, At: q.at,
	}, body)
	if err != nil {
		return badBody(err)
	}
	return r.accept(q, d)
}

func badBody(err error) answer {
	var bad *webhook.BadBody
	switch {
	case errors.Is(err, webhook.ErrTooLarge):
		return tooLarge()
	case errors.Is(err, webhook.ErrCoding):
		return refused(http.StatusUnsupportedMediaType, "body", err.Error()).with("Accept-Encoding", "gzip, deflate")
	case errors.As(err, &bad):
		return refused(http.StatusBadRequest, "body", bad.Reason)
	}
	return refused(http.StatusBadRequest, "body", "the body could not be read")
}

// accept answers once the delivery is committed, or when that takes too long. Then it may be committed all the same: a
// sender that names its deliveries can repeat it without making a second event.
func (r *Receiver) accept(q *request, d sensor.Delivery) answer {
	ctx, cancel := context.WithTimeout(q.Context(), r.config.AcceptTimeout)
	defer cancel()
	id, duplicate, err := r.config.Inbox.Accept(ctx, d)
	switch {
	case errors.Is(err, sensor.ErrNotFound):
		return notFound()
	case err != nil:
		return r.notStored(q, err)
	}
	r.config.Metrics.WebhookDelivery(q.ref, duplicate)
	if !duplicate {
		r.config.Waker.Wake(q.ref)
	}
	return accepted(id)
}

// storeWait is when senders are to come again while deliveries cannot be stored.
const storeWait = 5 * time.Second

func (r *Receiver) notStored(q *request, err error) answer {
	if q.Context().Err() == nil {
		r.complaint.Do(func() {
			r.config.Logger.Warn("a delivery could not be stored: its sender was asked to come again", zap.String("sensor_ref", q.ref), zap.Error(err))
		})
	}
	a := later(http.StatusServiceUnavailable, "storage", "the delivery could not be stored", storeWait)
	a.detail = err
	return a
}
