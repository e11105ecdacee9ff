package service

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/config"
	"github.com/attune-automation/sensors/internal/intake"
	"github.com/attune-automation/sensors/internal/receiver"
	"github.com/attune-automation/sensors/internal/runner/webhook"
	"github.com/attune-automation/sensors/internal/secret"
)

// serveWebhooks starts the receiver, if this worker is to be one. It needs neither the database nor the engine to start,
// and goes on while they are away. When ctx ends it stops, beside the rest of the worker; the returned function waits for
// that.
func (s *Service) serveWebhooks(ctx context.Context) (wait func(), err error) {
	if !s.has(config.RoleWebhooks) || s.config.Webhooks.Address == "" {
		return func() {}, nil
	}
	inbox, err := intake.New(intake.Config{Store: s.store, Timeout: s.config.Webhooks.AcceptTimeout})
	if err != nil {
		return nil, err
	}
	address, err := s.startReceiver(inbox)
	if err != nil {
		inbox.Close()
		return nil, err
	}
	s.logger.Info("taking requests of webhooks", zap.String("address", address), zap.String("base_path", s.config.Webhooks.BasePath))
	ended := make(chan struct{})
	stop := func() {
		defer close(ended)
		s.stopReceiver()
		inbox.Close()
	}
	unhook := context.AfterFunc(ctx, stop)
	return func() {
		if unhook() {
			stop()
		}
		<-ended
	}, nil
}

func (s *Service) startReceiver(inbox receiver.Inbox) (address string, err error) {
	secrets, err := secret.New(secret.Config{Environ: os.Environ(), Directory: s.config.Secret.Directory})
	if err != nil {
		return "", err
	}
	proxies, err := parseNetworks(s.config.Webhooks.TrustedProxies)
	if err != nil {
		return "", err
	}
	w := s.config.Webhooks
	s.receiver, err = receiver.New(receiver.Config{
		Address: w.Address, BasePath: strings.TrimSuffix(w.BasePath, "/"), CertificateFile: w.TLSCertificate, KeyFile: w.TLSKey,
		TrustedProxies: proxies, MaxBody: w.MaxBody, MaxHeader: int(w.MaxHeader), HeaderTimeout: w.HeaderTimeout, ReadTimeout: w.ReadTimeout,
		AcceptTimeout: w.AcceptTimeout, MaxRequests: w.MaxRequests, AddressRate: float64(w.AddressRate), SensorRate: float64(w.SensorRate),
		AddressConnections: w.AddressConnections,
		Inbox:              inbox, Waker: s.waker, Catalog: s.store, Secrets: secrets, Metrics: s.metrics, Logger: s.logger.Named("webhooks"),
	})
	if err != nil {
		return "", err
	}
	if address, err = s.receiver.Start(); err != nil {
		return "", err
	}
	return address, s.metrics.ObserveWebhooks(s.receiver.States)
}

func (s *Service) stopReceiver() {
	ctx, cancel := context.WithTimeout(context.Background(), s.stopTimeout())
	defer cancel()
	if err := s.receiver.Shutdown(ctx); err != nil {
		s.logger.Warn("requests of webhooks were broken off", zap.Error(err))
	}
}

func parseNetworks(texts []string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for _, text := range texts {
		network, err := webhook.ParseNetwork(text)
		if err != nil {
			return nil, fmt.Errorf("webhooks.trusted_proxies: %w", err)
		}
		networks = append(networks, network)
	}
	return networks, nil
}
