package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/contrib/envconfig"
)

func TestFilesOfTheConnections(t *testing.T) {
	t.Parallel()
	file, temporal := writeFile(t, "config.yaml", ""), writeFile(t, "temporal.toml", "")
	c, err := Load(Options{File: file, Environ: testEnviron(
		"HOME=/home/attune", "PGPASSFILE=/pg/pass", "PGSERVICEFILE=pg/services", "PGSSLKEY=/pg/env.key", "PGHOST=/pg/sockets,db.example",
		"TEMPORAL_CONFIG_FILE="+temporal,
		"ATTUNE__DATABASE__URL=postgres:///attune?sslkey=/pg/key&sslcert=/pg/cert&sslrootcert=/pg/ca&passfile=/pg/pass2&servicefile=/pg/services2&host=/pg/more,/pg/again",
		"ATTUNE__WEBHOOKS__TLS_CERTIFICATE=/hooks/cert", "ATTUNE__WEBHOOKS__TLS_KEY=/hooks/key",
		"ATTUNE__MESSAGE_QUEUE__URL=amqps://b.example/?keyfile=/mq/key&certfile=/mq/cert&cacertfile=/etc/ssl/certs/ca-certificates.crt",
	)})
	require.NoError(t, err)
	here, err := os.Getwd()
	require.NoError(t, err)
	require.ElementsMatch(t, []string{
		file, temporal, envconfig.DefaultConfigFilePath(),
		"/pg/key", "/pg/cert", "/pg/ca", "/pg/pass2", "/pg/services2", "/pg/pass", filepath.Join(here, "pg/services"), "/pg/env.key",
		"/pg/more", "/pg/again", "/pg/sockets", "/home/attune/.pgpass", "/home/attune/.pg_service.conf", "/home/attune/.postgresql",
		"/mq/key", "/mq/cert", "/hooks/key",
	}, c.Files(), "and not what is there for everybody")

	tls := func(dir string) envconfig.ClientConfigProfile {
		return envconfig.ClientConfigProfile{TLS: &envconfig.ClientConfigTLS{
			ClientKeyPath: dir + "/key", ClientCertPath: dir + "/cert", ServerCACertPath: dir + "/ca",
		}}
	}
	elsewhere := tls("/elsewhere")
	require.Subset(t, temporalFiles(nil, Temporal{
		profile: tls("/tls"), profiles: map[string]*envconfig.ClientConfigProfile{"elsewhere": &elsewhere},
	}), []string{"/tls/key", "/tls/cert", "/tls/ca", "/elsewhere/key", "/elsewhere/cert", "/elsewhere/ca"})
}

func TestFilesThatKubernetesReplaces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "..2026"), 0o700))
	require.NoError(t, os.Symlink("..2026", filepath.Join(dir, "..data")))
	c, err := Load(Options{File: writeFile(t, "config.yaml", ""), Environ: testEnviron(append(needed, "PGSSLKEY="+dir+"/tls.key")...)})
	require.NoError(t, err)
	require.Contains(t, c.Files(), dir)
}
