// Package stop turns signals into the end of a context.
package stop

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// One Ctrl-C can arrive twice: from the terminal, and passed on by a parent. Only a later one is a human losing patience.
const echo = 250 * time.Millisecond

// OnSignal returns a context that ends at SIGTERM or SIGINT: take no new work. A second signal, or a process that is
// still there when the grace is over, ends it at once with code 1.
func OnSignal(grace time.Duration) context.Context {
	stopped, stop := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-signals
		first := time.Now()
		stop()
		late := time.After(grace)
		for {
			select {
			case again := <-signals:
				if time.Since(first) > echo {
					die(fmt.Sprintf("%v came again: ending at once", again))
				}
			case <-late:
				die(fmt.Sprintf("the process did not end within %v", grace))
			}
		}
	}()
	return stopped
}

func die(why string) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(1)
}
