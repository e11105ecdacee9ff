package main

import (
	"net"
	"net/http"
	"time"
)

// flip is how long the site is up, and then down.
const flip = 8 * time.Second

// site is an HTTP address that goes up and down, for the example probe to watch.
type site struct {
	url    string
	server *http.Server
}

func startSite() (*site, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	start := time.Now()
	s := &site{url: "http://" + listener.Addr().String() + "/", server: &http.Server{
		ReadHeaderTimeout: time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if time.Since(start)/flip%2 == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}),
	}}
	go s.server.Serve(listener) //nolint:errcheck // it ends with the demo
	return s, nil
}

func (s *site) close() { _ = s.server.Close() }
