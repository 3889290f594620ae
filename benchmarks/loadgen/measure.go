package main

import (
	"bytes"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const silenceTimeout = 15 * time.Second

// window is the measured stretch between warm-up and end; workers look at its two flags.
type window struct {
	measuring, stopped atomic.Bool
	began              time.Time
	brokerCPU, ownCPU  float64
	seconds            float64
}

func (w *window) begin(o *options) {
	w.brokerCPU, w.ownCPU = cpuSeconds(o.pid), ownCPUSeconds()
	w.began = time.Now()
	w.measuring.Store(true)
}

// end closes the window and reports what the broker and the load generator used in it.
func (w *window) end(o *options, out figures) {
	w.measuring.Store(false)
	w.seconds = time.Since(w.began).Seconds()
	out["seconds"] = w.seconds
	out["broker_cpu_s"] = cpuSeconds(o.pid) - w.brokerCPU
	out["client_cores"] = (ownCPUSeconds() - w.ownCPU) / w.seconds
	w.stopped.Store(true)
}

// timed runs a window of the length the flags ask for.
func (w *window) timed(o *options, out figures) {
	time.Sleep(time.Duration(o.warmUp * float64(time.Second)))
	w.begin(o)
	time.Sleep(time.Duration(o.seconds * float64(time.Second)))
	w.end(o, out)
}

// limit makes a connection fail when its broker is silent long after the window.
func (o *options) limit(c *conn) {
	window := time.Duration((o.warmUp + o.seconds) * float64(time.Second))
	check(c.SetDeadline(time.Now().Add(window + silenceTimeout)))
}

func ownCPUSeconds() float64 {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

// cpuSeconds is user plus system time of a process with all its threads, ended ones too; the
// finer per-thread clocks forget threads that ended. Resolution is 10 ms.
func cpuSeconds(pid int) float64 {
	if pid <= 0 {
		return 0
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100
}

// latencies writes p50, p99 and p99.9 in µs, from ns, under names that start with prefix.
func latencies(nanos []int64, prefix string, out figures) {
	sort.Slice(nanos, func(i, j int) bool { return nanos[i] < nanos[j] })
	at := func(q float64) float64 {
		if len(nanos) == 0 {
			return 0
		}
		return float64(nanos[min(int(q*float64(len(nanos))), len(nanos)-1)]) / 1e3
	}
	out[prefix+"p50_us"], out[prefix+"p99_us"], out[prefix+"p999_us"] = at(.5), at(.99), at(.999)
}
