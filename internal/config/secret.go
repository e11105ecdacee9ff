package config

import (
	"net/url"
	"strings"
)

const (
	maskedPassword = "xxxxx" // as url.URL.Redacted writes it
	hidden         = "(hidden)"
)

// maskURL hides the passwords of a URL and keeps the rest. What does not look like the URL of a server is hidden as a
// whole, since anything in it may be a password: a # or / in one ends the host early, and leaves an @ behind.
func maskURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Opaque != "" || u.Fragment != "" || strings.Contains(u.EscapedPath()+u.RawQuery, "@") {
		return hidden
	}
	query := u.Query()
	for name := range query {
		if strings.Contains(strings.ToLower(name), "password") {
			query.Set(name, maskedPassword)
			u.RawQuery = query.Encode()
		}
	}
	return u.Redacted()
}
