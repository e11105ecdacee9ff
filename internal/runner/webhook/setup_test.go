package webhook

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// secrets are what a test knows, by name.
type secrets map[string]string

func (s secrets) Lookup(name string) (string, error) {
	if value, ok := s[name]; ok {
		return value, nil
	}
	return "", fmt.Errorf("there is no secret %q", name)
}

// open opens a webhook whose secrets are A and B.
func open(t *testing.T, config, a, b string) *Endpoint {
	t.Helper()
	e, err := Open([]byte(config), secrets{"A": a, "B": b})
	require.NoError(t, err)
	return e
}

// headers makes a header of names and values.
func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}
