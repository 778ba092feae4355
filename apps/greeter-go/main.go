// Greeter in Go: the contract, settings, metrics and log lines of apps/greeter, for comparison.
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

// run is the life of the process: resources open in the order of the lines and close in reverse.
func run(stopped context.Context, settings config.Settings) error {
	tel, err := telemetry.Start("greeter", settings.Telemetry)
	if err != nil {
		return err
	}
	defer tel.Close()

	health := ops.NewHealth() // It has no dependencies.
	admin, err := ops.Serve(settings.Ops.Address(), health, tel.Registry)
	if err != nil {
		return err
	}
	defer admin.Close()

	server, err := rpc.Serve(settings.RPC, health, tel)
	if err != nil {
		return err
	}
	// One second is for the resources that close after the calls.
	defer server.Drain(settings.Grace - settings.Drain - time.Second)

	health.Ready()
	tel.Log.Info("greeter is listening", "port", server.Port, "opsPort", admin.Port)
	select {
	case <-stopped.Done():
	case err := <-server.Failed:
		return err
	}
	health.Drain()
	time.Sleep(settings.Drain) // Load balancers need a moment to stop sending.
	return nil
}
