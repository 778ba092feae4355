package config

import (
	"strings"
	"testing"
	"time"
)

func TestWithoutVariablesTheDefaultsHold(t *testing.T) {
	got, err := FromEnvironment([]string{"PATH=/bin", "GREETER_RPC_PORT="})
	if err != nil {
		t.Fatal(err)
	}
	if got.RPC.Address() != "0.0.0.0:50051" || got.Ops.Port != 9465 || got.RPC.MaxConcurrent != 1_000 || got.Grace != 10*time.Second {
		t.Errorf("got %+v", got)
	}
}

func TestEveryProblemIsNamedAtOnce(t *testing.T) {
	_, err := FromEnvironment([]string{
		"GREETER_RPC_PORT=high", "GREETER_GRACE_MS=1", "GREETER_NAME=x", "GREETER_TELEMETRY_SAMPLE_RATIO=NaN",
		"GREETER_TELEMETRY_LOG_LEVEL=loud", "GREETER_TELEMETRY_OTLP_ENDPOINT=collector",
		"GREETER_RPC_TLS_CERTIFICATE_FILE=tls.crt",
	})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, name := range []string{"RPC_PORT", "GRACE_MS", "NAME", "SAMPLE_RATIO", "LOG_LEVEL", "OTLP_ENDPOINT", "TLS_KEY_FILE"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in %v", name, err)
		}
	}
}
