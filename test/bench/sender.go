package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// target is a server that takes the requests of a benchmark.
type target struct {
	t       *trial
	address string // host:port
	path    string
	sent    atomic.Int64 // requests so far
}

// sender is one connection to a target, on which one request follows the other.
type sender struct {
	*target
	conn   net.Conn
	reader *bufio.Reader
	buffer []byte
}

func (g *target) connect() (*sender, error) {
	conn, err := net.Dial("tcp", g.address)
	if err != nil {
		return nil, err
	}
	return &sender{target: g, conn: conn, reader: bufio.NewReader(conn)}, nil
}

// send sends one request, and returns its number and an error unless it was accepted. It costs far less of the machine than
// Go's own client.
func (s *sender) send() (n int64, err error) {
	n = s.sent.Add(1)
	body := fmt.Sprintf(webhookBody, n)
	s.buffer = fmt.Appendf(s.buffer[:0], "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		s.path, s.address, len(body), body)
	if _, err := s.conn.Write(s.buffer); err != nil {
		return n, err
	}
	response, err := http.ReadResponse(s.reader, nil)
	if err != nil {
		return n, err
	}
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusAccepted {
		err = fmt.Errorf("%s: %s", response.Status, answer)
	}
	return n, err
}

func (g *target) try() error {
	s, err := g.connect()
	if err != nil {
		return err
	}
	defer s.conn.Close()
	_, err = s.send()
	return err
}

// loaded is what came of senders that waited for each answer.
type loaded struct {
	rate float64             // answers a second
	took []float64           // seconds, of each
	sent map[int64]time.Time // when each was sent, by its number
}

// load has a number of connections send one request after the other for a time.
func (g *target) load(connections int, duration time.Duration) loaded {
	end := time.Now().Add(duration)
	return g.run(connections, func() bool { return time.Now().Before(end) })
}

// flood has them send a number of requests.
func (g *target) flood(connections, requests int) loaded {
	var begun atomic.Int64
	return g.run(connections, func() bool { return begun.Add(1) <= int64(requests) })
}

func (g *target) run(connections int, more func() bool) loaded {
	var mu sync.Mutex
	all := loaded{sent: map[int64]time.Time{}}
	var sending sync.WaitGroup
	start := time.Now()
	for range connections {
		sending.Go(func() {
			one, err := g.sendWhile(more)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				g.t.Errorf("a request was not accepted: %w", err)
			}
			all.took = append(all.took, one.took...)
			maps.Copy(all.sent, one.sent)
		})
	}
	sending.Wait()
	all.rate = float64(len(all.took)) / time.Since(start).Seconds()
	return all
}

func (g *target) sendWhile(more func() bool) (one loaded, err error) {
	one.sent = map[int64]time.Time{}
	s, err := g.connect()
	if err != nil {
		return one, err
	}
	defer s.conn.Close()
	for more() && g.t.ctx.Err() == nil {
		begin := time.Now()
		n, err := s.send()
		if err != nil {
			return one, err
		}
		one.took, one.sent[n] = append(one.took, time.Since(begin).Seconds()), begin
	}
	return one, nil
}

// pace sends requests at a steady pace, whatever the answers take, and returns when each was sent, by number.
func (g *target) pace(perSecond int, duration time.Duration) map[int64]time.Time {
	const connections = 32
	var mu sync.Mutex
	sent := map[int64]time.Time{}
	due := make(chan time.Time, connections)
	var sending sync.WaitGroup
	for range connections {
		sending.Go(func() {
			s, err := g.connect()
			if err != nil {
				g.t.Errorf("connecting: %w", err)
				return
			}
			defer s.conn.Close()
			for at := range due {
				n, err := s.send()
				if err != nil {
					g.t.Errorf("a request was not accepted: %w", err)
					return
				}
				mu.Lock()
				sent[n] = at
				mu.Unlock()
			}
		})
	}
	pause := time.Second / time.Duration(perSecond)
	for next, end := time.Now(), time.Now().Add(duration); next.Before(end) && g.t.ctx.Err() == nil; next = next.Add(pause) {
		g.t.sleep(time.Until(next))
		due <- next
	}
	close(due)
	sending.Wait()
	return sent
}
