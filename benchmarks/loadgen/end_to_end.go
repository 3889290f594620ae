package main

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	deliveryLimit = 10 * time.Second // one record
	endToEndLimit = 20 * time.Second // all of them: a broker that wakes no long poll ends here
)

// endToEnd sends one record at a time with acks=all on one connection while a long poll waits on another.
func endToEnd(o *options, out figures) {
	producer, consumer := open(o.bootstrap), open(o.bootstrap)
	createTopic(producer, o.topic, 1)
	b := batch(1, o.recordBytes)
	produce := func() *kmsg.ProduceResponse {
		r, err := producer.call(produceRequest(o.topic, 0, -1, b))
		check(err)
		if e := errorIn(r); e != 0 {
			fatal("produce: error %d", e)
		}
		return r.(*kmsg.ProduceResponse)
	}
	delivered := make(chan time.Time)
	next := produce().Topics[0].Partitions[0].BaseOffset + 1
	go func() {
		for {
			r, err := consumer.call(fetchRequest(o.topic, 0, next, 1<<20, 500))
			check(err)
			if e := errorIn(r); e != 0 {
				fatal("fetch: error %d", e)
			}
			if last := lastOffset(r.(*kmsg.FetchResponse).Topics[0].Partitions[0].RecordBatches); last >= 0 {
				next = last + 1
				delivered <- time.Now()
			}
		}
	}()
	var whole, ack []int64
	var w window
	warmUp := min(o.count/10, 200)
	began := time.Now()
	for i := range o.count + warmUp {
		if i == warmUp {
			w.begin(o)
		}
		if i > warmUp && time.Since(began) > endToEndLimit {
			break
		}
		time.Sleep(time.Millisecond) // lets the long poll reach the broker first
		sent := time.Now()
		produce()
		acked := time.Since(sent)
		select {
		case at := <-delivered:
			if i >= warmUp {
				whole, ack = append(whole, int64(at.Sub(sent))), append(ack, int64(acked))
			}
		case <-time.After(deliveryLimit):
			fatal("record %d was not delivered in %v", i, deliveryLimit)
		}
	}
	w.end(o, out)
	latencies(ack, "ack_", out)
	latencies(whole, "", out)
	out["records"] = float64(len(whole))
	out["cpu_us_per_request"] = out["broker_cpu_s"] * 1e6 / float64(max(len(whole), 1))
}
