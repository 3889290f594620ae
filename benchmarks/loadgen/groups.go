package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	errCoordinatorLoading      = 14
	errCoordinatorNotAvailable = 15
	errNotCoordinator          = 16
	errIllegalGeneration       = 22
	errUnknownMember           = 25
	errRebalance               = 27
	errMemberIDRequired        = 79
	errFencedMemberEpoch       = 110

	sessionMillis   = 45000
	rebalanceMillis = 60000
	stableSeconds   = 120
	topicsAtATime   = 50
	// Members that wait for the others ask so often. Clients would wait 3 or 5 s; then that would be measured.
	settlingPause = 100 * time.Millisecond
)

// member is one member of a group, on a connection of its own.
type member interface {
	// join is called until the member has an assignment.
	join()
	// beat is one heartbeat; it says whether the member has to join again.
	beat() bool
	// holds is the generation or epoch of the member, and how many partitions it has in it.
	holds() (version int32, partitions int)
	leave()
}

// group is the time from the first join until every member is in one generation that covers the topic.
func group(o *options, out figures) {
	w := &window{}
	members := connected(o)
	w.begin(o)
	g := &gathering{members: members, partitions: o.partitions, began: time.Now(), done: make(chan struct{})}
	g.form()
	w.end(o, out)
	out["cpu_s"] = out["broker_cpu_s"]
	out["stable_s"] = g.stable.Seconds()
	out["settled_s"] = (g.stable - g.first).Seconds()
	leaveAll(members)
}

// heartbeats is what a group that nothing happens to costs: -rate heartbeats a second, evenly over its members; for
// -seconds, or while -new-topics are made that are none of its business.
func heartbeats(o *options, out figures) {
	members := connected(o)
	g := &gathering{members: members, partitions: o.partitions, began: time.Now(), done: make(chan struct{})}
	g.form()
	w := &window{}
	pause := time.Duration(float64(o.count) / o.rate * float64(time.Second))
	var lock sync.Mutex
	var nanos []int64
	var workers sync.WaitGroup
	for i, m := range members {
		workers.Add(1)
		go func() {
			defer workers.Done()
			time.Sleep(pause * time.Duration(i) / time.Duration(len(members)))
			next := time.Now()
			for !w.stopped.Load() {
				if m.beat() {
					fatal("member %d was told to join again in a group that nothing happens to", i)
				}
				if w.measuring.Load() {
					lock.Lock()
					nanos = append(nanos, int64(time.Since(next))) // from when it was due: a stall is felt by all it delays
					lock.Unlock()
				}
				next = next.Add(pause)
				time.Sleep(time.Until(next))
			}
		}()
	}
	if o.newTopics > 0 {
		w.begin(o)
		makeTopics(o)
		out["usable_s"] = time.Since(w.began).Seconds()
		w.end(o, out)
	} else {
		w.timed(o, out)
	}
	workers.Wait()
	out["heartbeats_s"] = float64(len(nanos)) / w.seconds
	out["cpu_percent"] = 100 * out["broker_cpu_s"] / w.seconds
	latencies(nanos, "", out)
	leaveAll(members)
}

// makeTopics makes -new-topics of one partition, some at a time.
func makeTopics(o *options) {
	c := open(o.bootstrap)
	for made := 0; made < o.newTopics; {
		req := createTopicRequest("", 1)
		req.Topics = nil
		for ; made < o.newTopics && len(req.Topics) < topicsAtATime; made++ {
			t := createTopicRequest(fmt.Sprintf("made-%d", made), 1).Topics[0]
			req.Topics = append(req.Topics, t)
		}
		r, err := c.call(req)
		check(err)
		for _, t := range r.(*kmsg.CreateTopicsResponse).Topics {
			if t.ErrorCode != 0 {
				fatal("CreateTopics of %s: error %d", t.Topic, t.ErrorCode)
			}
		}
	}
}

// connected is -count members of a new group that subscribe to -topic; none has joined.
func connected(o *options) []member {
	c := open(o.bootstrap)
	createTopic(c, o.topic, o.partitions)
	name := fmt.Sprintf("%s-%d", o.kind, time.Now().UnixNano())
	coordinated(c, name)
	id := topicID(c, o.topic)
	members := make([]member, o.count)
	for i := range members {
		own := open(o.bootstrap)
		switch o.kind {
		case "classic":
			members[i] = &classicMember{conn: own, group: name, topic: o.topic, partitions: o.partitions}
		case "consumer":
			members[i] = &consumerMember{conn: own, group: name, topic: o.topic, topicID: id, id: memberID(own)}
		default:
			fatal("no kind %q of groups", o.kind)
		}
	}
	return members
}

func leaveAll(members []member) {
	var workers sync.WaitGroup
	for _, m := range members {
		workers.Add(1)
		go func() { defer workers.Done(); m.leave() }()
	}
	workers.Wait()
}

// gathering is members on their way to one generation.
type gathering struct {
	members       []member
	partitions    int
	began         time.Time
	lock          sync.Mutex
	versions      map[int]int32
	owned         map[int]int
	first, stable time.Duration // first: when a join was answered, for the first time
	done          chan struct{}
}

// form returns when all members are in one generation and have all partitions.
func (g *gathering) form() {
	g.versions, g.owned = map[int]int32{}, map[int]int{}
	var workers sync.WaitGroup
	for i, m := range g.members {
		if c, ok := m.(*classicMember); ok {
			c.answered = g.answered
		}
		workers.Add(1)
		go func() {
			defer workers.Done()
			again := true
			for {
				if again {
					m.join()
				}
				g.saw(i, m)
				select {
				case <-g.done:
					return
				case <-time.After(settlingPause):
				}
				again = m.beat()
			}
		}()
	}
	select {
	case <-g.done:
	case <-time.After(stableSeconds * time.Second):
		fatal("a group of %d members is not stable after %d s", len(g.members), stableSeconds)
	}
	workers.Wait()
}

func (g *gathering) answered() {
	g.lock.Lock()
	defer g.lock.Unlock()
	if g.first == 0 {
		g.first = time.Since(g.began)
	}
}

func (g *gathering) saw(i int, m member) {
	g.lock.Lock()
	defer g.lock.Unlock()
	g.versions[i], g.owned[i] = m.holds()
	if g.stable != 0 || len(g.versions) < len(g.members) {
		return
	}
	total := 0
	for j, version := range g.versions {
		if version != g.versions[i] {
			return
		}
		total += g.owned[j]
	}
	if total == g.partitions {
		g.stable = time.Since(g.began)
		close(g.done)
	}
}

type classicMember struct {
	*conn
	group, topic, id     string
	partitions, assigned int
	generation           int32
	answered             func()
}

func (m *classicMember) join() {
	for {
		req := kmsg.NewPtrJoinGroupRequest()
		req.SetVersion(9)
		req.Group, req.MemberID, req.ProtocolType = m.group, m.id, "consumer"
		req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = sessionMillis, rebalanceMillis
		p := kmsg.NewJoinGroupRequestProtocol()
		p.Name, p.Metadata = "range", subscription(m.topic)
		req.Protocols = append(req.Protocols, p)
		r, err := m.call(req)
		check(err)
		joined := r.(*kmsg.JoinGroupResponse)
		switch joined.ErrorCode {
		case 0:
			m.id, m.generation = joined.MemberID, joined.Generation
			m.answered()
			if m.sync(joined) {
				return
			}
		case errMemberIDRequired:
			m.id = joined.MemberID
		case errUnknownMember:
			m.id = ""
		case errRebalance:
		case errCoordinatorLoading, errCoordinatorNotAvailable, errNotCoordinator:
			time.Sleep(settlingPause)
		default:
			fatal("JoinGroup: error %d", joined.ErrorCode)
		}
	}
}

// sync says whether the member got its assignment before the next rebalance began.
func (m *classicMember) sync(joined *kmsg.JoinGroupResponse) bool {
	req := kmsg.NewPtrSyncGroupRequest()
	req.SetVersion(5)
	req.Group, req.MemberID, req.Generation = m.group, m.id, m.generation
	req.ProtocolType, req.Protocol = joined.ProtocolType, joined.Protocol
	for i, each := range joined.Members { // of the leader alone
		a := kmsg.NewSyncGroupRequestGroupAssignment()
		a.MemberID = each.MemberID
		a.MemberAssignment = assignment(m.topic, m.partitions*i/len(joined.Members), m.partitions*(i+1)/len(joined.Members))
		req.GroupAssignment = append(req.GroupAssignment, a)
	}
	r, err := m.call(req)
	check(err)
	synced := r.(*kmsg.SyncGroupResponse)
	switch synced.ErrorCode {
	case 0:
		m.assigned = assignedCount(m.topic, synced.MemberAssignment)
		return true
	case errRebalance, errIllegalGeneration, errUnknownMember:
		return false
	}
	fatal("SyncGroup: error %d", synced.ErrorCode)
	return false
}

func (m *classicMember) beat() bool {
	req := kmsg.NewPtrHeartbeatRequest()
	req.SetVersion(4)
	req.Group, req.MemberID, req.Generation = m.group, m.id, m.generation
	r, err := m.call(req)
	check(err)
	switch code := r.(*kmsg.HeartbeatResponse).ErrorCode; code {
	case 0:
		return false
	case errRebalance, errIllegalGeneration, errUnknownMember:
		return true
	default:
		fatal("Heartbeat: error %d", code)
	}
	return false
}

func (m *classicMember) holds() (int32, int) { return m.generation, m.assigned }

func (m *classicMember) leave() {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.SetVersion(4)
	req.Group = m.group
	each := kmsg.NewLeaveGroupRequestMember()
	each.MemberID = m.id
	req.Members = append(req.Members, each)
	_, err := m.call(req)
	check(err)
	m.Close()
}

type consumerMember struct {
	*conn
	group, topic, id string
	topicID          [16]byte
	epoch            int32
	owned            []int32
	acknowledge      bool
}

// memberID is made by the client from version 1 on.
func memberID(c *conn) string {
	if c.versions[int16(kmsg.ConsumerGroupHeartbeat)] < 1 {
		return ""
	}
	id := make([]byte, 16)
	_, err := rand.Read(id)
	check(err)
	return base64.RawURLEncoding.EncodeToString(id)
}

func (m *consumerMember) join() {
	for again := true; again; again = m.beat() {
		m.epoch, m.owned, m.acknowledge = 0, nil, true
	}
}

func (m *consumerMember) beat() bool {
	again := m.ask()
	for !again && m.acknowledge { // as clients do: what is taken over is said at once
		again = m.ask()
	}
	return again
}

func (m *consumerMember) ask() bool {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.SetVersion(1)
	req.Group, req.MemberID, req.MemberEpoch = m.group, m.id, m.epoch
	req.RebalanceTimeoutMillis = -1
	if m.epoch == 0 {
		req.RebalanceTimeoutMillis, req.SubscribedTopicNames = rebalanceMillis, []string{m.topic}
	}
	if m.acknowledge {
		req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		if len(m.owned) > 0 {
			t := kmsg.NewConsumerGroupHeartbeatRequestTopic()
			t.TopicID, t.Partitions = m.topicID, m.owned
			req.Topics = append(req.Topics, t)
		}
	}
	m.acknowledge = false
	r, err := m.call(req)
	check(err)
	resp := r.(*kmsg.ConsumerGroupHeartbeatResponse)
	switch resp.ErrorCode {
	case 0:
	case errFencedMemberEpoch, errUnknownMember:
		return true
	case errCoordinatorLoading, errCoordinatorNotAvailable, errNotCoordinator:
		time.Sleep(settlingPause)
		return m.epoch == 0
	default:
		fatal("ConsumerGroupHeartbeat: error %d", resp.ErrorCode)
	}
	if resp.MemberID != nil {
		m.id = *resp.MemberID
	}
	m.epoch = resp.MemberEpoch
	if resp.Assignment != nil {
		m.owned, m.acknowledge = nil, true
		for _, t := range resp.Assignment.Topics {
			m.owned = append(m.owned, t.Partitions...)
		}
	}
	return false
}

func (m *consumerMember) holds() (int32, int) { return m.epoch, len(m.owned) }

func (m *consumerMember) leave() {
	m.epoch, m.acknowledge = -1, false
	m.ask()
	m.Close()
}

func topicID(c *conn, topic string) [16]byte {
	req := metadataRequest(topic)
	req.SetVersion(12)
	r, err := c.call(req)
	check(err)
	return r.(*kmsg.MetadataResponse).Topics[0].TopicID
}

// subscription and assignment are version 0 of the embedded protocol of classic consumers.
func subscription(topic string) []byte {
	b := binary.BigEndian.AppendUint32([]byte{0, 0}, 1)
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(topic))), topic...)
	return binary.BigEndian.AppendUint32(b, ^uint32(0)) // no user data
}

func assignment(topic string, from, to int) []byte {
	b := binary.BigEndian.AppendUint32([]byte{0, 0}, 1)
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(topic))), topic...)
	b = binary.BigEndian.AppendUint32(b, uint32(to-from))
	for p := from; p < to; p++ {
		b = binary.BigEndian.AppendUint32(b, uint32(p))
	}
	return binary.BigEndian.AppendUint32(b, ^uint32(0))
}

func assignedCount(topic string, b []byte) int {
	at := 2 + 4 + 2 + len(topic)
	if len(b) < at+4 {
		return 0
	}
	return int(binary.BigEndian.Uint32(b[at:]))
}
