package ops

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

type check = func(context.Context) error

func passes(context.Context) error { return nil }

func start(t *testing.T, c Config) string {
	t.Helper()
	c.Address = "127.0.0.1:0"
	c.Logger = zap.NewNop()
	if c.Gatherer == nil {
		c.Gatherer = prometheus.NewRegistry()
	}
	s, err := New(c)
	require.NoError(t, err)
	address, err := s.Start()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Shutdown(context.WithoutCancel(t.Context()))) })
	return "http://" + address
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(req)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}

func TestHealthIgnoresChecks(t *testing.T) {
	t.Parallel()
	url := start(t, Config{Checks: map[string]check{"database": func(context.Context) error { return errors.New("down") }}})
	status, body := get(t, url+"/healthz")
	require.Equal(t, http.StatusOK, status)
	require.JSONEq(t, `{"status": "ok"}`, body)
}

func TestReady(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		checks map[string]check
		status int
		body   string
	}{
		{name: "no checks", status: http.StatusOK, body: `{"status": "ok"}`},
		{
			name: "all pass", checks: map[string]check{"database": passes, "broker": passes},
			status: http.StatusOK, body: `{"status": "ok", "checks": {"database": "ok", "broker": "ok"}}`,
		},
		{
			name: "one fails, and its error has a password",
			checks: map[string]check{"database": passes, "broker": func(context.Context) error {
				return errors.New("dial amqp://attune:se:cr@et@broker:5672/ or amqp://attune:secret@other/: refused")
			}},
			status: http.StatusServiceUnavailable,
			body: `{"status": "unavailable", "checks": {"database": "ok",
				"broker": "dial amqp://attune:xxxxx@broker:5672/ or amqp://attune:xxxxx@other/: refused"}}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			status, body := get(t, start(t, Config{Checks: test.checks})+"/readyz")
			require.Equal(t, test.status, status)
			require.JSONEq(t, test.body, body)
		})
	}
}

// A check that hangs and ignores its context is reported, holds up nothing else, and is not started once more by every
// probe.
func TestReadyWithHangingCheck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int64
		release := make(chan struct{})
		ready := newReadiness(map[string]check{"database": passes, "temporal": func(context.Context) error {
			runs.Add(1)
			<-release
			return nil
		}})
		ask := func() string {
			answer := httptest.NewRecorder()
			ready.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil))
			return answer.Body.String()
		}
		hanging := `{"status": "unavailable", "checks": {"database": "ok", "temporal": "no answer within 2s"}}`
		begin := time.Now()
		require.JSONEq(t, hanging, ask())
		require.JSONEq(t, hanging, ask())
		require.Equal(t, 2*checkTimeout, time.Since(begin))
		require.EqualValues(t, 1, runs.Load())

		close(release)
		synctest.Wait()
		require.JSONEq(t, `{"status": "ok", "checks": {"database": "ok", "temporal": "ok"}}`, ask())
		require.EqualValues(t, 2, runs.Load())
	})
}

func TestChecksRunTogetherAndEndInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
		ready := newReadiness(map[string]check{"database": slow, "broker": slow, "temporal": slow})
		begin := time.Now()
		answer := httptest.NewRecorder()
		ready.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil))
		require.Equal(t, http.StatusServiceUnavailable, answer.Code)
		require.JSONEq(t, `{"status": "unavailable", "checks": {"database": "no answer within 2s",
			"broker": "no answer within 2s", "temporal": "no answer within 2s"}}`, answer.Body.String())
		require.Equal(t, checkTimeout, time.Since(begin))
	})
}

func TestTakenPort(t *testing.T) {
	t.Parallel()
	url := start(t, Config{})
	s, err := New(Config{Address: url[len("http://"):], Gatherer: prometheus.NewRegistry(), Logger: zap.NewNop()})
	require.NoError(t, err)
	_, err = s.Start()
	require.ErrorContains(t, err, "ops.address (ATTUNE__OPS__ADDRESS)")
	require.ErrorContains(t, err, "address already in use")
}

func TestShutdownFreesThePort(t *testing.T) {
	t.Parallel()
	c := Config{Address: "127.0.0.1:0", Gatherer: prometheus.NewRegistry(), Logger: zap.NewNop()}
	for range 2 {
		s, err := New(c)
		require.NoError(t, err)
		c.Address, err = s.Start()
		require.NoError(t, err)
		require.NoError(t, s.Shutdown(t.Context()))
	}
}

func TestMissingParts(t *testing.T) {
	t.Parallel()
	for field, c := range map[string]Config{
		"Address":  {Gatherer: prometheus.NewRegistry(), Logger: zap.NewNop()},
		"Gatherer": {Address: "127.0.0.1:0", Logger: zap.NewNop()},
		"Logger":   {Address: "127.0.0.1:0", Gatherer: prometheus.NewRegistry()},
	} {
		_, err := New(c)
		require.EqualError(t, err, "ops: "+field+" is missing")
	}
}
