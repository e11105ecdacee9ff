package receiver

import (
	"math"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxAddresses is how many addresses at least are told apart: twice as many are remembered at most.
const maxAddresses = 10_000

// addressLimits bound how often one address may ask. Addresses that have not asked for long are forgotten.
type addressLimits struct {
	rate float64 // a second; 0: any number

	mu       sync.Mutex
	current  map[netip.Addr]*rate.Limiter
	previous map[netip.Addr]*rate.Limiter
}

func newAddressLimits(perSecond float64) *addressLimits {
	return &addressLimits{rate: perSecond, current: map[netip.Addr]*rate.Limiter{}}
}

// allow says whether an address may ask now, and otherwise when.
func (l *addressLimits) allow(address netip.Addr, now time.Time) (wait time.Duration, ok bool) {
	if l.rate == 0 {
		return 0, true
	}
	return take(l.limiter(subject(address)), now)
}

// subject is who has an address: of IPv6, a customer has a whole network.
func subject(address netip.Addr) netip.Addr {
	if address.Is6() {
		if network, err := address.WithZone("").Prefix(64); err == nil {
			return network.Addr()
		}
	}
	return address
}

func (l *addressLimits) limiter(address netip.Addr) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if found := l.current[address]; found != nil {
		return found
	}
	if len(l.current) >= maxAddresses {
		l.previous, l.current = l.current, map[netip.Addr]*rate.Limiter{}
	}
	found := l.previous[address]
	if found == nil {
		found = newLimiter(l.rate)
	}
	l.current[address] = found
	return found
}

// take takes one from a limiter, or says how long it takes until there is one. No limiter has no limit.
func take(l *rate.Limiter, now time.Time) (wait time.Duration, ok bool) {
	if l == nil || l.AllowN(now, 1) {
		return 0, true
	}
	missing := 1 - l.TokensAt(now)
	return time.Duration(math.Ceil(missing/float64(l.Limit())*1000)) * time.Millisecond, false
}
