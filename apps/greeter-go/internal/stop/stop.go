// Package stop cancels a context at a signal.
package stop

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// One Ctrl-C can arrive twice: from the terminal, and from a parent that passes it on. Only a later
// one is a second request.
const echo = 250 * time.Millisecond

// OnSignal returns a context that ends at SIGTERM or SIGINT, which means: take no new work. A
// second signal ends the process at once with code 1, and so does the end of the grace period.
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
					die(fmt.Sprintf("received a second %v: exiting at once", again))
				}
			case <-late:
				die(fmt.Sprintf("the process did not exit within %v", grace))
			}
		}
	}()
	return stopped
}

func die(why string) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(1)
}
