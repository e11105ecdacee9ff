package webhook

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	// maxSignatures is how many signatures of one request are looked at: senders that rotate a secret send two.
	maxSignatures = 16
	// minKey is the fewest bytes of a key that is decoded from its secret.
	minKey = 4
	// milliseconds is the least time that is taken for one in milliseconds: seconds come to it in the year 5138.
	milliseconds = 100_000_000_000
)

// signed checks signatures by HMAC.
type signed struct {
	hmacScheme
	keys [][]byte
}

func newSigned(a Auth, secrets []string) (signed, error) {
	s := signed{hmacScheme: a.hmac}
	for i, secret := range secrets {
		key, err := a.hmac.decodeKey(secret)
		if err == nil && len(key) < minKey {
			err = fmt.Errorf("fewer than %d bytes", minKey)
		}
		if err != nil {
			return s, fmt.Errorf("config.auth.secrets[%d]: secret %q is no key in %s: %w: write the key as the sender shows it, or correct auth.key",
				i, a.secrets[i], a.hmac.key, err)
		}
		s.keys = append(s.keys, key)
	}
	return s, nil
}

// decodeKey returns the key in a secret. Its error has nothing of the secret in it.
func (s hmacScheme) decodeKey(secret string) ([]byte, error) {
	secret = strings.TrimPrefix(secret, s.keyPrefix)
	switch s.key {
	case "hex":
		if key, err := hex.DecodeString(secret); err == nil {
			return key, nil
		}
		return nil, errors.New("not hexadecimal digits")
	case "base64":
		if key, err := decodeBase64(secret); err == nil {
			return key, nil
		}
		return nil, errors.New("not base64")
	}
	return []byte(secret), nil
}

// decodeBase64 takes the standard alphabet, padded or not.
func decodeBase64(text string) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
}

func (s signed) verify(r Request) error {
	timestamp, signatures, err := s.parts(r)
	if err != nil {
		return err
	}
	if err := s.checkTime(timestamp, r.Now); err != nil {
		return err
	}
	known := false
	for _, key := range s.keys {
		mac := hmac.New(s.hash, key)
		if err := s.signed.write(mac, r, timestamp); err != nil {
			return err
		}
		want := mac.Sum(nil)
		for _, signature := range signatures {
			known = hmac.Equal(want, signature) || known
		}
	}
	if !known {
		return errors.New("no signature is that of a secret")
	}
	return nil
}

// parts returns the time and the signatures that a request has.
func (s signed) parts(r Request) (timestamp string, signatures [][]byte, err error) {
	value, err := r.only(s.header)
	if err != nil {
		return "", nil, err
	}
	parts := []string{value}
	if s.separator != "" {
		parts = strings.SplitN(value, s.separator, maxSignatures+1)
	}
	times := 0
	for _, part := range parts[:min(len(parts), maxSignatures)] {
		part = strings.TrimSpace(part)
		if found, ok := strings.CutPrefix(part, s.timestampPart); ok && s.timestampPart != "" {
			timestamp = found
			times++
			continue
		}
		if signature, ok := s.decode(part); ok {
			signatures = append(signatures, signature)
		}
	}
	switch {
	case s.timestampPart != "" && times != 1:
		return "", nil, fmt.Errorf("header %s has %d times, want one", s.header, times)
	case s.timestampHeader != "":
		timestamp, err = r.only(s.timestampHeader)
	}
	if err == nil && len(signatures) == 0 {
		err = fmt.Errorf("header %s has no signature as it should be", s.header)
	}
	return timestamp, signatures, err
}

// decode returns the signature in a part of the header; false: it is none, or one of another version.
func (s signed) decode(part string) ([]byte, bool) {
	text, ok := strings.CutPrefix(part, s.prefix)
	if !ok {
		return nil, false
	}
	var signature []byte
	var err error
	if s.encoding == "base64" {
		signature, err = decodeBase64(text)
	} else {
		signature, err = hex.DecodeString(text)
	}
	return signature, err == nil
}

// checkTime refuses what was signed too long ago, which may be repeated by somebody who has seen it.
func (s signed) checkTime(text string, now time.Time) error {
	if s.tolerance == 0 {
		return nil
	}
	at, err := parseTime(text)
	if err != nil {
		return err
	}
	if age := now.Sub(at); age > s.tolerance || age < -s.tolerance {
		return fmt.Errorf("it was signed at %s, more than %s from now", at.UTC().Format(time.RFC3339), s.tolerance)
	}
	return nil
}

// parseTime reads seconds or milliseconds since 1970, or RFC 3339.
func parseTime(text string) (time.Time, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err == nil && n >= milliseconds:
		return time.UnixMilli(n), nil
	case err == nil && n >= 0:
		return time.Unix(n, 0), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, errors.New("the time is neither a number since 1970 nor RFC 3339")
	}
	return at, nil
}
