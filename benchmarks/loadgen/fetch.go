package main

import (
	"encoding/binary"
	"io"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sys/unix"
)

// shot is one Fetch whose answer has been seen once.
type shot struct {
	wire        []byte
	answerBytes int // with its length field
}

// fetch decodes each range of the topic once, then asks for the same ranges again and drops the
// bytes in the kernel (MSG_TRUNC), so that the client costs next to nothing.
func fetch(o *options, out figures) {
	shots := survey(o, out)
	var w window
	var bytes, count, odd atomic.Int64
	var lock sync.Mutex
	var all []int64
	var workers sync.WaitGroup
	for i := range o.connections {
		c := mustDial(o.bootstrap)
		workers.Add(1)
		go func() {
			defer workers.Done()
			defer c.Close()
			o.limit(c)
			var nanos []int64
			head := make([]byte, 4)
			for k := i * len(shots) / o.connections; !w.stopped.Load(); k++ {
				s := shots[k%len(shots)]
				sent := time.Now()
				_, err := c.Write(s.wire)
				check(err)
				_, err = io.ReadFull(c.Conn, head)
				check(err)
				n := int(binary.BigEndian.Uint32(head))
				discard(c, n)
				if n+4 != s.answerBytes {
					odd.Add(1)
				}
				if w.measuring.Load() {
					bytes.Add(int64(n + 4))
					count.Add(1)
					nanos = append(nanos, int64(time.Since(sent)))
				}
			}
			lock.Lock()
			all = append(all, nanos...)
			lock.Unlock()
		}()
	}
	w.timed(o, out)
	workers.Wait()
	if n := odd.Load(); n > 0 {
		fatal("fetch: %d of %d answers have another size than at first", n, count.Load())
	}
	if count.Load() == 0 {
		fatal("fetch: no answer in the measured window")
	}
	gb := float64(bytes.Load()) / 1e9
	out["gb_s"], out["requests_s"] = gb/w.seconds, float64(count.Load())/w.seconds
	out["cpu_s_per_gb"] = out["broker_cpu_s"] / gb
	latencies(all, "", out)
}

// survey walks the topic and returns one shot for each answer, up to -total-bytes.
func survey(o *options, out figures) []shot {
	var shots []shot
	var covered int64
	setup := open(o.bootstrap)
	defer setup.Close()
	for partition := range o.partitions {
		var offset, got int64
		for got < o.totalBytes/int64(o.partitions) {
			req := fetchRequest(o.topic, int32(partition), offset, int32(o.answerBytes), 100)
			if o.kind == "read-committed" {
				req.IsolationLevel = 1
			}
			r, err := setup.call(req)
			check(err)
			if e := errorIn(r); e != 0 {
				fatal("fetch of %s-%d at %d: error %d", o.topic, partition, offset, e)
			}
			records := r.(*kmsg.FetchResponse).Topics[0].Partitions[0].RecordBatches
			last := lastOffset(records)
			if last < 0 {
				break
			}
			// The last answer of a partition may be short; each of the others is full.
			shots = append(shots, shot{encode(req, 7), len(setup.buffer) + 4})
			got += int64(len(records))
			offset = last + 1
		}
		covered += got
	}
	if len(shots) == 0 {
		fatal("fetch: topic %s is empty", o.topic)
	}
	out["covered_mb"] = float64(covered) / 1e6
	return shots
}

// discard drops the next n bytes of the connection without copying them to user space.
func discard(c *conn, n int) {
	raw, err := c.Conn.(syscall.Conn).SyscallConn()
	check(err)
	check(raw.Read(func(fd uintptr) bool {
		for n > 0 {
			got, e := recvTruncated(fd, n)
			if e == unix.EAGAIN {
				return false
			}
			if e != 0 || got == 0 {
				fatal("fetch: connection ended: %v", e)
			}
			n -= got
		}
		return true
	}))
}

func recvTruncated(fd uintptr, n int) (int, unix.Errno) {
	got, _, e := unix.Syscall6(unix.SYS_RECVFROM, fd, 0, uintptr(n), unix.MSG_TRUNC|unix.MSG_DONTWAIT, 0, 0)
	return int(got), e
}
