package config

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
)

// networks are addresses, and networks in CIDR notation.
type networks struct{}

func (networks) check(word string) error {
	if _, err := netip.ParseAddr(word); err == nil {
		return nil
	}
	prefix, err := netip.ParsePrefix(word)
	switch {
	case err != nil:
		return fmt.Errorf("%q, which is no address and no network: write one such as 192.0.2.1 or 10.0.0.0/8", word)
	case prefix != prefix.Masked():
		return fmt.Errorf("%q, which has bits of a host: write %s", word, prefix.Masked())
	}
	return nil
}

func (networks) some() string { return "addresses and networks" }

func (networks) kind() string { return "addresses and networks" }

var basePath = regexp.MustCompile(`^(/|(/[A-Za-z0-9_.~-]+)+)$`)

// basePathValue is the beginning of paths of URLs.
type basePathValue struct{ field *string }

func (v basePathValue) set(text string) error {
	if !basePath.MatchString(text) {
		return errors.New("is no path: begin it with /, end it without, and use letters, digits, '_', '.', '~' and '-', such as /webhooks")
	}
	*v.field = text
	return nil
}

func (v basePathValue) text() string { return *v.field }

func (v basePathValue) kind() string { return "path of URLs" }
