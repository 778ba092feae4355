package ops

import (
	"sync/atomic"

	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// Health tells grpc.health.v1 and probes if this process takes work. After draining it never does.
type Health struct {
	GRPC            *health.Server
	ready, draining atomic.Bool
	services        []string
}

// NewHealth returns a Health that is not ready yet.
func NewHealth() *Health {
	h := &Health{GRPC: health.NewServer()}
	h.Name("")
	return h
}

// Name adds a service that clients may ask about.
func (h *Health) Name(service string) {
	h.services = append(h.services, service)
	h.GRPC.SetServingStatus(service, healthpb.HealthCheckResponse_NOT_SERVING)
}

// Ready reports that all resources are open.
func (h *Health) Ready() {
	h.ready.Store(true)
	for _, service := range h.services {
		h.GRPC.SetServingStatus(service, healthpb.HealthCheckResponse_SERVING)
	}
}

// Drain reports that the process takes no new work.
func (h *Health) Drain() {
	h.draining.Store(true)
	h.GRPC.Shutdown()
}

func (h *Health) serving() bool { return h.ready.Load() && !h.draining.Load() }
