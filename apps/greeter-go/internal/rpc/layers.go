package rpc

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/plumbline/plumbline/apps/greeter-go/internal/config"
	"github.com/plumbline/plumbline/apps/greeter-go/internal/telemetry"
)

// The buckets that OpenTelemetry recommends for durations in seconds.
var buckets = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}

// layers wrap every call, the outermost first: a span, metrics, the limit, one log line, callers.
type layers struct {
	tel      *telemetry.Telemetry
	callers  map[string]bool // Callers by their SPIFFE ids. All may call if there is none.
	domain   string
	denied   *prometheus.CounterVec
	draining context.Context
	calls    chan struct{} // The places of unary calls.
	streams  chan struct{} // Streams last as long as their clients like, so they have places of their own.
	duration *prometheus.HistogramVec
	running  *prometheus.GaugeVec
	methods  sync.Map // Counters by the path of a call; only known methods get here, so it is bounded.
}

type method struct {
	name    string
	isProbe bool
	running prometheus.Gauge
	ok      prometheus.Observer
}

func newLayers(settings config.RPC, tel *telemetry.Telemetry, draining context.Context) *layers {
	l := &layers{
		tel:      tel,
		callers:  map[string]bool{},
		domain:   settings.Callers.TrustDomain,
		draining: draining,
		calls:    make(chan struct{}, settings.MaxConcurrent),
		streams:  make(chan struct{}, settings.MaxStreams),
		denied: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rpc_server_denied_total",
			Help: "Calls refused for who makes them.",
		}, []string{"method", "reason"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "rpc_server_call_duration_seconds",
			Help:    "Duration of the gRPC calls served, streams to their end, by method and status code.",
			Buckets: buckets,
		}, []string{"method", "code"}),
		running: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "rpc_server_calls_in_flight",
			Help: "gRPC calls being served now, by method.",
		}, []string{"method"}),
	}
	for _, id := range settings.Callers.IDs {
		l.callers[id] = true
	}
	tel.Registry.MustRegister(l.duration, l.running, l.denied)
	return l
}

func (l *layers) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	var response any
	err := l.around(ctx, info.FullMethod, l.calls, func(ctx context.Context) (err error) {
		// Do not run the handler for a caller that has already cancelled.
		if ctx.Err() != nil {
			return status.FromContextError(ctx.Err()).Err()
		}
		response, err = next(ctx, request)
		return err
	})
	return response, err
}

// stream ends a stream when the server drains, even if its handler waits: the client can reconnect
// to another replica.
func (l *layers) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	return l.around(stream.Context(), info.FullMethod, l.streams, func(context.Context) error {
		ended := make(chan error, 1)
		go func() { ended <- next(srv, stream) }()
		select {
		case err := <-ended:
			return err
		case <-stream.Context().Done():
			return status.FromContextError(stream.Context().Err()).Err()
		case <-l.draining.Done():
			return status.Error(codes.Unavailable, "the server is draining")
		}
	})
}

func (l *layers) around(ctx context.Context, path string, places chan struct{}, work func(context.Context) error) error {
	m := l.method(path)
	incoming, _ := metadata.FromIncomingContext(ctx)
	ctx = propagation.TraceContext{}.Extract(ctx, carrier(incoming))
	ctx, span := l.tel.Tracer.Start(ctx, m.name, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("rpc.system.name", "grpc"), attribute.String("rpc.method", m.name),
	))
	defer span.End()
	start := time.Now()
	m.running.Inc()
	defer m.running.Dec()

	err := l.limited(ctx, m, places, func() error {
		start := time.Now()
		caller, err := l.admitted(ctx, m)
		if err == nil {
			err = work(ctx)
		}
		l.log(ctx, m, caller, err, time.Since(start))
		return err
	})

	code := status.Code(err)
	span.SetAttributes(attribute.String("rpc.response.status_code", strings.ToUpper(words[code])))
	seconds := time.Since(start).Seconds()
	if code == codes.OK {
		m.ok.Observe(seconds)
	} else {
		l.duration.WithLabelValues(m.name, words[code]).Observe(seconds)
	}
	return err
}

// admitted returns the id of the caller, which may be empty for a probe, and where no callers are
// named.
func (l *layers) admitted(ctx context.Context, m *method) (string, error) {
	if len(l.callers) == 0 {
		return "", nil
	}
	caller := identityOf(ctx, l.domain)
	if m.isProbe {
		return caller.id, nil
	}
	reason, err := admit(caller, l.callers)
	if err != nil {
		l.denied.WithLabelValues(m.name, reason).Inc()
	}
	return caller.id, err
}

// limited sheds calls above the limit: under overload a fast refusal is better than a slow
// response. Health checks pass, or an orchestrator would restart a server because it is busy.
func (l *layers) limited(ctx context.Context, m *method, places chan struct{}, work func() error) error {
	if m.isProbe {
		return work()
	}
	select {
	case places <- struct{}{}:
		defer func() { <-places }()
		return work()
	default:
		// The same delay twice: for gRPC's own retries, and for readers of the error.
		_ = grpc.SetTrailer(ctx, metadata.Pairs("grpc-retry-pushback-ms", "100"))
		full, err := status.New(codes.Unavailable, "the server is at its limit: too many calls at once").WithDetails(
			&errdetails.RetryInfo{RetryDelay: durationpb.New(100 * time.Millisecond)},
		)
		if err != nil {
			return status.Error(codes.Unavailable, "the server is at its limit: too many calls at once")
		}
		return full.Err()
	}
}

// log writes one line per call, when it ends. Probes are logged at debug.
func (l *layers) log(ctx context.Context, m *method, caller string, err error, took time.Duration) {
	code := status.Code(err)
	address := "unknown"
	if from, ok := peer.FromContext(ctx); ok {
		address = from.Addr.String()
	}
	fields := []any{"method", m.name, "code", words[code], "durationMs", telemetry.Milliseconds(took), "peer", address}
	if caller != "" {
		fields = append(fields, "caller", caller)
	}
	switch {
	case code == codes.Internal || code == codes.Unknown || code == codes.DataLoss:
		l.tel.Log.ErrorContext(ctx, "call failed", append(fields, "error.message", err.Error())...)
	case code == codes.Unavailable || code == codes.DeadlineExceeded || code == codes.ResourceExhausted:
		l.tel.Log.WarnContext(ctx, "call", append(fields, "detail", status.Convert(err).Message())...)
	case code == codes.OK && m.isProbe:
		l.tel.Log.DebugContext(ctx, "call", fields...)
	default:
		l.tel.Log.InfoContext(ctx, "call", fields...)
	}
}

func (l *layers) method(path string) *method {
	if known, ok := l.methods.Load(path); ok {
		return known.(*method)
	}
	name := strings.TrimPrefix(path, "/")
	known, _ := l.methods.LoadOrStore(path, &method{
		name:    name,
		isProbe: strings.HasPrefix(name, "grpc.health."),
		running: l.running.WithLabelValues(name),
		ok:      l.duration.WithLabelValues(name, words[codes.OK]),
	})
	return known.(*method)
}

// words are the names of the codes in all log lines, metrics and documents of this repository.
var words = [...]string{
	codes.OK: "ok", codes.Canceled: "cancelled", codes.Unknown: "unknown", codes.InvalidArgument: "invalid_argument",
	codes.DeadlineExceeded: "deadline_exceeded", codes.NotFound: "not_found", codes.AlreadyExists: "already_exists",
	codes.PermissionDenied: "permission_denied", codes.ResourceExhausted: "resource_exhausted",
	codes.FailedPrecondition: "failed_precondition", codes.Aborted: "aborted", codes.OutOfRange: "out_of_range",
	codes.Unimplemented: "unimplemented", codes.Internal: "internal", codes.Unavailable: "unavailable",
	codes.DataLoss: "data_loss", codes.Unauthenticated: "unauthenticated",
}

// carrier reads W3C trace context from metadata. Writing does nothing.
type carrier metadata.MD

func (c carrier) Get(name string) string {
	if values := metadata.MD(c).Get(name); len(values) > 0 {
		return values[0]
	}
	return ""
}
func (carrier) Set(string, string) {}
func (c carrier) Keys() []string {
	names := make([]string, 0, len(c))
	for name := range c {
		names = append(names, name)
	}
	return names
}
