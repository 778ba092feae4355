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

func TestCallersAreSPIFFEIDsOfOneTrustDomainAndNeedAnAuthority(t *testing.T) {
	files := []string{
		"GREETER_RPC_TLS_CERTIFICATE_FILE=c", "GREETER_RPC_TLS_KEY_FILE=k", "GREETER_RPC_TLS_CLIENT_CA_FILE=ca",
	}
	got, err := FromEnvironment(append(files, "GREETER_RPC_CALLERS=spiffe://d.test/gateway, spiffe://d.test/ns/a"))
	if err != nil || got.RPC.Callers.TrustDomain != "d.test" || len(got.RPC.Callers.IDs) != 2 {
		t.Fatalf("got %+v, %v", got.RPC.Callers, err)
	}
	for _, wrong := range []string{
		"gateway", "spiffe://d.test", "spiffe://d.test/", "spiffe://d.test/a/..", "http://d.test/a", "spiffe://D/a",
		"spiffe://d.test/a,", "spiffe://a/b,spiffe://c/b",
	} {
		if _, err := FromEnvironment(append(files, "GREETER_RPC_CALLERS="+wrong)); err == nil {
			t.Errorf("%s is accepted", wrong)
		}
	}
	if _, err := FromEnvironment([]string{"GREETER_RPC_CALLERS=spiffe://d.test/gateway"}); err == nil ||
		!strings.Contains(err.Error(), "GREETER_RPC_TLS_CLIENT_CA_FILE") {
		t.Errorf("accepted without an authority: %v", err)
	}
}
