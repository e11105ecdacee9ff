// Package testenv gives tests the real servers: a database, a broker namespace and a Temporal namespace of their own
// each, on the servers that `make dev/up` started or that the environment names. A missing server fails the test.
package testenv

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// BrokerURL returns the AMQP URL of the broker. Tests on it share a virtual host: name exchanges and queues with Name.
func BrokerURL(t testing.TB) string {
	t.Helper()
	return setting(t, "ATTUNE__MESSAGE_QUEUE__URL")
}

// TemporalAddress returns host:port of Temporal's frontend.
func TemporalAddress(t testing.TB) string {
	t.Helper()
	return setting(t, "TEMPORAL_ADDRESS")
}

// Name returns prefix with a random suffix, safe in refs, queue names and database names.
func Name(t testing.TB, prefix string) string {
	t.Helper()
	b := make([]byte, 5)
	_, err := rand.Read(b)
	require.NoError(t, err)
	return prefix + "_" + hex.EncodeToString(b)
}

// setting looks name up in the environment, then in the file that `make dev/up` writes.
func setting(t testing.TB, name string) string {
	t.Helper()
	if v := os.Getenv(name); v != "" {
		return v
	}
	if v := devFile(t)[name]; v != "" {
		return v
	}
	require.FailNowf(t, "no server", "%s is not set and .dev/env does not name it: run `make dev/up` or `make test`", name)
	return ""
}

func devFile(t testing.TB) map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join(root(t), ".dev", "env"))
	if err != nil {
		return nil
	}
	defer f.Close()
	vars := map[string]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := strings.TrimPrefix(strings.TrimSpace(lines.Text()), "export ")
		if name, value, ok := strings.Cut(line, "="); ok {
			vars[name] = strings.Trim(value, `'"`)
		}
	}
	return vars
}

// root is the checkout: the folder above this one that holds the root module's go.mod.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for !exists(filepath.Join(dir, "docker-compose.yml")) && !exists(filepath.Join(dir, "go.sum")) {
		parent := filepath.Dir(dir)
		require.NotEqual(t, parent, dir, "not below the project's checkout")
		dir = parent
	}
	return dir
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
