package receiver

import (
	"net"
	"net/http"
	"net/netip"
	"sync"

	"go.uber.org/zap"
)

// crowds bounds how much each address has of something at a time. What trusted proxies have is everybody's, and not bounded.
type crowds struct {
	most    int // 0: any number
	trusted []netip.Prefix

	mu   sync.Mutex
	open map[netip.Addr]int
}

func newCrowds(most int, trusted []netip.Prefix) *crowds {
	return &crowds{most: most, trusted: trusted, open: map[netip.Addr]int{}}
}

// enter counts one more of an address, until leave is called; false when there are too many.
func (c *crowds) enter(address netip.Addr) (leave func(), ok bool) {
	if c.most == 0 || contains(c.trusted, address) {
		return func() {}, true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	who := subject(address)
	if c.open[who] >= c.most {
		return nil, false
	}
	c.open[who]++
	return func() { c.leave(who) }, true
}

func (c *crowds) leave(who netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[who]--; c.open[who] == 0 {
		delete(c.open, who)
	}
}

// connections bounds how many connections one address has at a time, so that nobody who only sits there takes the places of
// others.
type connections struct {
	crowds  *crowds
	refused func(netip.Addr)
	held    sync.Map // func() to call when it ends, by net.Conn
}

// changed is told by the server what becomes of a connection, and closes one that is too many before it is read.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		address := parseAddress(conn.RemoteAddr().String())
		leave, ok := c.crowds.enter(address)
		if !ok {
			c.refused(address)
			_ = conn.Close() // the server finds out and forgets it
			return
		}
		c.held.Store(conn, leave)
	case http.StateClosed, http.StateHijacked:
		if leave, ok := c.held.LoadAndDelete(conn); ok {
			leave.(func())()
		}
	}
}

// refusedConnection counts a connection that was too many, and says so every now and then.
func (r *Receiver) refusedConnection(address netip.Addr) {
	r.config.Metrics.WebhookRefused("", "connections")
	r.crowd.Do(func() {
		r.config.Logger.Warn("too many connections from one address: further ones are closed", zap.Stringer("remote", address),
			zap.Int("limit", r.config.AddressConnections))
	})
}
