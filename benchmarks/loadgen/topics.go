package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// apis says for each API key of -kind whether it is advertised: {"11": 1}.
func apis(o *options, out figures) {
	c := open(o.bootstrap)
	for _, name := range strings.Split(o.kind, ",") {
		key, err := strconv.ParseInt(name, 10, 16)
		check(err)
		out[name] = 0
		if _, ok := c.versions[int16(key)]; ok {
			out[name] = 1
		}
	}
}

func create(o *options, _ figures) { createTopic(open(o.bootstrap), o.topic, o.partitions) }

func remove(o *options, _ figures) {
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.SetVersion(4)
	req.TimeoutMillis = 30000
	req.TopicNames = []string{o.topic}
	r, err := open(o.bootstrap).call(req)
	check(err)
	if e := errorIn(r); e != 0 {
		fatal("DeleteTopics of %s: error %d", o.topic, e)
	}
}

// manyPartitions is the time from CreateTopics until every partition answers ListOffsets.
func manyPartitions(o *options, out figures) {
	c := open(o.bootstrap)
	start := time.Now()
	out["create_s"] = createTopic(c, o.topic, o.partitions).Seconds()
	req := kmsg.NewPtrListOffsetsRequest()
	req.SetVersion(6)
	req.ReplicaID = -1
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = o.topic
	for i := range o.partitions {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp, p.CurrentLeaderEpoch = int32(i), -1, -1
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	for usable := 0; ; time.Sleep(5 * time.Millisecond) {
		r, err := c.call(req)
		check(err)
		usable = 0
		for _, p := range r.(*kmsg.ListOffsetsResponse).Topics[0].Partitions {
			if p.ErrorCode == 0 {
				usable++
			}
		}
		if usable == o.partitions {
			break
		}
		if time.Since(start) > createWaitSeconds*time.Second {
			fatal("%d of %d partitions usable after %d s", usable, o.partitions, createWaitSeconds)
		}
	}
	out["usable_s"] = time.Since(start).Seconds()
	var nanos []int64
	for range 50 {
		sent := time.Now()
		_, err := c.call(metadataRequest(o.topic))
		check(err)
		nanos = append(nanos, int64(time.Since(sent)))
	}
	latencies(nanos, "metadata_", out)
}

// idle holds many connections, each with one long poll on an empty partition. It prints "held" once all
// have been sent, and ends when its input ends.
func idle(o *options, out figures) {
	c := open(o.bootstrap)
	createTopic(c, o.topic, o.partitions)
	time.Sleep(500 * time.Millisecond) // a leader in the metadata may still be starting
	req := fetchRequest(o.topic, 0, 0, 1<<20, 600000)
	c.fit(req)
	var early atomic.Int64
	for i := range o.count {
		held := open(o.bootstrap) // as a client does: ApiVersions first, then the long poll
		req.Topics[0].Partitions[0].Partition = int32(i % o.partitions)
		_, err := held.Write(encode(req, 1))
		check(err)
		go func() {
			if _, err := held.frame(); err == nil {
				early.Add(1)
			}
		}()
	}
	time.Sleep(time.Second)
	fmt.Println("held")
	_, _ = os.Stdin.Read(make([]byte, 1))
	if n := early.Load(); n > 0 {
		fatal("%d of %d long polls were answered early", n, o.count)
	}
	out["connections"] = float64(o.count)
}

// ready is the time from -since until ApiVersions is answered, and until a record is accepted in every partition.
func ready(o *options, out figures) {
	start := time.Now()
	if o.sinceNanos > 0 {
		start = time.Unix(0, o.sinceNanos)
	}
	deadline := start.Add(time.Duration(o.seconds * float64(time.Second)))
	elapsedMillis := func() float64 { return float64(time.Since(start).Microseconds()) / 1000 }
	pause := func(why string, err any) {
		if time.Now().After(deadline) {
			fatal("not ready after %.0f s: %s: %v", o.seconds, why, err)
		}
		time.Sleep(time.Millisecond)
	}
	var c *conn
	for {
		var err error
		if c, err = dial(o.bootstrap); err == nil {
			if err = c.negotiate(); err == nil {
				break
			}
			c.Close()
		}
		pause("ApiVersions", err)
	}
	out["api_versions_ms"] = elapsedMillis()
	for {
		r, err := c.call(createTopicRequest(o.topic, o.partitions))
		if err != nil {
			pause("CreateTopics", err)
			c.Close()
			c = open(o.bootstrap)
			continue
		}
		if e := errorIn(r); e == 0 || e == errTopicExists {
			break
		} else {
			pause("CreateTopics: error", e)
		}
	}
	b := batch(1, o.recordBytes)
	for i := range o.partitions {
		for {
			r, err := c.call(produceRequest(o.topic, int32(i), -1, b))
			check(err)
			e := errorIn(r)
			if e == 0 {
				break
			}
			pause("Produce: error", e)
		}
		if i == 0 {
			out["first_record_ms"] = elapsedMillis()
		}
	}
	out["all_partitions_ms"] = elapsedMillis()
}
