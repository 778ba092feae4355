// Package ops serves probes and metrics, on a port of its own that is not for the public.
package ops

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"
)

// Server listens until it is closed.
type Server struct {
	Port   int
	server *http.Server
}

// Serve answers /healthz, /readyz and /metrics, with at most 64 connections. Headers must arrive
// within 5 s.
func Serve(address string, health *Health, registry *prometheus.Registry) (*Server, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("the ops address %s cannot be opened: %w", address, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, true, map[string]any{"status": "SERVING"})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		serving := health.serving()
		status := map[bool]string{true: "SERVING", false: "NOT_SERVING"}[serving]
		answer(w, serving, map[string]any{"status": status, "draining": health.draining.Load(), "parts": struct{}{}})
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 2, Timeout: 5 * time.Second}))
	server := &http.Server{
		Handler:           noStore(mux),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       5 * time.Second,
		IdleTimeout:       5 * time.Second,
		MaxHeaderBytes:    8_192,
	}
	go func() { _ = server.Serve(netutil.LimitListener(listener, 64)) }()
	return &Server{Port: listener.Addr().(*net.TCPAddr).Port, server: server}, nil
}

// Close takes at most one second. Call it last, so that probes can see the drain.
func (s *Server) Close() {
	limit, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s.server.Shutdown(limit) != nil {
		_ = s.server.Close()
	}
}

func answer(w http.ResponseWriter, serving bool, body any) {
	w.Header().Set("Content-Type", "application/json")
	if !serving {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(body)
}

func noStore(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}
