package receiver

import (
	"net"
	"net/http"
	"net/netip"
	"sync"

	"go.uber.org/zap"
)

// connections bounds how many connections one address has at a time, so that nobody who only sits there takes the places of
// others. Trusted proxies have any number: theirs are everybody's.
type connections struct {
	most    int // 0: any number
	trusted []netip.Prefix
	refused func(netip.Addr)

	mu   sync.Mutex
	open map[netip.Addr]int
	held map[net.Conn]netip.Addr
}

func newConnections(most int, trusted []netip.Prefix, refused func(netip.Addr)) *connections {
	return &connections{most: most, trusted: trusted, refused: refused, open: map[netip.Addr]int{}, held: map[net.Conn]netip.Addr{}}
}

// changed is told by the server what becomes of a connection, and closes one that is too many before it is read.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		address := parseAddress(conn.RemoteAddr().String())
		if !c.admit(conn, address) {
			c.refused(address)
			_ = conn.Close() // the server finds out and forgets it
		}
	case http.StateClosed, http.StateHijacked:
		c.release(conn)
	}
}

func (c *connections) admit(conn net.Conn, address netip.Addr) bool {
	if c.most == 0 || contains(c.trusted, address) {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	who := subject(address)
	if c.open[who] >= c.most {
		return false
	}
	c.open[who]++
	c.held[conn] = who
	return true
}

func (c *connections) release(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	who, ok := c.held[conn]
	if !ok {
		return
	}
	delete(c.held, conn)
	if c.open[who]--; c.open[who] == 0 {
		delete(c.open, who)
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
