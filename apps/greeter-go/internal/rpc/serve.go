package rpc

import (
	"context"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	greeterv1 "github.com/plumbline/plumbline/apps/greeter-go/gen/greeter/v1"
	"github.com/plumbline/plumbline/apps/greeter-go/internal/config"
	"github.com/plumbline/plumbline/apps/greeter-go/internal/ops"
	"github.com/plumbline/plumbline/apps/greeter-go/internal/telemetry"
)

const (
	maxMessageBytes = 4 * 1024 * 1024
	handshake       = 10 * time.Second // For TLS and the preface of HTTP/2 together.
)

// Server listens until it is drained.
type Server struct {
	Port   int
	Failed <-chan error // The error that stopped it from accepting connections.
	grpc   *grpc.Server
	drain  context.CancelFunc
}

// Serve listens for calls, with the limits of apps/greeter.
func Serve(settings config.RPC, health *ops.Health, tel *telemetry.Telemetry) (*Server, error) {
	secured := insecure.NewCredentials()
	if settings.TLS != (config.TLS{}) {
		var err error
		if secured, err = transport(settings.TLS, tel.Log); err != nil {
			return nil, err
		}
	}
	listener, err := net.Listen("tcp", settings.Address())
	if err != nil {
		return nil, fmt.Errorf("the rpc address %s cannot be opened: %w", settings.Address(), err)
	}
	draining, drain := context.WithCancel(context.Background())
	layers := newLayers(settings, tel, draining)
	server := grpc.NewServer(
		grpc.Creds(secured),
		grpc.ConnectionTimeout(handshake),
		grpc.UnaryInterceptor(layers.unary),
		grpc.StreamInterceptor(layers.stream),
		grpc.MaxConcurrentStreams(1_000),
		grpc.MaxRecvMsgSize(maxMessageBytes),
		grpc.MaxSendMsgSize(maxMessageBytes),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Minute, Timeout: 20 * time.Second}),
		// Our clients ping every 30 s, and may ping between calls.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
	)
	greeterv1.RegisterGreeterServer(server, service{})
	healthpb.RegisterHealthServer(server, health.GRPC)
	health.Name(greeterv1.Greeter_ServiceDesc.ServiceName)
	reflection.Register(server)

	failed := make(chan error, 1)
	go func() {
		if err := server.Serve(listener); err != nil {
			failed <- err
		}
	}()
	return &Server{Port: listener.Addr().(*net.TCPAddr).Port, Failed: failed, grpc: server, drain: drain}, nil
}

// Drain stops accepting, ends streams at once, waits up to grace for unary calls, and then cancels
// the remaining ones.
func (s *Server) Drain(grace time.Duration) {
	s.drain()
	cut := time.AfterFunc(grace, s.grpc.Stop)
	defer cut.Stop()
	s.grpc.GracefulStop()
}
