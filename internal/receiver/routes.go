package receiver

import (
	"bytes"
	"cmp"
	"context"
	"math"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/attune-automation/sensors/internal/runner/webhook"
	"github.com/attune-automation/sensors/internal/sensor"
)

// routes are the webhooks at one moment. They never change.
type routes struct {
	table *webhook.Table
	hooks map[string]*hook // by sensor ref
}

// hook is the webhook of one sensor.
type hook struct {
	sensor   sensor.Sensor
	config   webhook.Config
	endpoint *webhook.Endpoint // nil: err keeps it from being served
	err      error
	limiter  *rate.Limiter // nil: no limit
}

// serves says whether there is a webhook for senders, be it in order or not.
func (h *hook) serves() bool { return h != nil && h.sensor.Active() }

// refresh keeps the routes up to date until ctx ends. When the sensors cannot be listed, what was there goes on.
func (r *Receiver) refresh(ctx context.Context) {
	tick := time.NewTicker(r.config.RouteInterval)
	defer tick.Stop()
	var opened time.Time // when secrets were looked at last
	var failed bool
	for {
		now := time.Now()
		secrets := now.Sub(opened) >= r.config.SecretInterval
		err := r.update(ctx, secrets)
		switch {
		case err == nil && failed:
			r.config.Logger.Info("the webhooks can be listed again")
		case err != nil && !failed && ctx.Err() == nil:
			r.config.Logger.Warn("the webhooks cannot be listed: those that are known are served", zap.Error(err))
		}
		failed = err != nil
		if secrets && err == nil {
			opened = now
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// listTimeout is the time that listing the sensors has.
const listTimeout = 5 * time.Second

// update looks at the sensors, and at the secrets of those that did not change if these are due.
func (r *Receiver) update(ctx context.Context, secrets bool) error {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	sensors, err := r.config.Catalog.Webhooks(ctx)
	if err != nil {
		return err
	}
	before := r.routes.Load()
	next := &routes{hooks: make(map[string]*hook, len(sensors))}
	changed := before == nil || len(before.hooks) != len(sensors)
	for _, s := range sensors {
		var old *hook
		if before != nil {
			old = before.hooks[s.Ref]
		}
		same := old != nil && old.sensor.ID == s.ID && old.sensor.Version == s.Version && bytes.Equal(old.sensor.Config, s.Config)
		changed = changed || !same
		next.hooks[s.Ref] = r.hook(s, old, same, secrets)
	}
	if changed {
		next.table = next.newTable()
	} else {
		next.table = before.table
	}
	r.report(before, next)
	r.routes.Store(next)
	return nil
}

// hook returns the webhook of a sensor; what is the same as before is kept.
func (r *Receiver) hook(s sensor.Sensor, old *hook, same, secrets bool) *hook {
	h := &hook{sensor: s}
	if same {
		h.config, h.endpoint, h.err, h.limiter = old.config, old.endpoint, old.err, old.limiter
		if !secrets {
			return h
		}
	}
	if !same {
		if h.config, h.err = webhook.Parse(s.Config); h.err != nil {
			return h
		}
		h.limiter = newLimiter(cmp.Or(h.config.Rate, r.config.SensorRate))
	}
	if h.config.Methods != nil { // it could be parsed
		h.endpoint, h.err = h.config.Open(r.config.Secrets)
	}
	return h
}

func newLimiter(perSecond float64) *rate.Limiter {
	if perSecond == 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond), int(math.Ceil(perSecond)))
}

func (r *routes) newTable() *webhook.Table {
	var places []webhook.Place
	for _, h := range r.hooks {
		if place, err := h.config.Place(h.sensor); err == nil && h.config.Methods != nil {
			places = append(places, place)
		}
	}
	return webhook.NewTable(places)
}

// problem says why the webhook of a sensor is not served; nil: it is, or is not meant to be.
func (r *routes) problem(ref string) error {
	h := r.hooks[ref]
	if !h.serves() {
		return nil
	}
	return cmp.Or(h.err, r.table.Conflict(ref))
}

// report logs what is new about webhooks that are not served.
func (r *Receiver) report(before, after *routes) {
	for ref := range after.hooks {
		var was error
		if before != nil {
			was = before.problem(ref)
		}
		is := after.problem(ref)
		switch {
		case is != nil && (was == nil || was.Error() != is.Error()):
			r.config.Logger.Warn("a webhook refuses everything", zap.String("sensor_ref", ref), zap.Error(is))
		case is == nil && was != nil:
			r.config.Logger.Info("a webhook is in order again", zap.String("sensor_ref", ref))
		}
	}
}

// States counts the webhooks by what they do: serving, or refusing everything because something is wrong.
func (r *Receiver) States() map[string]int64 {
	states := map[string]int64{"serving": 0, "refusing": 0}
	now := r.routes.Load()
	if now == nil {
		return nil
	}
	for ref, h := range now.hooks {
		switch {
		case !h.serves():
		case now.problem(ref) != nil:
			states["refusing"]++
		default:
			states["serving"]++
		}
	}
	return states
}
