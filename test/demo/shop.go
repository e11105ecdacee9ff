package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	shopKey   = "the demo's own key" // of signatures
	shopPause = 2 * time.Second      // between two payments
)

// shop sends payments to the example webhook, as a shop would that has its address and shares a key with it.
type shop struct {
	address string // of the worker's webhooks
	paid    int
}

// newShop finds a free port for the worker's webhooks.
func newShop() (*shop, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	return &shop{address: listener.Addr().String()}, nil
}

// environment is what the worker has to know.
func (s *shop) environment() []string {
	return []string{"ATTUNE__WEBHOOKS__ADDRESS=" + s.address, "ATTUNE_SECRET_EXAMPLES_SHOP=" + shopKey}
}

// sell sends payments until ctx ends.
func (s *shop) sell(ctx context.Context) {
	tick := time.NewTicker(shopPause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.pay(ctx)
		}
	}
}

// pay sends the next payment. While it is not accepted, which is so until the worker is up, it stays the next one.
func (s *shop) pay(ctx context.Context) {
	body := fmt.Sprintf(`{"order": "A-%d", "amount": %d.50, "currency": "EUR"}`, s.paid, 700+s.paid%3*250)
	at := time.Now().Unix()
	mac := hmac.New(sha256.New, []byte(shopKey))
	fmt.Fprintf(mac, "%d.%s", at, body)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.address+"/webhooks/examples/payments", strings.NewReader(body))
	if err != nil {
		return
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Shop-Signature", fmt.Sprintf("t=%d,v1=%s", at, hex.EncodeToString(mac.Sum(nil))))
	request.Header.Set("X-Shop-Delivery", fmt.Sprintf("%s-%d", s.address, s.paid))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusAccepted {
		s.paid++
	}
}
