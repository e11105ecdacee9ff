// Package ops serves what operators look at: /healthz, /readyz and /metrics.
package ops

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
)

// Config is what a Server serves, and where.
type Config struct {
	Address  string                                 // host:port; port 0 takes a free one
	Checks   map[string]func(context.Context) error // what /readyz asks, by name
	Gatherer prometheus.Gatherer                    // what /metrics shows
	Logger   *zap.Logger
}

// Server answers /healthz (200 while the process lives), /readyz (200 when every check passes, 503 otherwise) and
// /metrics (Prometheus).
type Server struct {
	http    *http.Server
	logger  *zap.Logger
	address string
	served  sync.WaitGroup // the goroutine that holds the port
}

// New returns a server that does not listen yet.
func New(c Config) (*Server, error) {
	switch {
	case c.Address == "":
		return nil, errors.New("ops: Address is missing")
	case c.Gatherer == nil:
		return nil, errors.New("ops: Gatherer is missing")
	case c.Logger == nil:
		return nil, errors.New("ops: Logger is missing")
	}
	errorLog, err := zap.NewStdLogAt(c.Logger, zap.WarnLevel)
	if err != nil {
		return nil, fmt.Errorf("ops: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", serveHealth)
	mux.Handle("GET /readyz", newReadiness(c.Checks))
	mux.Handle("GET /metrics", promhttp.HandlerFor(c.Gatherer, promhttp.HandlerOpts{
		ErrorLog:      errorLog,
		ErrorHandling: promhttp.ContinueOnError, // the rest is still worth a look
	}))
	return &Server{
		http: &http.Server{
			Handler:           mux,
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       10 * time.Second,
			WriteTimeout:      30 * time.Second,
			IdleTimeout:       2 * time.Minute,
			MaxHeaderBytes:    64 << 10,
			ErrorLog:          errorLog,
		},
		logger:  c.Logger,
		address: c.Address,
	}, nil
}

// Start listens, serves in the background and returns the address it listens on.
func (s *Server) Start() (string, error) {
	listener, err := net.Listen("tcp", s.address)
	if err != nil {
		return "", fmt.Errorf("ops.address (ATTUNE__OPS__ADDRESS) %q: %w: choose a free host:port, or leave it empty to serve nothing",
			s.address, err)
	}
	s.served.Go(func() {
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.logger.Error("health and metrics are no longer served", zap.Error(err))
		}
	})
	return listener.Addr().String(), nil
}

// Shutdown frees the port and waits for the requests in hand until ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	s.served.Wait()
	if err != nil {
		return fmt.Errorf("stopping the server of health and metrics: %w", err)
	}
	return nil
}
