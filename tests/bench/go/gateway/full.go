package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	maxRunning = 100_000
	perSecond  = 1_000_000
	deadline   = 5 * time.Second
)

var (
	tracer = sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample())).Tracer("bench")
	w3c    = propagation.TraceContext{}
)

type requestID struct{}

// recorder stores the status.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func around(next http.Handler) http.Handler {
	logger := slog.New(slog.NewJSONHandler(os.Stdout, nil)).With("service", "gateway")
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "http_requests_total"}, []string{"method", "code"})
	durations := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "http_server_request_duration_seconds"}, []string{"method", "route", "code"})
	active := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "http_server_active_requests"}, []string{"method"})
	prometheus.MustRegister(requests, durations, active)
	running := make(chan struct{}, maxRunning)
	limit := rate.NewLimiter(perSecond, perSecond)
	const route = "/v1/greetings/{name}"

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		id := r.Header.Get("X-Request-Id")
		if id == "" {
			id = uuid.Must(uuid.NewV7()).String()
		}
		w.Header().Set("X-Request-Id", id)
		client, _, _ := net.SplitHostPort(r.RemoteAddr)
		ctx := w3c.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, span := tracer.Start(ctx, r.Method+" "+route, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
			attribute.String("http.request.method", r.Method), attribute.String("http.route", route),
			attribute.String("url.path", r.URL.Path), attribute.String("client.address", client),
		))
		defer span.End()
		ctx, cancel := context.WithTimeout(context.WithValue(ctx, requestID{}, id), deadline)
		defer cancel()
		active.WithLabelValues(r.Method).Inc()
		defer active.WithLabelValues(r.Method).Dec()

		rec := &recorder{ResponseWriter: w, status: http.StatusOK}
		select {
		case running <- struct{}{}:
			if limit.Allow() {
				next.ServeHTTP(rec, r.WithContext(ctx))
			} else {
				rec.WriteHeader(http.StatusTooManyRequests)
			}
			<-running
		default:
			rec.WriteHeader(http.StatusServiceUnavailable)
		}

		took := time.Since(start)
		code := strconv.Itoa(rec.status)
		requests.WithLabelValues(r.Method, code).Inc()
		durations.WithLabelValues(r.Method, route, code).Observe(took.Seconds())
		ids := span.SpanContext()
		logger.Info("request", "trace_id", ids.TraceID().String(), "span_id", ids.SpanID().String(), "method", r.Method,
			"route", route, "path", r.URL.Path, "status", rec.status, "durationMs", float64(took.Microseconds())/1_000,
			"requestId", id, "client", client)
	})
}

// forward passes the request id to the service.
func forward(ctx context.Context, _ *http.Request) metadata.MD {
	id, _ := ctx.Value(requestID{}).(string)
	return metadata.Pairs("x-request-id", id)
}

type carrier metadata.MD

func (c carrier) Get(string) string      { return "" }
func (c carrier) Set(name, value string) { metadata.MD(c).Set(name, value) }
func (c carrier) Keys() []string         { return nil }

// client does around a call what our client does: a span whose context is sent, counts, durations.
func client() grpc.UnaryClientInterceptor {
	durations := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "rpc_client_call_duration_seconds"}, []string{"method", "code"})
	running := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "rpc_client_calls_in_flight"}, []string{"method"})
	prometheus.MustRegister(durations, running)
	return func(ctx context.Context, method string, request, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
		ctx, span := tracer.Start(ctx, method, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
			attribute.String("rpc.system.name", "grpc"), attribute.String("rpc.method", method),
		))
		defer span.End()
		headers, _ := metadata.FromOutgoingContext(ctx)
		headers = headers.Copy()
		w3c.Inject(ctx, carrier(headers))
		ctx = metadata.NewOutgoingContext(ctx, headers)
		start := time.Now()
		running.WithLabelValues(method).Inc()
		err := invoke(ctx, method, request, reply, cc, options...)
		running.WithLabelValues(method).Dec()
		durations.WithLabelValues(method, status.Code(err).String()).Observe(time.Since(start).Seconds())
		return err
	}
}
