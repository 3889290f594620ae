package main

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	errLoadInProgress    = 14
	errNotAvailable      = 15
	errNotCoordinator    = 16
	errIllegalGeneration = 22
	errUnknownMember     = 25
	errRebalance         = 27
	errMemberIDRequired  = 79
	memberSessionMillis  = 45000
	stableWait           = 120 * time.Second
)

func groupName(i int) string { return fmt.Sprintf("benchmark-%d", i) }

func findCoordinatorRequest(group string) *kmsg.FindCoordinatorRequest {
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.SetVersion(4)
	req.CoordinatorKeys = []string{group}
	return req
}

// commitRequest commits one offset for each of the first partitions of a topic, without being a member.
func commitRequest(group, topic string, first, partitions int) *kmsg.OffsetCommitRequest {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.SetVersion(8)
	req.Group, req.Generation = group, -1
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic = topic
	for i := range partitions {
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.Metadata = int32(first+i), 1234, kmsg.StringPtr("")
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	return req
}

func offsetFetchRequest(group, topic string, partitions int) *kmsg.OffsetFetchRequest {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.SetVersion(8)
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	t := kmsg.NewOffsetFetchRequestGroupTopic()
	t.Topic = topic
	for i := range partitions {
		t.Partitions = append(t.Partitions, int32(i))
	}
	g.Topics = append(g.Topics, t)
	req.Groups = append(req.Groups, g)
	return req
}

// coordinated waits until the group has a coordinator that has loaded.
func coordinated(c *conn, group string) {
	start := time.Now()
	for {
		r, err := c.call(findCoordinatorRequest(group))
		check(err)
		code := errorIn(r)
		if code == 0 {
			r, err = c.call(offsetFetchRequest(group, "none", 1))
			check(err)
			code = r.(*kmsg.OffsetFetchResponse).Groups[0].ErrorCode
		}
		switch code {
		case 0:
			return
		case errLoadInProgress, errNotAvailable, errNotCoordinator:
			if time.Since(start) > stableWait {
				fatal("group %s has no coordinator after %s", group, stableWait)
			}
			time.Sleep(5 * time.Millisecond)
		default:
			fatal("coordinator of %s: error %d", group, code)
		}
	}
}

// commitAll gives the group an offset for every partition, in requests that stay small.
func commitAll(c *conn, group, topic string, partitions int) {
	const atOnce = 1000
	for first := 0; first < partitions; first += atOnce {
		r, err := c.call(commitRequest(group, topic, first, min(atOnce, partitions-first)))
		check(err)
		if e := errorIn(r); e != 0 {
			fatal("OffsetCommit of %s: error %d", group, e)
		}
	}
}

// members is a classic group of -count members, each with its connection, all joining at once: how long until all are
// in one generation, and what their heartbeats cost then.
func members(o *options, out figures) {
	group := fmt.Sprintf("%s-%d", o.topic, time.Now().UnixNano())
	setup := open(o.bootstrap)
	createTopic(setup, o.topic, o.partitions)
	coordinated(setup, group)
	g := &memberGroup{options: o, group: group, window: &window{}, joined: map[int32]int{}, stable: make(chan struct{})}
	var workers sync.WaitGroup
	start := make(chan struct{})
	for i := range o.count {
		c := mustDial(o.bootstrap)
		c.versions = setup.versions
		workers.Add(1)
		go func() {
			defer workers.Done()
			defer c.Close()
			<-start
			g.run(c, i)
		}()
	}
	cpu := cpuSeconds(o.pid)
	begun := time.Now()
	close(start)
	select {
	case <-g.stable:
	case <-time.After(stableWait):
		fatal("a group of %d is not stable after %s", o.count, stableWait)
	}
	out["stable_s"], out["stable_cpu_s"] = time.Since(begun).Seconds(), cpuSeconds(o.pid)-cpu
	g.window.timed(o, out)
	workers.Wait()
	n := float64(len(g.nanos))
	if n == 0 {
		fatal("no heartbeat was answered in the measured window")
	}
	out["heartbeats_s"] = n / g.window.seconds
	out["cpu_us_per_heartbeat"] = out["broker_cpu_s"] * 1e6 / n
	out["generations"] = float64(g.generation.Load())
	out["lost"] = float64(g.lost.Load())
	latencies(g.nanos, "", out)
}

type memberGroup struct {
	*options
	group      string
	window     *window
	stable     chan struct{}
	lock       sync.Mutex
	joined     map[int32]int // members that have their assignment, by generation
	nanos      []int64
	generation atomic.Int32
	lost       atomic.Int64
}

func (g *memberGroup) run(c *conn, i int) {
	id := ""
	for !g.window.stopped.Load() {
		generation, leads := int32(0), []kmsg.JoinGroupResponseMember(nil)
		id, generation, leads = g.join(c, id)
		if generation < 0 || !g.sync(c, id, generation, leads) {
			continue
		}
		g.entered(generation)
		id = g.stay(c, id, generation, i)
	}
}

func (g *memberGroup) join(c *conn, id string) (string, int32, []kmsg.JoinGroupResponseMember) {
	req := kmsg.NewPtrJoinGroupRequest()
	req.SetVersion(7)
	req.Group, req.MemberID, req.ProtocolType = g.group, id, "consumer"
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = memberSessionMillis, 60000
	subscription := kmsg.NewConsumerMemberMetadata()
	subscription.Topics = []string{g.topic}
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name, p.Metadata = "range", subscription.AppendTo(nil)
	req.Protocols = append(req.Protocols, p)
	r, err := c.call(req)
	check(err)
	resp := r.(*kmsg.JoinGroupResponse)
	switch resp.ErrorCode {
	case 0:
		return resp.MemberID, resp.Generation, resp.Members
	case errMemberIDRequired:
		return resp.MemberID, -1, nil
	case errUnknownMember:
		g.lost.Add(1)
		return "", -1, nil
	case errRebalance:
		return id, -1, nil
	}
	fatal("JoinGroup: error %d", resp.ErrorCode)
	return "", -1, nil
}

func (g *memberGroup) sync(c *conn, id string, generation int32, members []kmsg.JoinGroupResponseMember) bool {
	req := kmsg.NewPtrSyncGroupRequest()
	req.SetVersion(5)
	req.Group, req.Generation, req.MemberID = g.group, generation, id
	req.ProtocolType, req.Protocol = kmsg.StringPtr("consumer"), kmsg.StringPtr("range")
	for i, m := range members {
		assignment := kmsg.NewConsumerMemberAssignment()
		t := kmsg.NewConsumerMemberAssignmentTopic()
		t.Topic = g.topic
		for p := i; p < g.partitions; p += len(members) {
			t.Partitions = append(t.Partitions, int32(p))
		}
		assignment.Topics = append(assignment.Topics, t)
		a := kmsg.NewSyncGroupRequestGroupAssignment()
		a.MemberID, a.MemberAssignment = m.MemberID, assignment.AppendTo(nil)
		req.GroupAssignment = append(req.GroupAssignment, a)
	}
	r, err := c.call(req)
	check(err)
	switch e := r.(*kmsg.SyncGroupResponse).ErrorCode; e {
	case 0:
		return true
	case errRebalance, errIllegalGeneration, errUnknownMember:
		return false
	default:
		fatal("SyncGroup: error %d", e)
		return false
	}
}

func (g *memberGroup) entered(generation int32) {
	g.lock.Lock()
	defer g.lock.Unlock()
	g.joined[generation]++
	if g.joined[generation] == g.count && g.generation.Load() == 0 {
		g.generation.Store(generation)
		close(g.stable)
	}
}

// stay sends heartbeats until the generation is over, or the measurement. All members together send -rate a second.
func (g *memberGroup) stay(c *conn, id string, generation int32, i int) string {
	req := kmsg.NewPtrHeartbeatRequest()
	req.SetVersion(4)
	req.Group, req.Generation, req.MemberID = g.group, generation, id
	interval := time.Duration(float64(g.count) / g.rate * float64(time.Second))
	next := time.Now().Add(interval * time.Duration(i) / time.Duration(g.count))
	var nanos []int64
	defer func() {
		g.lock.Lock()
		g.nanos = append(g.nanos, nanos...)
		g.lock.Unlock()
	}()
	for !g.window.stopped.Load() {
		time.Sleep(min(time.Until(next), 100*time.Millisecond))
		if time.Now().Before(next) {
			continue
		}
		next = next.Add(interval)
		sent := time.Now()
		r, err := c.call(req)
		check(err)
		if g.window.measuring.Load() {
			nanos = append(nanos, int64(time.Since(sent)))
		}
		switch e := r.(*kmsg.HeartbeatResponse).ErrorCode; e {
		case 0:
		case errRebalance, errIllegalGeneration:
			return id
		case errUnknownMember:
			g.lost.Add(1)
			return ""
		default:
			fatal("Heartbeat: error %d", e)
		}
	}
	return id
}
