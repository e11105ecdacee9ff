package webhook

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Request is a request as it was sent.
type Request struct {
	Method string
	Path   string // still encoded, with the base path
	Query  string // still encoded
	Header http.Header
	Body   []byte // before it is decompressed
	Now    time.Time
}

// only returns the value of a header that must be there once: of two, nobody knows which one the sender meant.
func (r Request) only(name string) (string, error) {
	values := r.Header.Values(name)
	if len(values) != 1 {
		return "", fmt.Errorf("header %s is there %d times, want once", name, len(values))
	}
	return values[0], nil
}

// Verify says why a request does not come from somebody who knows a secret; nil: it does. The reason is for operators,
// and has nothing of a secret in it. If SignsBody is false, the request needs no body yet.
func (e *Endpoint) Verify(r Request) error { return e.verifier.verify(r) }

// SignsBody says whether the body proves who sent it.
func (e *Endpoint) SignsBody() bool { return e.Auth.kind == authHMAC }

// Challenge returns the scheme that a refused sender is told of, for the header WWW-Authenticate; empty: none.
func (e *Endpoint) Challenge() string {
	switch e.Auth.kind {
	case authBasic:
		return `Basic realm="webhook", charset="UTF-8"`
	case authBearer:
		return `Bearer realm="webhook"`
	}
	return ""
}

type verifier interface {
	verify(r Request) error
}

// verifier returns what checks requests, with the secrets of this moment.
func (a Auth) verifier(secrets Secrets) (verifier, error) {
	if a.kind == authNone {
		return everybody{}, nil
	}
	values := make([]string, len(a.secrets))
	for i, name := range a.secrets {
		value, err := secrets.Lookup(name)
		if err != nil {
			return nil, fmt.Errorf("config.auth.secrets[%d]: %w", i, err)
		}
		values[i] = value
	}
	if a.kind == authHMAC {
		return newSigned(a, values)
	}
	t := token{auth: a}
	for _, value := range values {
		if a.kind == authBasic {
			value = a.username + ":" + value
		}
		t.digests = append(t.digests, sha256.Sum256([]byte(value)))
	}
	return t, nil
}

// everybody takes all requests.
type everybody struct{}

func (everybody) verify(Request) error { return nil }

// token compares what was sent with a few secrets. It compares digests, since a comparison in constant time still tells
// the length of what it compares.
type token struct {
	auth    Auth
	digests [][sha256.Size]byte
}

func (t token) verify(r Request) error {
	sent, err := t.sent(r)
	if err != nil {
		return err
	}
	digest, known := sha256.Sum256(sent), 0
	for _, want := range t.digests {
		known |= subtle.ConstantTimeCompare(digest[:], want[:])
	}
	if known == 0 {
		return errors.New("it is none of the secrets")
	}
	return nil
}

func (t token) sent(r Request) ([]byte, error) {
	if t.auth.query != "" {
		values, err := url.ParseQuery(r.Query)
		if err != nil || len(values[t.auth.query]) != 1 {
			return nil, fmt.Errorf("parameter %s of the query is there %d times, want once", t.auth.query, len(values[t.auth.query]))
		}
		return []byte(values[t.auth.query][0]), nil
	}
	value, err := r.only(t.auth.header)
	if err != nil || t.auth.kind == authAPIKey {
		return []byte(value), err
	}
	scheme, credentials, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, t.auth.kind) {
		return nil, fmt.Errorf("header %s is not of the scheme %s", t.auth.header, t.auth.kind)
	}
	credentials = strings.TrimSpace(credentials)
	if t.auth.kind == authBearer {
		return []byte(credentials), nil
	}
	decoded, err := base64.StdEncoding.DecodeString(credentials)
	if err != nil || !bytes.Contains(decoded, []byte(":")) {
		return nil, errors.New("the credentials are no base64 of NAME:PASSWORD")
	}
	return decoded, nil
}
