package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	offsetsPartitions = 50 // of __consumer_offsets and __transaction_state, by default
	committedOffset   = 12345
	coordinatorTries  = 600 // the topic of the offsets is made for the first one who asks: 30 s
)

// coordinated waits until the group has a coordinator that answers for it.
func coordinated(c *conn, group string) {
	for try := 0; ; try++ {
		r, err := c.call(findCoordinatorRequest(group))
		check(err)
		e := errorIn(r)
		if e == 0 {
			r, err = c.call(offsetFetchRequest(group, "", 0))
			check(err)
			e = errorIn(r)
		}
		if e == 0 {
			return
		}
		if try == coordinatorTries {
			fatal("group %s has no coordinator: error %d", group, e)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func groupName(i int) string { return fmt.Sprintf("group-%d", i) }

func findCoordinatorRequest(group string) *kmsg.FindCoordinatorRequest {
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.SetVersion(4)
	req.CoordinatorKeys = []string{group}
	return req
}

// offsetCommitRequest is one of a simple consumer: partitions from first on, of a group without members.
func offsetCommitRequest(group, topic string, first, count int) *kmsg.OffsetCommitRequest {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.SetVersion(9)
	req.Group, req.Generation = group, -1
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic = topic
	for i := range count {
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch = int32(first+i), committedOffset, 0
		p.Metadata = kmsg.StringPtr("")
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	return req
}

// offsetFetchRequest is about partitions 0 to count-1; about all that was committed when there is no topic.
func offsetFetchRequest(group, topic string, count int) *kmsg.OffsetFetchRequest {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.SetVersion(8)
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	if topic != "" {
		t := kmsg.NewOffsetFetchRequestGroupTopic()
		t.Topic = topic
		for i := range count {
			t.Partitions = append(t.Partitions, int32(i))
		}
		g.Topics = append(g.Topics, t)
	}
	req.Groups = append(req.Groups, g)
	return req
}

// commit lets -count groups commit all partitions of -topic, over -connections connections.
func commit(o *options, out figures) {
	c := open(o.bootstrap)
	createTopic(c, o.topic, o.partitions)
	for i := range o.count {
		coordinatedOnce(c, groupName(i), i)
	}
	var workers sync.WaitGroup
	start := time.Now()
	for w := range o.connections {
		own := open(o.bootstrap)
		workers.Add(1)
		go func() {
			defer workers.Done()
			for i := w; i < o.count; i += o.connections {
				r, err := own.call(offsetCommitRequest(groupName(i), o.topic, 0, o.partitions))
				check(err)
				if e := errorIn(r); e != 0 {
					fatal("OffsetCommit of %s: error %d", groupName(i), e)
				}
			}
		}()
	}
	workers.Wait()
	out["seconds"] = time.Since(start).Seconds()
	out["offsets"] = float64(o.count * o.partitions)
}

// coordinatedOnce asks about the first few groups: they are spread over the partitions, and those are ready together.
func coordinatedOnce(c *conn, group string, i int) {
	if i < 4*offsetsPartitions {
		coordinated(c, group)
	}
}

// loaded is the time from -since until a group of each partition of the offsets' topic has what it committed, and how
// soon others were answered meanwhile.
func loaded(o *options, out figures) {
	start := time.Now()
	if o.sinceNanos > 0 {
		start = time.Unix(0, o.sinceNanos)
	}
	deadline := start.Add(time.Duration(o.seconds * float64(time.Second)))
	c := answering(o, deadline)
	out["api_versions_ms"] = float64(time.Since(start).Microseconds()) / 1000
	stop, nanos := make(chan struct{}), make(chan []int64)
	go func() { nanos <- others(o, stop) }()
	for _, group := range oneOfEach(o.count, groupName) {
		for {
			r, err := c.call(offsetFetchRequest(group, o.topic, o.partitions))
			check(err)
			e := errorIn(r)
			if e == 0 {
				for _, p := range r.(*kmsg.OffsetFetchResponse).Groups[0].Topics[0].Partitions {
					if p.Offset != committedOffset {
						fatal("%s had committed %d for partition %d, it has %d", group, committedOffset, p.Partition, p.Offset)
					}
				}
				break
			}
			if e != errCoordinatorLoading && e != errNotCoordinator && e != errCoordinatorNotAvailable {
				fatal("OffsetFetch of %s: error %d", group, e)
			}
			if time.Now().After(deadline) {
				fatal("%s is not loaded after %.0f s: error %d", group, o.seconds, e)
			}
			time.Sleep(2 * time.Millisecond)
		}
	}
	out["loaded_ms"] = float64(time.Since(start).Microseconds()) / 1000
	close(stop)
	latencies(<-nanos, "metadata_", out)
}

func answering(o *options, deadline time.Time) *conn {
	for {
		c, err := dial(o.bootstrap)
		if err == nil {
			if err = c.negotiate(); err == nil {
				return c
			}
			c.Close()
		}
		if time.Now().After(deadline) {
			fatal("no answer after %.0f s: %v", o.seconds, err)
		}
		time.Sleep(time.Millisecond)
	}
}

// others asks for Metadata all the while.
func others(o *options, stop <-chan struct{}) (nanos []int64) {
	c := open(o.bootstrap)
	for {
		select {
		case <-stop:
			return nanos
		default:
		}
		sent := time.Now()
		_, err := c.call(metadataRequest(o.topic))
		check(err)
		nanos = append(nanos, int64(time.Since(sent)))
		time.Sleep(time.Millisecond)
	}
}

// oneOfEach names a group, or transactional id, for each partition of its coordinators' topic that has one of count.
func oneOfEach(count int, name func(int) string) []string {
	found := map[int32]string{}
	for i := 0; i < count && len(found) < offsetsPartitions; i++ {
		hash := int32(0)
		for _, character := range name(i) { // as Java hashes strings
			hash = 31*hash + character
		}
		partition := (hash & 0x7fffffff) % offsetsPartitions
		if _, known := found[partition]; !known {
			found[partition] = name(i)
		}
	}
	names := make([]string, 0, len(found))
	for _, each := range found {
		names = append(names, each)
	}
	return names
}
