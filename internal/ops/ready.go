package ops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// checkTimeout is the time that a check has; probes commonly give up after a few seconds.
const checkTimeout = 2 * time.Second

// urlPassword finds the password in a URL: a check's error may quote one.
var urlPassword = regexp.MustCompile(`(://[^/\s:@]*:)[^\s]+@`)

// readiness runs named checks at the same time.
type readiness struct {
	checks map[string]func(context.Context) error
	flight singleflight.Group // one run of a check at a time, however many ask, and even if it hangs
}

type report struct {
	Status string            `json:"status"` // ok or unavailable
	Checks map[string]string `json:"checks,omitempty"`
}

func newReadiness(checks map[string]func(context.Context) error) *readiness {
	return &readiness{checks: checks}
}

// ServeHTTP answers 200 when every check passes and 503 otherwise, with the outcome of each.
func (r *readiness) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	answer := report{Status: "ok", Checks: make(map[string]string, len(r.checks))}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for name := range r.checks {
		wg.Go(func() {
			outcome := "ok"
			if err := r.check(req.Context(), name); err != nil {
				outcome = urlPassword.ReplaceAllString(err.Error(), "${1}xxxxx@")
			}
			mu.Lock()
			defer mu.Unlock()
			answer.Checks[name] = outcome
			if outcome != "ok" {
				answer.Status = "unavailable"
			}
		})
	}
	wg.Wait()
	status := http.StatusOK
	if answer.Status != "ok" {
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, answer)
}

// check waits for one run of the check, its own or one that another request started.
func (r *readiness) check(ctx context.Context, name string) error {
	result := r.flight.DoChan(name, func() (any, error) {
		runCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
		defer cancel()
		return nil, r.checks[name](runCtx)
	})
	waitCtx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	var err error
	select {
	case done := <-result:
		err = done.Err
	case <-waitCtx.Done():
		err = waitCtx.Err()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s", checkTimeout)
	}
	return err
}

func serveHealth(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, report{Status: "ok"})
}

func writeJSON(w http.ResponseWriter, status int, answer report) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // fails only when the client has gone
}
