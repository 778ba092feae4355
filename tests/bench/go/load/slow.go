package main

import (
	"cmp"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// slow has the slowest calls of a run. All its times are milliseconds, those of calls by
// CLOCK_MONOTONIC, so that they can be laid beside the events of other processes.
type slow struct {
	// The medians of all calls: from when a call was due until it was sent, and then until its
	// answer.
	UsualLate    float64    `json:"usualLate"`
	UsualService float64    `json:"usualService"`
	Calls        []slowCall `json:"calls"`
}

type slowCall struct {
	Due      float64 `json:"due"`
	Sent     float64 `json:"sent"`
	Answered float64 `json:"answered"`
}

func slowest(results []*result, share float64) *slow {
	var calls []answered
	for _, one := range results {
		calls = append(calls, one.calls...)
	}
	if len(calls) == 0 {
		return nil
	}
	middle := func(of func(answered) time.Duration) float64 {
		slices.SortFunc(calls, func(a, b answered) int { return cmp.Compare(of(a), of(b)) })
		return ms(of(calls[len(calls)/2]))
	}
	late := middle(func(c answered) time.Duration { return c.sent.Sub(c.due) })
	service := middle(func(c answered) time.Duration { return c.at.Sub(c.sent) })
	middle(func(c answered) time.Duration { return c.at.Sub(c.due) })
	seen := &slow{UsualLate: late, UsualService: service, Calls: []slowCall{}}

	var clock unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &clock)
	now, zero := time.Now(), float64(clock.Nano())/1e6
	at := func(t time.Time) float64 { return zero - ms(now.Sub(t)) }
	for _, one := range calls[len(calls)-max(1, int(share*float64(len(calls)))):] {
		seen.Calls = append(seen.Calls, slowCall{at(one.due), at(one.sent), at(one.at)})
	}
	return seen
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }
