package ops

import (
	"sync/atomic"

	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// Health is whether this process should get work, for grpc.health.v1 and for probes. It has no way back from draining.
type Health struct {
	GRPC            *health.Server
	ready, draining atomic.Bool
	services        []string
}

// NewHealth is not ready yet.
func NewHealth() *Health {
	h := &Health{GRPC: health.NewServer()}
	h.Name("")
	return h
}

// Name adds a service to those health is asked about.
func (h *Health) Name(service string) {
	h.services = append(h.services, service)
	h.GRPC.SetServingStatus(service, healthpb.HealthCheckResponse_NOT_SERVING)
}

// Ready says that everything is open.
func (h *Health) Ready() {
	h.ready.Store(true)
	for _, service := range h.services {
		h.GRPC.SetServingStatus(service, healthpb.HealthCheckResponse_SERVING)
	}
}

// Drain says that no new work should come.
func (h *Health) Drain() {
	h.draining.Store(true)
	h.GRPC.Shutdown()
}

func (h *Health) serving() bool { return h.ready.Load() && !h.draining.Load() }
