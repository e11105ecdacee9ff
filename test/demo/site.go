package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

// flip is how long the site is up, and then down.
const flip = 8 * time.Second

// site is an HTTP address that goes up and down, for the example probe to watch, with a log for the example stream.
type site struct {
	url    string
	start  time.Time
	server *http.Server
	log    *os.File
}

func startSite(logFile string) (*site, error) {
	log, err := os.Create(logFile)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	s := &site{url: "http://" + listener.Addr().String() + "/", start: time.Now(), log: log}
	s.server = &http.Server{ReadHeaderTimeout: time.Second, Handler: s}
	go s.server.Serve(listener) //nolint:errcheck // it ends with the demo
	return s, nil
}

// ServeHTTP answers a request, and notes it as web servers do.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status := http.StatusOK
	if time.Since(s.start)/flip%2 == 1 {
		status = http.StatusServiceUnavailable
	}
	w.WriteHeader(status)
	fmt.Fprintf(s.log, "%s - - [%s] %q %d 0\n", r.RemoteAddr, time.Now().Format("02/Jan/2006:15:04:05 -0700"),
		r.Method+" "+r.URL.Path+" "+r.Proto, status)
}

func (s *site) close() {
	_ = s.server.Close()
	_ = s.log.Close()
}
