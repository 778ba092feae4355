// Command watch looks at the machine once a millisecond while others are measured, and prints as
// JSON when they waited for a core, when the hypervisor took one, and when its own core was busy.
// Times are milliseconds of CLOCK_MONOTONIC.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	tick = time.Millisecond
	// A wait that is shorter is not worth a row.
	leastWait = 200 * time.Microsecond
	// The counter of stolen time has steps of 10 ms, and threads come and go.
	rareTicks = 10
)

type interval struct {
	From float64 `json:"from"`
	To   float64 `json:"to"`
}

type report struct {
	// The times in which a thread was ready to run and did not, by the process.
	Waited map[string][]interval `json:"waited"`
	Stolen []interval            `json:"stolen"`
	// The times in which this command was ready to run and did not.
	Busy []interval `json:"busy"`
}

// thread is one that is watched.
type thread struct {
	stat   *os.File      // proc_pid_schedstat: the nanoseconds that it ran and waited.
	waited time.Duration // In all, at the last look.
}

func main() {
	pids := flag.String("pids", "", "processes of which every thread is watched, with commas")
	mains := flag.String("mains", "", "processes of which the first thread is watched, with commas")
	duration := flag.Duration("duration", time.Second, "how long, at most two minutes")
	flag.Parse()
	runtime.LockOSThread()

	seen := report{Waited: map[string][]interval{}, Stolen: []interval{}, Busy: []interval{}}
	threads := map[string]map[string]*thread{}
	stolen, last := stolenTicks(), now()
	end := last + float64(min(*duration, 2*time.Minute))/1e6
	for ticks := 0; last < end; ticks++ {
		pause := unix.NsecToTimespec(int64(tick))
		_ = unix.Nanosleep(&pause, nil)
		at := now()
		if at-last > 2.5*ms(tick) {
			seen.Busy = append(seen.Busy, interval{last + ms(tick), at})
		}
		if ticks%rareTicks == 0 {
			if total := stolenTicks(); total > stolen {
				seen.Stolen = append(seen.Stolen, interval{at - rareTicks*ms(tick), at})
				stolen = total
			}
			find(threads, *pids, "task/*/schedstat")
			find(threads, *mains, "schedstat")
		}
		for pid, all := range threads {
			for _, one := range all {
				if waited := one.look(); waited >= leastWait {
					seen.Waited[pid] = append(seen.Waited[pid], interval{at - ms(waited), at})
				}
			}
		}
		last = at
	}
	_ = json.NewEncoder(os.Stdout).Encode(seen)
}

// find adds the threads that it does not know yet.
func find(threads map[string]map[string]*thread, pids, pattern string) {
	for _, pid := range strings.Split(pids, ",") {
		if pid == "" {
			continue
		}
		if threads[pid] == nil {
			threads[pid] = map[string]*thread{}
		}
		paths, _ := filepath.Glob(filepath.Join("/proc", pid, pattern))
		for _, path := range paths {
			if threads[pid][path] == nil {
				stat, err := os.Open(path)
				if err != nil {
					continue // It has ended.
				}
				one := &thread{stat: stat}
				one.look()
				threads[pid][path] = one
			}
		}
	}
}

// look returns how long the thread has waited for a core since the last look.
func (t *thread) look() time.Duration {
	var text [64]byte
	n, _ := t.stat.ReadAt(text[:], 0)
	fields := strings.Fields(string(text[:n]))
	if len(fields) < 2 {
		return 0 // It has ended.
	}
	nanos, _ := strconv.ParseInt(fields[1], 10, 64)
	waited := time.Duration(nanos)
	more := waited - t.waited
	t.waited = waited
	return more
}

// stolenTicks reads proc_stat(5): the hundredths of a second that the hypervisor took of all cores.
func stolenTicks() int64 {
	text, _ := os.ReadFile("/proc/stat")
	var name string
	var user, nice, system, idle, iowait, irq, softirq, steal int64
	_, _ = fmt.Sscan(string(text), &name, &user, &nice, &system, &idle, &iowait, &irq, &softirq, &steal)
	return steal
}

func now() float64 {
	var at unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &at)
	return float64(at.Nano()) / 1e6
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }
