package main

import (
	"encoding/binary"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const settleTries = 100 // a fresh partition may still be starting: 5 s

// requests keeps -in-flight equal requests outstanding on every connection, and measures each answer.
func requests(o *options, out figures) {
	kind, toEcho := strings.CutSuffix(o.kind, "/echo")
	records := batch(o.records, o.recordBytes)
	request := func(i int) kmsg.Request {
		switch kind {
		case "produce":
			return produceRequest(o.topic, int32(i%o.partitions), int16(o.acks), records)
		case "api-versions":
			return apiVersionsRequest()
		case "metadata":
			return metadataRequest(o.topic)
		case "offset-commit":
			return offsetCommitRequest(groupName(i), o.topic, i%o.partitions, 1)
		case "offset-fetch":
			return offsetFetchRequest(groupName(i%o.connections), o.topic, o.partitions)
		case "find-coordinator":
			return findCoordinatorRequest(groupName(i))
		case "fetch":
			return fetchRequest(o.topic, 0, 0, int32(o.answerBytes), 100)
		}
		fatal("no kind %q of requests", kind)
		return nil
	}
	var setup *conn
	if !toEcho {
		setup = open(o.bootstrap)
		settle(setup, o, request)
	}
	load := requestLoad{options: o, window: &window{}, valueBytes: int64(o.records * o.recordBytes)}
	var workers sync.WaitGroup
	start := make(chan struct{})
	for i := range o.connections {
		c, req := mustDial(o.bootstrap), request(i)
		if setup != nil {
			setup.fit(req)
		}
		workers.Add(1)
		go func() {
			defer workers.Done()
			defer c.Close()
			<-start
			if o.totalBytes == 0 {
				o.limit(c)
			}
			load.run(c, encode(req, 0))
		}()
	}
	if o.totalBytes > 0 {
		load.window.begin(o)
		close(start)
		workers.Wait()
		load.window.end(o, out)
	} else {
		close(start)
		load.window.timed(o, out)
		workers.Wait()
	}
	load.report(kind, out)
}

// settle creates the topic and decodes a first answer for each partition, so that no error is measured as speed.
func settle(c *conn, o *options, request func(int) kmsg.Request) {
	createTopic(c, o.topic, o.partitions)
	switch o.kind {
	case "offset-commit", "offset-fetch", "find-coordinator":
		for i := range o.connections {
			coordinated(c, groupName(i))
			_, err := c.call(offsetCommitRequest(groupName(i), o.topic, 0, o.partitions))
			check(err)
		}
	}
	for i := range o.partitions {
		for try := 0; ; try++ {
			r, err := c.call(request(i))
			check(err)
			if e := errorIn(r); e == 0 {
				break
			} else if try == settleTries {
				fatal("%s: error %d", o.kind, e)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
}

// requestLoad is what all connections of one measurement share.
type requestLoad struct {
	*options
	window     *window
	valueBytes int64
	sent       atomic.Int64
	oddSized   atomic.Int64
	lock       sync.Mutex
	nanos      []int64
}

func (l *requestLoad) run(c *conn, wire []byte) {
	var nanos []int64
	stamps := make([]time.Time, l.inFlight)
	next, oldest, size := 0, 0, -1
	send := func() {
		if l.totalBytes > 0 && l.sent.Add(l.valueBytes) > l.totalBytes {
			return
		}
		binary.BigEndian.PutUint32(wire[8:], uint32(next))
		stamps[next%l.inFlight] = time.Now()
		next++
		_, err := c.Write(wire)
		check(err)
	}
	for range l.inFlight {
		send()
	}
	for oldest < next {
		answer, err := c.frame()
		check(err)
		if got := binary.BigEndian.Uint32(answer); got != uint32(oldest) {
			fatal("answer %d came when %d was due", got, oldest)
		}
		if size < 0 {
			size = len(answer)
		} else if len(answer) != size {
			l.oddSized.Add(1) // an error answer has another size
		}
		if l.window.measuring.Load() {
			nanos = append(nanos, int64(time.Since(stamps[oldest%l.inFlight])))
		}
		oldest++
		if l.window.stopped.Load() {
			break
		}
		send()
	}
	l.lock.Lock()
	l.nanos = append(l.nanos, nanos...)
	l.lock.Unlock()
}

func (l *requestLoad) report(kind string, out figures) {
	n := float64(len(l.nanos))
	if n == 0 {
		fatal("%s: no answer in the measured window", kind)
	}
	if odd := l.oddSized.Load(); odd > 0 {
		fatal("%s: %d of %.0f answers have another size than the first", kind, odd, n)
	}
	out["requests"], out["requests_s"] = n, n/l.window.seconds
	out["cpu_us_per_request"] = out["broker_cpu_s"] * 1e6 / n
	var bytes float64
	switch kind {
	case "produce":
		bytes = n * float64(l.valueBytes)
	case "fetch":
		bytes = n * float64(l.answerBytes)
	}
	if bytes > 0 {
		out["mb_s"] = bytes / l.window.seconds / 1e6
		out["cpu_s_per_gb"] = out["broker_cpu_s"] / (bytes / 1e9)
	}
	latencies(l.nanos, "", out)
}
