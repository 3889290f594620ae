package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	errNotEnoughReplicas      = 19
	errConcurrentTransactions = 51

	transactionMillis  = 900000 // as long as a broker allows by default: none is over by itself
	transactionalFlag  = 0x10
	batchHeadBytes     = 61
	attributesAt       = 21
	producerAt         = 43
	crcAt              = 17
	retryPause         = time.Millisecond // clients wait 20 ms and more; then that would be measured
	retriesMax         = 30000
	coordinatorForTxns = 1
)

// producer is an idempotent producer on a connection of its own, transactional when it has a transactional id. It
// speaks the protocol of clients before KIP-890, in which every step is a request.
type producer struct {
	*conn
	transactionalID *string
	topic           string
	id              int64
	epoch           int16
	records         []byte
	partitions      map[int32]*stamped
	retries         int
}

// stamped is a Produce request of one partition, encoded once; producer, epoch, sequence and CRC are put in place.
type stamped struct {
	wire     []byte
	batch    []byte // a part of wire
	sequence int32
}

// newProducer has a producer id. A name "" is for one without transactions.
func newProducer(o *options, name string, records []byte) *producer {
	p := &producer{conn: open(o.bootstrap), topic: o.topic, records: records, partitions: map[int32]*stamped{}}
	req := kmsg.NewPtrInitProducerIDRequest()
	req.SetVersion(4)
	req.ProducerID, req.ProducerEpoch, req.TransactionTimeoutMillis = -1, -1, transactionMillis
	if name != "" {
		p.transactionalID = kmsg.StringPtr(name)
		find := kmsg.NewPtrFindCoordinatorRequest()
		find.SetVersion(4)
		find.CoordinatorType, find.CoordinatorKeys = coordinatorForTxns, []string{name}
		p.ask(find)
	}
	req.TransactionalID = p.transactionalID
	r := p.ask(req).(*kmsg.InitProducerIDResponse)
	p.id, p.epoch = r.ProducerID, r.ProducerEpoch
	p.retries = 0
	return p
}

// ask sends a request until it is answered without a reason to send it again, and counts how often.
func (p *producer) ask(req kmsg.Request) kmsg.Response {
	for try := 0; ; try++ {
		r, err := p.call(req)
		check(err)
		e := errorIn(r)
		if e == 0 {
			return r
		}
		switch e {
		case errCoordinatorLoading, errCoordinatorNotAvailable, errNotCoordinator, errConcurrentTransactions, errNotEnoughReplicas:
		default:
			fatal("%s: error %d", kmsg.NameForKey(req.Key()), e)
		}
		if try == retriesMax {
			fatal("%s: error %d after %d tries", kmsg.NameForKey(req.Key()), e, try)
		}
		p.retries++
		time.Sleep(retryPause)
	}
}

// begin makes partitions 0 to count-1, or the given one, part of the transaction.
func (p *producer) begin(partitions ...int32) {
	if p.transactionalID == nil {
		return
	}
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	req.SetVersion(3)
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = *p.transactionalID, p.id, p.epoch
	t := kmsg.NewAddPartitionsToTxnRequestTopic()
	t.Topic, t.Partitions = p.topic, partitions
	req.Topics = append(req.Topics, t)
	p.ask(req)
}

func (p *producer) end(commit bool) {
	if p.transactionalID == nil {
		return
	}
	req := kmsg.NewPtrEndTxnRequest()
	req.SetVersion(3)
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = *p.transactionalID, p.id, p.epoch, commit
	p.ask(req)
}

// post writes the next batch for a partition, and does not wait for its answer.
func (p *producer) post(partition int32) {
	s := p.partitions[partition]
	if s == nil {
		s = p.stamp(partition)
		p.partitions[partition] = s
	}
	binary.BigEndian.PutUint32(s.batch[producerAt+10:], uint32(s.sequence))
	binary.BigEndian.PutUint32(s.batch[crcAt:], crc32.Checksum(s.batch[attributesAt:], castagnoli))
	s.sequence += int32(binary.BigEndian.Uint32(s.batch[batchHeadBytes-4:]))
	p.correlation++
	binary.BigEndian.PutUint32(s.wire[8:], uint32(p.correlation))
	_, err := p.Write(s.wire)
	check(err)
}

func (p *producer) stamp(partition int32) *stamped {
	req := produceRequest(p.topic, partition, -1, p.records)
	req.TransactionID = p.transactionalID
	p.fit(req)
	wire := encode(req, 0)
	at := bytes.Index(wire, p.records)
	b := wire[at : at+len(p.records)]
	binary.BigEndian.PutUint64(b[producerAt:], uint64(p.id))
	binary.BigEndian.PutUint16(b[producerAt+8:], uint16(p.epoch))
	if p.transactionalID != nil {
		b[attributesAt+1] |= transactionalFlag
	}
	return &stamped{wire: wire, batch: b}
}

// posted reads the answer to the oldest batch that has none yet.
func (p *producer) posted() {
	answer, err := p.frame()
	check(err)
	r := kmsg.NewPtrProduceResponse()
	r.SetVersion(9)
	check(r.ReadFrom(answer[5:]))
	if e := errorIn(r); e != 0 {
		fatal("Produce in a transaction: error %d", e)
	}
}

// send is post, and waits.
func (p *producer) send(partition int32) {
	p.post(partition)
	p.posted()
}

func transactionalName(i int) string { return fmt.Sprintf("transactional-%d", i) }

func partitionsOf(count int) []int32 {
	all := make([]int32, count)
	for i := range all {
		all[i] = int32(i)
	}
	return all
}
