package messaging

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

// proxy stands between a client and the broker and misbehaves on demand.
type proxy struct {
	listener net.Listener
	target   string
	running  sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	conns    map[net.Conn]bool // whether it is a client's
	accepted int
	up, down chan struct{} // nil: bytes to and from the broker pass; else they wait until it is closed,
	gated    int           // on the first so many connections
	deaf     bool          // what the broker says is thrown away
	heard    int           // bytes of the client since the last misbehaviour began
	doomed   int           // cut everything after that many more bytes of the client; 0: not
}

// startProxy returns a proxy to the broker that url names, and the URL through it.
func startProxy(t testing.TB, url string) (*proxy, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return newProxy(t, url, l), through(t, url, l.Addr().String())
}

func newProxy(t testing.TB, url string, l net.Listener) *proxy {
	t.Helper()
	uri, err := amqp.ParseURI(url)
	require.NoError(t, err)
	require.Equal(t, "amqp", uri.Scheme, "the proxy reads what goes by")
	b, err := newBroker(url, "", 0)
	require.NoError(t, err)
	p := &proxy{listener: l, target: b.address, conns: map[net.Conn]bool{}}
	p.running.Go(p.accept)
	t.Cleanup(p.stop)
	return p
}

// cut closes all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

// cutAfter closes all connections once the client has sent n more bytes.
func (p *proxy) cutAfter(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doomed = n
}

// stall stops all bytes of the connections that there are, as a network does that lost track of them.
func (p *proxy) stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.up, p.down, p.heard, p.gated = make(chan struct{}), make(chan struct{}), 0, p.accepted
}

// ignore stops the bytes of the client only, on the connections that there are.
func (p *proxy) ignore() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.up, p.heard, p.gated = make(chan struct{}), 0, p.accepted
}

// lose throws away what the broker says while it still hears the client.
func (p *proxy) lose() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deaf, p.heard = true, 0
}

// block says what a broker says that ran out of memory and reads no more; see ignore for the latter.
func (p *proxy) block(t testing.TB) {
	p.mu.Lock()
	defer p.mu.Unlock()
	const reason = "low on memory"
	p.say(t, 60, append([]byte{byte(len(reason))}, reason...))
}

// unblock ends what block began.
func (p *proxy) unblock(t testing.TB) {
	p.resume()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.say(t, 61, nil)
}

// resume ends stall, ignore and lose.
func (p *proxy) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, gate := range []*chan struct{}{&p.up, &p.down} {
		if *gate != nil {
			close(*gate)
			*gate = nil
		}
	}
	p.deaf = false
}

// connections returns how many connections were ever made.
func (p *proxy) connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

// bytesHeard returns how many bytes the client has sent since the last misbehaviour began.
func (p *proxy) bytesHeard() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.heard
}

// say sends a method of class connection to all clients in the broker's name.
func (p *proxy) say(t testing.TB, method uint16, arguments []byte) {
	frame := []byte{1, 0, 0}
	frame = binary.BigEndian.AppendUint32(frame, uint32(4+len(arguments)))
	frame = binary.BigEndian.AppendUint16(frame, 10)
	frame = binary.BigEndian.AppendUint16(frame, method)
	frame = append(append(frame, arguments...), 0xCE)
	for c, client := range p.conns {
		if client {
			_, err := c.Write(frame)
			require.NoError(t, err)
		}
	}
}

func (p *proxy) stop() {
	_ = p.listener.Close()
	p.resume()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.cut()
	p.running.Wait()
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		if socket, ok := client.(*net.TCPConn); ok {
			// A small buffer, so that a writer soon notices that nobody reads.
			_ = socket.SetReadBuffer(64 << 10)
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.accepted++
		number := p.accepted
		p.conns[client], p.conns[server] = true, false
		p.mu.Unlock()
		p.running.Go(func() { p.toBroker(number, client, server) })
		p.running.Go(func() { p.toClient(number, client, server) })
		if p.stopped() {
			p.cut()
		}
	}
}

func (p *proxy) stopped() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

func (p *proxy) end(client, server net.Conn) {
	_, _ = client.Close(), server.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, client)
	delete(p.conns, server)
}

func (p *proxy) toBroker(number int, client, server net.Conn) {
	defer p.end(client, server)
	buffer := make([]byte, 16<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil || p.hear(number, n) {
			return
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// hear counts what the client sent, waits while nothing passes, and says whether this was the last.
func (p *proxy) hear(number, n int) bool {
	p.mu.Lock()
	p.heard += n
	last := p.doomed > 0 && p.doomed <= n
	p.doomed = max(p.doomed-n, 0)
	gate := p.up
	gated := number <= p.gated
	p.mu.Unlock()
	if gated && gate != nil {
		<-gate
	}
	if last {
		p.cut()
	}
	return last
}

// toClient passes whole frames, so that say can put one of its own between them.
func (p *proxy) toClient(number int, client, server net.Conn) {
	defer p.end(client, server)
	for {
		frame, err := readFrame(server)
		if err != nil {
			return
		}
		p.mu.Lock()
		gate := p.down
		gated := number <= p.gated
		p.mu.Unlock()
		if gated && gate != nil {
			<-gate
		}
		if err := p.pass(client, frame); err != nil {
			return
		}
	}
}

func (p *proxy) pass(client net.Conn, frame []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.deaf {
		return nil
	}
	_, err := client.Write(frame)
	return err
}

func readFrame(r io.Reader) ([]byte, error) {
	frame := make([]byte, 7)
	if _, err := io.ReadFull(r, frame); err != nil {
		return nil, err
	}
	rest := make([]byte, binary.BigEndian.Uint32(frame[3:])+1)
	if _, err := io.ReadFull(r, rest); err != nil {
		return nil, err
	}
	return append(frame, rest...), nil
}
