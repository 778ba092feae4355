// Package config reads the settings of greeter from the environment. Names, defaults and bounds are
// those of apps/greeter.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const prefix = "GREETER_"

// Settings of the process.
type Settings struct {
	RPC       RPC
	Ops       Listen
	Telemetry Telemetry
	Drain     time.Duration // Not ready but still serving, so that load balancers stop sending.
	Grace     time.Duration // From the signal to the end of the process, drain included.
}

// Listen is the address of a listener. Port 0 takes a free port.
type Listen struct {
	Host string
	Port int
}

// Address is host:port.
func (l Listen) Address() string { return net.JoinHostPort(l.Host, strconv.Itoa(l.Port)) }

// RPC has the settings of the gRPC server.
type RPC struct {
	Listen
	MaxConcurrent int // Unary calls in flight; more are shed as unavailable.
	MaxStreams    int // Streams in flight; more are shed as unavailable.
	TLS           TLS
	Callers       Callers
}

// Callers are the SPIFFE ids of the callers of all methods but health checks, by their
// certificates. If none is given, everybody may call everything.
type Callers struct {
	TrustDomain string
	IDs         []string
}

// TLS names PEM files, which are read again when they change. Without them there is no TLS.
type TLS struct {
	CertificateFile string
	KeyFile         string // Not encrypted.
	ClientCAFile    string // If set, a client needs a certificate of one of its authorities.
}

// Telemetry has the settings of the log and of the exported spans.
type Telemetry struct {
	LogLevel     slog.Level
	OTLPEndpoint string // The base URL of a collector. If empty, nothing is exported.
	SampleRatio  float64
}

// FromEnvironment reads "NAME=value" pairs. An empty variable counts as not set. The error lists
// every problem.
func FromEnvironment(environment []string) (Settings, error) {
	r := reader{values: map[string]string{}}
	for _, pair := range environment {
		name, value, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, prefix) && value != "" {
			r.values[name] = value
		}
	}
	settings := Settings{
		RPC: RPC{
			Listen:        Listen{Host: r.text("RPC_HOST", "0.0.0.0"), Port: r.number("RPC_PORT", 50_051, 0, 65_535)},
			MaxConcurrent: r.number("RPC_MAX_CONCURRENT", 1_000, 1, 100_000),
			MaxStreams:    r.number("RPC_MAX_STREAMS", 1_000, 1, 100_000),
			TLS: TLS{
				CertificateFile: r.text("RPC_TLS_CERTIFICATE_FILE", ""),
				KeyFile:         r.text("RPC_TLS_KEY_FILE", ""),
				ClientCAFile:    r.text("RPC_TLS_CLIENT_CA_FILE", ""),
			},
			Callers: r.callers("RPC_CALLERS"),
		},
		Ops: Listen{Host: r.text("OPS_HOST", "0.0.0.0"), Port: r.number("OPS_PORT", 9465, 0, 65_535)},
		Telemetry: Telemetry{
			LogLevel:     r.level("TELEMETRY_LOG_LEVEL", slog.LevelInfo),
			OTLPEndpoint: r.url("TELEMETRY_OTLP_ENDPOINT"),
			SampleRatio:  r.ratio("TELEMETRY_SAMPLE_RATIO", 1),
		},
		Drain: r.milliseconds("DRAIN_MS", 0),
		Grace: r.milliseconds("GRACE_MS", 10_000),
	}
	// grpc-go is the only transport here. The setting is read so that both services accept the same
	// environment.
	r.text("RPC_TRANSPORT", "")
	if files := settings.RPC.TLS; files != (TLS{}) {
		if files.CertificateFile == "" {
			r.refuse("RPC_TLS_CERTIFICATE_FILE", "a PEM file, as the other files of rpc.tls are set")
		}
		if files.KeyFile == "" {
			r.refuse("RPC_TLS_KEY_FILE", "a PEM file, as the other files of rpc.tls are set")
		}
	}
	if len(settings.RPC.Callers.IDs) > 0 && settings.RPC.TLS.ClientCAFile == "" {
		r.refuse("RPC_TLS_CLIENT_CA_FILE", "a PEM file, as it verifies the certificates of rpc.callers")
	}
	if settings.Drain+2*time.Second > settings.Grace {
		r.refuse("GRACE_MS", "at least two seconds more than drainMs")
	}
	for name := range r.values {
		r.problems = append(r.problems, fmt.Errorf("%s: no such setting", name))
	}
	if len(r.problems) > 0 {
		return Settings{}, fmt.Errorf("the settings are wrong:\n%w", errors.Join(r.problems...))
	}
	return settings, nil
}

// reader removes each value that it reads, so that the remaining ones are unknown settings.
type reader struct {
	values   map[string]string
	problems []error
}

func (r *reader) refuse(name, expected string) {
	r.problems = append(r.problems, fmt.Errorf("%s%s: expected %s", prefix, name, expected))
}

func (r *reader) text(name, preset string) string {
	value, set := r.values[prefix+name]
	delete(r.values, prefix+name)
	if !set {
		return preset
	}
	return value
}

func (r *reader) number(name string, preset, least, most int) int {
	value, err := strconv.Atoi(r.text(name, strconv.Itoa(preset)))
	if err != nil || value < least || value > most {
		r.refuse(name, fmt.Sprintf("a whole number from %d to %d", least, most))
	}
	return value
}

func (r *reader) milliseconds(name string, preset int) time.Duration {
	return time.Duration(r.number(name, preset, 0, 86_400_000)) * time.Millisecond
}

func (r *reader) ratio(name string, preset float64) float64 {
	value, err := strconv.ParseFloat(r.text(name, strconv.FormatFloat(preset, 'g', -1, 64)), 64)
	if err != nil || !(value >= 0 && value <= 1) {
		r.refuse(name, "a number from 0 to 1")
	}
	return value
}

func (r *reader) level(name string, preset slog.Level) slog.Level {
	switch r.text(name, strings.ToLower(preset.String())) {
	case "debug":
		return slog.LevelDebug
	case "info":
		return slog.LevelInfo
	case "warn":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	}
	r.refuse(name, "one of debug, info, warn, error")
	return preset
}

// spiffeID is a trust domain, then a path of segments that are no dots.
var spiffeID = regexp.MustCompile(`^spiffe://([a-z0-9._-]{1,255})((?:/[A-Za-z0-9._-]+)+)$`)

// TrustDomainOf returns the trust domain of a SPIFFE id with a path, and "" for any other text.
func TrustDomainOf(id string) string {
	parts := spiffeID.FindStringSubmatch(id)
	if parts == nil || len(id) > 2_048 {
		return ""
	}
	for _, segment := range strings.Split(parts[2], "/") {
		if segment == "." || segment == ".." {
			return ""
		}
	}
	return parts[1]
}

func (r *reader) callers(name string) Callers {
	list := r.text(name, "")
	if list == "" {
		return Callers{}
	}
	callers := Callers{}
	for _, id := range strings.Split(list, ",") {
		id = strings.TrimSpace(id)
		domain := TrustDomainOf(id)
		if domain == "" || callers.TrustDomain != "" && domain != callers.TrustDomain {
			r.refuse(name, "SPIFFE ids of one trust domain, such as spiffe://example.org/gateway, with commas")
			return Callers{}
		}
		callers.TrustDomain = domain
		callers.IDs = append(callers.IDs, id)
	}
	return callers
}

func (r *reader) url(name string) string {
	value := r.text(name, "")
	if parsed, err := url.Parse(value); value != "" && (err != nil || parsed.Scheme == "" || parsed.Host == "") {
		r.refuse(name, "a URL, such as http://collector:4318")
	}
	return value
}
