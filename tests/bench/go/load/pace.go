package main

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// paced calls send when each call of a fixed rate is due, until the end. time.Sleep would be up to
// a millisecond late, since the runtime waits for timers and sockets together, in milliseconds. So
// this keeps a thread of its own, beside the one that the runtime has for everything else.
func paced(rate int, start, end time.Time, send func(due time.Time)) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for n := 0; ; n++ {
		due := start.Add(time.Duration(n) * time.Second / time.Duration(rate))
		if !due.Before(end) {
			return
		}
		if pause := time.Until(due); pause > 0 {
			left := unix.NsecToTimespec(pause.Nanoseconds())
			for unix.Nanosleep(&left, &left) == unix.EINTR {
			}
		}
		send(due)
	}
}
