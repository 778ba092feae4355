// Greeter in Go: the same contract, settings, metrics and log lines as apps/greeter, for a reader who wants to compare.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/plumbline/plumbline/apps/greeter-go/internal/config"
	"github.com/plumbline/plumbline/apps/greeter-go/internal/ops"
	"github.com/plumbline/plumbline/apps/greeter-go/internal/rpc"
	"github.com/plumbline/plumbline/apps/greeter-go/internal/stop"
	"github.com/plumbline/plumbline/apps/greeter-go/internal/telemetry"
)

func main() {
	settings, err := config.FromEnvironment(os.Environ())
	if err == nil {
		err = run(stop.OnSignal(settings.Grace), settings)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run is the life of the process: what it opens in the order of the lines closes in reverse.
func run(stopped context.Context, settings config.Settings) error {
	tel, err := telemetry.Start("greeter", settings.Telemetry)
	if err != nil {
		return err
	}
	defer tel.Close()

	health := ops.NewHealth() // Nothing to depend on.
	admin, err := ops.Serve(settings.Ops.Address(), health, tel.Registry)
	if err != nil {
		return err
	}
	defer admin.Close()

	server, err := rpc.Serve(settings.RPC, health, tel)
	if err != nil {
		return err
	}
	// A second is kept for what closes after the calls.
	defer server.Drain(settings.Grace - settings.Drain - time.Second)

	health.Ready()
	tel.Log.Info("greeter is listening", "port", server.Port, "opsPort", admin.Port)
	select {
	case <-stopped.Done():
	case err := <-server.Failed:
		return err
	}
	health.Drain()
	time.Sleep(settings.Drain) // Load balancers need a moment to look away.
	return nil
}
