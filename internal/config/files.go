package config

import (
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.temporal.io/sdk/contrib/envconfig"
)

// Files returns the files and folders, as absolute paths, that a program reads these settings and the keys, certificates
// and passwords of its connections from, and sockets that it connects to, whether or not they are there. What sensors may
// read must not be among them.
func (c Config) Files() []string { return c.files }

// findFiles notes what Files returns.
func (l *loader) findFiles(e environ) {
	c := &l.config
	found := slices.Concat([]string{c.File}, temporalFiles(e, c.Temporal), postgresFiles(e, c.Database.URL),
		urlFiles(c.MessageQueue.URL, "keyfile", "certfile", "cacertfile"), []string{c.Webhooks.TLSKey})
	for _, path := range found {
		if path == "" {
			continue
		}
		path, err := filepath.Abs(path)
		if err != nil || isSystem(path) {
			continue // it has been read, so that this cannot be
		}
		// Kubernetes replaces such a folder's files by changing this link.
		if info, err := os.Lstat(filepath.Join(filepath.Dir(path), "..data")); err == nil && info.Mode()&os.ModeSymlink != 0 {
			path = filepath.Dir(path)
		}
		if !slices.Contains(c.files, path) {
			c.files = append(c.files, path)
		}
	}
}

// temporalFiles are those of the SDK's envconfig.
func temporalFiles(e environ, t Temporal) []string {
	file, _ := e.LookupEnv("TEMPORAL_CONFIG_FILE")
	files := []string{file}
	if path := envconfig.DefaultConfigFilePath(); path != "" {
		files = append(files, path)
	}
	profiles := []*envconfig.ClientConfigProfile{&t.profile}
	for _, name := range slices.Sorted(maps.Keys(t.profiles)) {
		profiles = append(profiles, t.profiles[name])
	}
	for _, profile := range profiles {
		if profile.TLS != nil {
			files = append(files, profile.TLS.ClientKeyPath, profile.TLS.ClientCertPath, profile.TLS.ServerCACertPath)
		}
	}
	return files
}

// postgresFiles are those of libpq, which pgx reads, too. A host that is a folder has the server's socket in it.
func postgresFiles(e environ, database string) []string {
	files := urlFiles(database, "sslkey", "sslcert", "sslrootcert", "passfile", "servicefile")
	hosts := urlFiles(database, "host")
	for _, variable := range []string{"PGSSLKEY", "PGSSLCERT", "PGSSLROOTCERT", "PGPASSFILE", "PGSERVICEFILE"} {
		path, _ := e.LookupEnv(variable)
		files = append(files, path)
	}
	if host, ok := e.LookupEnv("PGHOST"); ok {
		hosts = append(hosts, host)
	}
	for _, host := range hosts {
		for one := range strings.SplitSeq(host, ",") {
			if filepath.IsAbs(one) {
				files = append(files, one)
			}
		}
	}
	if home, ok := e.LookupEnv("HOME"); ok && filepath.IsAbs(home) {
		for _, name := range []string{".pgpass", ".pg_service.conf", ".postgresql"} {
			files = append(files, filepath.Join(home, name))
		}
	}
	return files
}

// urlFiles returns the values of parameters of a URL.
func urlFiles(text string, parameters ...string) []string {
	u, err := url.Parse(text)
	if err != nil {
		return nil
	}
	var files []string
	for _, name := range parameters {
		files = append(files, u.Query()[name]...)
	}
	return files
}

// isSystem says whether a path is where the machine keeps the certificates of authorities, which are for everybody.
func isSystem(path string) bool {
	for _, dir := range []string{
		"/etc/ssl/certs", "/etc/ca-certificates", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates", "/etc/pki/ca-trust", "/etc/pki/tls/certs",
	} {
		if path == dir || strings.HasPrefix(path, dir+"/") {
			return true
		}
	}
	return path == "/"
}
