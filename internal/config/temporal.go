package config

import (
	"fmt"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/log"
)

// TemporalOptions returns how to dial Temporal: address and namespace of the configuration, and TLS, API key and headers
// as TEMPORAL_* and Temporal's own file give them. Logger and metrics may be nil: the SDK's default, and none.
func (c Config) TemporalOptions(logger log.Logger, metrics client.MetricsHandler) (client.Options, error) {
	o, err := c.Temporal.profile.ToClientOptions(envconfig.ToClientOptionsRequest{})
	if err != nil {
		return client.Options{}, fmt.Errorf("settings of the connection to Temporal (TEMPORAL_*): %w", err)
	}
	o.HostPort, o.Namespace = c.Temporal.Address, c.Temporal.Namespace
	o.Logger, o.MetricsHandler = logger, metrics
	return o, nil
}
