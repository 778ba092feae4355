// Command load calls one server and prints its measurements as JSON. It writes prepared requests
// and parses only the necessary part of a response, so it costs a fraction of the server.
//
// Without -rate it is a closed loop: each connection (and stream) sends its next call after the
// last response. With -rate each call is due at a fixed time, and latency counts from then, even if
// a slow server delays the call. So a stall counts for every call that was due in it, as for real
// callers.
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
	addresses []string // Connections use them in turn.
	conns     int
	streams   int
	duration  time.Duration
	rate      int // Calls a second over all connections; 0 for a closed loop.
	// The line of a request's head that says who calls; empty for none.
	credentials string
	slow        float64 // The share of the slowest calls that are listed.
}

// sentAt returns the time if calls are listed, and spares asking for it otherwise.
func (o options) sentAt() time.Time {
	if o.slow == 0 {
		return time.Time{}
	}
	return time.Now()
}

func (o options) address(connection int) string { return o.addresses[connection%len(o.addresses)] }

// result holds the sums of one connection.
type result struct {
	nanos  []int64    // Latencies of the answered calls.
	calls  []answered // The answered calls, if the slowest are listed.
	failed int
	why    string // The first failure.
}

// started is a call without an answer.
type started struct{ due, sent time.Time }

// answered is a call with one.
type answered struct {
	started
	at time.Time
}

func (r *result) answer(o options, call started, at time.Time) {
	r.nanos = append(r.nanos, at.Sub(call.due).Nanoseconds())
	if o.slow > 0 {
		r.calls = append(r.calls, answered{call, at})
	}
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
	CPUSeconds float64 `json:"cpuSeconds"` // This process.
	P50        float64 `json:"p50"`        // Microseconds.
	P99        float64 `json:"p99"`
	P999       float64 `json:"p999"`
	Max        float64 `json:"max"`
	Slow       *slow   `json:"slow,omitempty"`
}

func main() {
	var o options
	kind := flag.String("kind", "grpc", "grpc or http")
	addresses := flag.String("address", "127.0.0.1:50051", "host:port, several with commas between")
	flag.IntVar(&o.conns, "conns", 4, "connections")
	flag.IntVar(&o.streams, "streams", 8, "calls at once on a connection (grpc)")
	flag.DurationVar(&o.duration, "duration", 2*time.Second, "how long, at most a minute")
	flag.IntVar(&o.rate, "rate", 0, "calls a second; 0 for a closed loop")
	flag.Float64Var(&o.slow, "slow", 0, "lists this share of the calls, the slowest")
	flag.Parse()
	o.addresses = strings.Split(*addresses, ",")
	o.duration = min(o.duration, time.Minute)
	if field := os.Getenv("LOAD_AUTHORIZATION"); field != "" {
		o.credentials = "Authorization: " + field + "\r\n"
	}

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
	all := sum(results, time.Since(start))
	if o.slow > 0 {
		all.Slow = slowest(results, o.slow)
	}
	_ = json.NewEncoder(os.Stdout).Encode(all)
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
