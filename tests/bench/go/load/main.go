// Command load calls one server and prints what it saw as JSON. It writes requests ready made and reads no more of an
// answer than it must, so that it takes a fraction of what the server takes.
//
// Closed loop: each connection (and stream) sends its next call when the last is answered. With -rate calls have a time at
// which they were due, and latency counts from then, whether or not a slow server made them late: a stall is
// seen by every call that was due in it, as its callers would have seen it.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

type options struct {
	addresses []string // Connections go to them in turn.
	conns     int
	streams   int
	duration  time.Duration
	rate      int // Calls a second over all connections; 0 for a closed loop.
}

func (o options) address(connection int) string { return o.addresses[connection%len(o.addresses)] }

// result is added up by each connection for itself.
type result struct {
	nanos  []int64 // Latencies of the calls that were answered.
	failed int
	why    string // The first failure.
}

func (r *result) fail(why string) {
	r.failed++
	if r.why == "" {
		r.why = why
	}
}

type report struct {
	Calls      int     `json:"calls"`
	Failed     int     `json:"failed"`
	Why        string  `json:"why,omitempty"`
	Seconds    float64 `json:"seconds"`
	CPUSeconds float64 `json:"cpuSeconds"` // Of this process.
	P50        float64 `json:"p50"`        // Microseconds.
	P99        float64 `json:"p99"`
	P999       float64 `json:"p999"`
	Max        float64 `json:"max"`
}

func main() {
	var o options
	kind := flag.String("kind", "grpc", "grpc or http")
	addresses := flag.String("address", "127.0.0.1:50051", "host:port, several with commas between")
	flag.IntVar(&o.conns, "conns", 4, "connections")
	flag.IntVar(&o.streams, "streams", 8, "calls at once on a connection (grpc)")
	flag.DurationVar(&o.duration, "duration", 2*time.Second, "how long, at most a minute")
	flag.IntVar(&o.rate, "rate", 0, "calls a second; 0 for a closed loop")
	flag.Parse()
	o.addresses = strings.Split(*addresses, ",")
	o.duration = min(o.duration, time.Minute)

	run := map[string]func(options) ([]*result, error){"grpc": loadGRPC, "http": loadHTTP}[*kind]
	if run == nil {
		fmt.Fprintln(os.Stderr, "-kind takes grpc or http")
		os.Exit(2)
	}
	start := time.Now()
	results, err := run(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(sum(results, time.Since(start)))
}

func sum(results []*result, took time.Duration) report {
	r := report{Seconds: took.Seconds(), CPUSeconds: cpu()}
	var nanos []int64
	for _, one := range results {
		nanos = append(nanos, one.nanos...)
		r.Failed += one.failed
		if r.Why == "" {
			r.Why = one.why
		}
	}
	r.Calls = len(nanos)
	if r.Calls == 0 {
		return r
	}
	slices.Sort(nanos)
	at := func(share float64) float64 { return float64(nanos[int(share*float64(len(nanos)-1))]) / 1_000 }
	r.P50, r.P99, r.P999, r.Max = at(0.5), at(0.99), at(0.999), at(1)
	return r
}

func cpu() float64 {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}
