package receiver

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// remote returns the address of the sender. What X-Forwarded-For says counts only as far as a trusted proxy says it:
// each of them appends the address that it was asked from.
func remote(r *http.Request, trusted []netip.Prefix) netip.Addr {
	address := parseAddress(r.RemoteAddr)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !contains(trusted, address) {
			return address
		}
		next := parseAddress(strings.TrimSpace(hop))
		if !next.IsValid() {
			return address
		}
		address = next
	}
	return address
}

// parseAddress reads an address, with or without a port.
func parseAddress(text string) netip.Addr {
	if withPort, err := netip.ParseAddrPort(text); err == nil {
		return withPort.Addr().Unmap().WithZone("")
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return address.Unmap().WithZone("")
}

func contains(networks []netip.Prefix, address netip.Addr) bool {
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(address) })
}
