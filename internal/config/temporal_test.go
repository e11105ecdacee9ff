package config

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
)

func TestTemporalPrecedence(t *testing.T) {
	t.Parallel()
	const ours = "temporal: {address: 'config.yaml:1', namespace: config.yaml}"
	profile := writeFile(t, "temporal.toml", `
[profile.default]
address = "profile:1"
namespace = "profile"
api_key = "secret"
[profile.staging]
address = "staging:1"
`)
	for _, test := range []struct {
		name               string
		file               string
		environ            []string
		address, namespace string
	}{
		{name: "defaults", address: "localhost:7233", namespace: "default"},
		{name: "profile", environ: []string{"TEMPORAL_CONFIG_FILE=" + profile}, address: "profile:1", namespace: "profile"},
		{name: "named profile", environ: []string{"TEMPORAL_CONFIG_FILE=" + profile, "TEMPORAL_PROFILE=staging"},
			address: "staging:1", namespace: "default"},
		{name: "config.yaml over profile", file: ours, environ: []string{"TEMPORAL_CONFIG_FILE=" + profile},
			address: "config.yaml:1", namespace: "config.yaml"},
		{name: "TEMPORAL_* over config.yaml", file: ours, environ: []string{"TEMPORAL_CONFIG_FILE=" + profile,
			"TEMPORAL_ADDRESS=variable:1", "TEMPORAL_NAMESPACE=variable"}, address: "variable:1", namespace: "variable"},
		{name: "an empty variable says nothing", file: ours, environ: []string{"TEMPORAL_ADDRESS=", "TEMPORAL_NAMESPACE="},
			address: "config.yaml:1", namespace: "config.yaml"},
		{name: "ATTUNE__TEMPORAL__* over TEMPORAL_*", file: ours, environ: []string{
			"TEMPORAL_ADDRESS=variable:1", "ATTUNE__TEMPORAL__ADDRESS=attune:1", "TEMPORAL_NAMESPACE=variable"},
			address: "attune:1", namespace: "variable"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, err := Load(Options{File: writeFile(t, "config.yaml", test.file),
				Environ: testEnviron(append(needed, test.environ...)...)})
			require.NoError(t, err)
			o, err := c.TemporalOptions(nil, nil)
			require.NoError(t, err)
			require.Equal(t, test.address, o.HostPort)
			require.Equal(t, test.namespace, o.Namespace)
		})
	}
}

func TestTemporalConnection(t *testing.T) {
	t.Parallel()
	load := func(variables ...string) (client.Options, error) {
		c, err := Load(Options{File: writeFile(t, "config.yaml", ""), Environ: testEnviron(append(needed, variables...)...)})
		if err != nil {
			return client.Options{}, err
		}
		return c.TemporalOptions(nil, client.MetricsNopHandler)
	}
	o, err := load()
	require.NoError(t, err)
	require.Nil(t, o.ConnectionOptions.TLS)
	require.Nil(t, o.Credentials)
	require.Equal(t, client.MetricsNopHandler, o.MetricsHandler)

	o, err = load("TEMPORAL_API_KEY=secret", "TEMPORAL_TLS_SERVER_NAME=temporal.example", "TEMPORAL_GRPC_META_TEAM=attune")
	require.NoError(t, err)
	require.NotNil(t, o.Credentials)
	require.Equal(t, "temporal.example", o.ConnectionOptions.TLS.ServerName)
	headers, err := o.HeadersProvider.GetHeaders(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]string{"team": "attune"}, headers)

	_, err = load("TEMPORAL_PROFILE=production")
	require.ErrorContains(t, err, "unable to find profile production")
}
