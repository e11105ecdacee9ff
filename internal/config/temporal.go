package config

import (
	"errors"
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

// TemporalProfile returns how to dial another cluster, by the name of its profile in Temporal's own file. TEMPORAL_* do not
// change it.
func (c Config) TemporalProfile(name string, logger log.Logger) (client.Options, error) {
	profile, ok := c.Temporal.profiles[name]
	if !ok {
		return client.Options{}, errors.New("Temporal's own file, which TEMPORAL_CONFIG_FILE names, has none of that name")
	}
	o, err := profile.ToClientOptions(envconfig.ToClientOptionsRequest{})
	if err != nil {
		return client.Options{}, err
	}
	if o.Namespace == "" {
		o.Namespace = client.DefaultNamespace
	}
	o.Logger = logger
	return o, nil
}

// addProfile reads what Temporal's own tools share, a file with profiles and TEMPORAL_*, and lays its address and
// namespace over what is there. The rest of the profile waits for TemporalOptions, but is checked here.
func (l *loader) addProfile(e environ) {
	profile, err := envconfig.LoadClientConfigProfile(envconfig.LoadClientConfigProfileOptions{EnvLookup: e})
	if err == nil {
		_, err = profile.ToClientOptions(envconfig.ToClientOptionsRequest{})
	}
	if err != nil {
		l.problem("settings of the connection to Temporal (TEMPORAL_*): %v", err)
		return
	}
	l.config.Temporal.profile = profile
	file, err := envconfig.LoadClientConfig(envconfig.LoadClientConfigOptions{EnvLookup: e})
	if err == nil && len(file.Profiles) > 0 { // it was read just now
		l.config.Temporal.profiles = file.Profiles
	}
	l.addNonEmpty("temporal.address", profile.Address, "in Temporal's own file")
	l.addNonEmpty("temporal.namespace", profile.Namespace, "in Temporal's own file")
}

// addTemporalEnviron lays TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE over our file: the environment goes before files.
func (l *loader) addTemporalEnviron(e environ) {
	address, _ := e.LookupEnv("TEMPORAL_ADDRESS")
	namespace, _ := e.LookupEnv("TEMPORAL_NAMESPACE")
	l.addNonEmpty("temporal.address", address, "in TEMPORAL_ADDRESS")
	l.addNonEmpty("temporal.namespace", namespace, "in TEMPORAL_NAMESPACE")
}

func (l *loader) addNonEmpty(name, text, origin string) {
	if text != "" {
		l.add(map[string]any{name: setting{Text: text, Origin: origin}})
	}
}
