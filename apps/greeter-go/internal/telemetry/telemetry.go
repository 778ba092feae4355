// Package telemetry has the log, the metrics and the tracer of this process, with the names of
// apps/greeter.
package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/plumbline/plumbline/apps/greeter-go/internal/config"
)

// version is that of the release, as in package.json.
const version = "0.1.0"

// The longest wait for the last spans.
const flush = 3 * time.Second

// Telemetry is passed as an argument, never global.
type Telemetry struct {
	Log      *slog.Logger
	Registry *prometheus.Registry
	Tracer   trace.Tracer
	provider *sdktrace.TracerProvider
}

// Start opens the log, the registry and the tracer. Without a collector spans are not recorded, but
// their ids still reach the log.
func Start(service string, settings config.Telemetry) (*Telemetry, error) {
	sampler := sdktrace.NeverSample()
	options := []sdktrace.TracerProviderOption{
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", service))),
	}
	if settings.OTLPEndpoint != "" {
		sampler = sdktrace.TraceIDRatioBased(settings.SampleRatio)
		url := strings.TrimSuffix(settings.OTLPEndpoint, "/") + "/v1/traces"
		exporter, err := otlptracehttp.New(context.Background(), otlptracehttp.WithEndpointURL(url))
		if err != nil {
			return nil, fmt.Errorf("the exporter to %s: %w", settings.OTLPEndpoint, err)
		}
		options = append(options, sdktrace.WithBatcher(exporter))
	}
	provider := sdktrace.NewTracerProvider(append(options, sdktrace.WithSampler(sdktrace.ParentBased(sampler)))...)

	registry := prometheus.NewRegistry()
	info := prometheus.NewGaugeVec(
		prometheus.GaugeOpts{Name: "target_info", Help: "The service this process is."},
		[]string{"service_name", "service_version"},
	)
	info.WithLabelValues(service, version).Set(1)
	registry.MustRegister(
		info,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return &Telemetry{
		Log:      slog.New(lines(os.Stdout, service, settings.LogLevel)),
		Registry: registry,
		Tracer:   provider.Tracer("plumbline"),
		provider: provider,
	}, nil
}

// Close exports the remaining spans.
func (t *Telemetry) Close() {
	limit, cancel := context.WithTimeout(context.Background(), flush)
	defer cancel()
	if err := t.provider.Shutdown(limit); err != nil {
		t.Log.Warn("spans were lost: the collector was too slow", "detail", err.Error())
	}
}
