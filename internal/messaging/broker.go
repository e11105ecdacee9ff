package messaging

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// connectTimeout is the longest time from the first packet to the topology being in place.
const connectTimeout = 30 * time.Second

// leaveTime is how long a broker may take to say good-bye.
const leaveTime = 2 * time.Second

// broker is a RabbitMQ server and how to reach it. Its address is fit for logs and errors, its URL never is.
type broker struct {
	url     string
	address string        // host:port
	client  string        // how the connection is called in the broker's management UI
	stall   time.Duration // a write that takes longer ends the connection
}

func newBroker(url, client string, stall time.Duration) (broker, error) {
	uri, err := amqp.ParseURI(url)
	if err != nil {
		// The parser's error quotes parts of the URL, which may be the password.
		return broker{}, errors.New("message_queue.url is not an AMQP URL: write amqp://USER:PASSWORD@HOST:PORT/VHOST " +
			"(amqps for TLS), with special characters in USER, PASSWORD and VHOST percent-encoded")
	}
	return broker{
		url:     url,
		address: net.JoinHostPort(uri.Host, strconv.Itoa(uri.Port)),
		client:  client,
		stall:   stall,
	}, nil
}

// link is a connection to the broker that can be cut.
type link struct {
	*amqp.Connection
	socket net.Conn
	keep   func() bool // stops the cut that is due when dialling takes too long; false: too late
}

// dial connects and prepares the connection. When ctx ends or connectTimeout passes, it gives up.
func (b broker) dial(ctx context.Context, prepare func(*amqp.Connection) error) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	l := &link{}
	var err error
	if l.Connection, err = b.open(ctx, l); err == nil {
		if err = prepare(l.Connection); err != nil {
			l.hangUp()
		}
	}
	if l.socket != nil && (!l.keep() || err != nil) {
		l.cut()
		err = cmp.Or(ctx.Err(), err)
	}
	if err != nil {
		return nil, b.explain(err)
	}
	return l, nil
}

func (b broker) open(ctx context.Context, l *link) (*amqp.Connection, error) {
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName(b.client)
	return amqp.DialConfig(b.url, amqp.Config{
		Properties: properties,
		Dial: func(network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			l.socket = stallingConn{Conn: conn, limit: b.stall}
			l.keep = context.AfterFunc(ctx, l.cut)
			return l.socket, nil
		},
	})
}

// explain says what went wrong while connecting, with the remedy where there is one.
func (b broker) explain(err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("it does not answer: %w", err)
	case errors.Is(err, amqp.ErrCredentials):
		// A broker that refuses a user closes the connection without a word.
		err = errors.New("it ended the log-in: check user and password in message_queue.url")
	}
	return fmt.Errorf("connecting to the broker at %s: %w", b.address, err)
}

// cut ends the connection at once, without a word to the broker. It is the only way that also frees a goroutine which is
// writing to a broker that does not read: the library's own Close waits for that goroutine.
func (l *link) cut() {
	// It fails only if it is closed already.
	_ = l.socket.Close()
}

// hangUp takes leave of the broker and ends the connection.
func (l *link) hangUp() {
	timer := time.AfterFunc(leaveTime, l.cut)
	defer timer.Stop()
	// Whatever it says, the connection is over.
	_ = l.Close()
	l.cut()
}

// stallingConn fails a write that makes no progress, so that a peer which stopped reading cannot hold its writer for ever.
type stallingConn struct {
	net.Conn
	limit time.Duration
}

func (c stallingConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.limit)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}
