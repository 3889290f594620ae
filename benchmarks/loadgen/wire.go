package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	frameBytesMax     = 512 << 20
	errTopicExists    = 36
	createWaitSeconds = 180
	partitionsAtATime = 5000 // Kafka writes 10,000 records for a request, and no more
	dialTimeout       = 10 * time.Second
	callTimeout       = 150 * time.Second // CreateTopics of thousands of partitions takes its time
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var formatter = kmsg.NewRequestFormatter(kmsg.FormatterClientID("ottla-benchmarks"))

// conn is one connection with a strictly serial exchange of requests and answers.
type conn struct {
	net.Conn
	reader      *bufio.Reader
	buffer      []byte
	correlation int32
	versions    map[int16]int16 // highest version the broker offers, by API key
}

func dial(address string) (*conn, error) {
	c, err := net.DialTimeout("tcp", address, dialTimeout)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, reader: bufio.NewReaderSize(c, 128<<10)}, nil
}

func mustDial(address string) *conn {
	c, err := dial(address)
	check(err)
	return c
}

// open is a connection that has asked for ApiVersions.
func open(address string) *conn {
	c := mustDial(address)
	check(c.negotiate())
	return c
}

func encode(req kmsg.Request, correlation int32) []byte {
	return formatter.AppendRequest(nil, req, correlation)
}

// frame reads one answer without its length; the slice is valid until the next call.
func (c *conn) frame() ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(c.reader, length[:]); err != nil {
		return nil, err
	}
	n := int(int32(binary.BigEndian.Uint32(length[:])))
	if n < 4 || n > frameBytesMax {
		return nil, fmt.Errorf("an answer of %d bytes", n)
	}
	if cap(c.buffer) < n {
		c.buffer = make([]byte, n)
	}
	c.buffer = c.buffer[:n]
	_, err := io.ReadFull(c.reader, c.buffer)
	return c.buffer, err
}

// call sends req, at the version both sides have, and decodes the answer.
func (c *conn) call(req kmsg.Request) (kmsg.Response, error) { return c.callWithin(callTimeout, req) }

func (c *conn) callWithin(limit time.Duration, req kmsg.Request) (kmsg.Response, error) {
	c.fit(req)
	c.correlation++
	check(c.SetDeadline(time.Now().Add(limit)))
	defer func() { _ = c.SetDeadline(time.Time{}) }()
	if _, err := c.Write(encode(req, c.correlation)); err != nil {
		return nil, err
	}
	answer, err := c.frame()
	if err != nil {
		return nil, err
	}
	if got := int32(binary.BigEndian.Uint32(answer)); got != c.correlation {
		return nil, fmt.Errorf("answer %d to request %d", got, c.correlation)
	}
	body := answer[4:]
	if req.IsFlexible() && req.Key() != int16(kmsg.ApiVersions) {
		body = body[1:] // the empty tag section of the header
	}
	resp := req.ResponseKind()
	resp.SetVersion(req.GetVersion())
	return resp, resp.ReadFrom(body)
}

func (c *conn) fit(req kmsg.Request) {
	if highest, ok := c.versions[req.Key()]; ok && req.GetVersion() > highest {
		req.SetVersion(highest)
	}
}

func (c *conn) negotiate() error {
	req := kmsg.NewPtrApiVersionsRequest()
	req.SetVersion(0)
	r, err := c.callWithin(dialTimeout, req)
	if err != nil {
		return err
	}
	resp := r.(*kmsg.ApiVersionsResponse)
	if resp.ErrorCode != 0 {
		return fmt.Errorf("ApiVersions: error %d", resp.ErrorCode)
	}
	c.versions = map[int16]int16{}
	for _, k := range resp.ApiKeys {
		c.versions[k.ApiKey] = k.MaxVersion
	}
	return nil
}

// batch is an uncompressed magic-2 batch of n equal records with values of size bytes.
func batch(n, size int) []byte {
	value := make([]byte, size)
	seed := uint32(2463534242) // xorshift: bytes that do not compress
	for i := range value {
		seed ^= seed << 13
		seed ^= seed >> 17
		seed ^= seed << 5
		value[i] = byte(seed)
	}
	var records []byte
	for i := range n {
		var r []byte
		r = append(r, 0)              // attributes
		r = binary.AppendVarint(r, 0) // timestamp delta
		r = binary.AppendVarint(r, int64(i))
		r = binary.AppendVarint(r, -1) // null key
		r = binary.AppendVarint(r, int64(size))
		r = append(r, value...)
		r = binary.AppendVarint(r, 0) // headers
		records = binary.AppendVarint(records, int64(len(r)))
		records = append(records, r...)
	}
	now := uint64(time.Now().UnixMilli())
	var t []byte // from the attributes on: what the CRC covers
	t = binary.BigEndian.AppendUint16(t, 0)
	t = binary.BigEndian.AppendUint32(t, uint32(n-1))
	t = binary.BigEndian.AppendUint64(t, now)
	t = binary.BigEndian.AppendUint64(t, now)
	t = binary.BigEndian.AppendUint64(t, ^uint64(0)) // producer id, epoch and sequence: none
	t = binary.BigEndian.AppendUint16(t, ^uint16(0))
	t = binary.BigEndian.AppendUint32(t, ^uint32(0))
	t = binary.BigEndian.AppendUint32(t, uint32(n))
	t = append(t, records...)
	var b []byte
	b = binary.BigEndian.AppendUint64(b, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(4+1+4+len(t)))
	b = binary.BigEndian.AppendUint32(b, ^uint32(0)) // partition leader epoch
	b = append(b, 2)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(t, castagnoli))
	return append(b, t...)
}

// lastOffset is that of the last whole batch in records, or -1.
func lastOffset(records []byte) int64 {
	last := int64(-1)
	for len(records) >= 61 {
		n := 12 + int(binary.BigEndian.Uint32(records[8:]))
		if n > len(records) {
			break
		}
		last = int64(binary.BigEndian.Uint64(records)) + int64(binary.BigEndian.Uint32(records[23:]))
		records = records[n:]
	}
	return last
}

func produceRequest(topic string, partition int32, acks int16, records []byte) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.SetVersion(9)
	req.Acks, req.TimeoutMillis = acks, 30000
	t := kmsg.NewProduceRequestTopic()
	t.Topic = topic
	p := kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = partition, records
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

func fetchRequest(topic string, partition int32, offset int64, bytesMax, waitMillis int32) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.SetVersion(12)
	req.ReplicaID, req.MaxWaitMillis, req.MinBytes, req.MaxBytes = -1, waitMillis, 1, bytesMax
	req.SessionID, req.SessionEpoch = 0, -1
	t := kmsg.NewFetchRequestTopic()
	t.Topic = topic
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = partition, offset, bytesMax
	p.CurrentLeaderEpoch, p.LastFetchedEpoch, p.LogStartOffset = -1, -1, -1
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

func metadataRequest(topic string) *kmsg.MetadataRequest {
	req := kmsg.NewPtrMetadataRequest()
	req.SetVersion(9)
	req.AllowAutoTopicCreation = false
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = kmsg.StringPtr(topic)
	req.Topics = append(req.Topics, t)
	return req
}

func apiVersionsRequest() *kmsg.ApiVersionsRequest {
	req := kmsg.NewPtrApiVersionsRequest()
	req.SetVersion(3)
	req.ClientSoftwareName, req.ClientSoftwareVersion = "ottla-benchmarks", "1"
	return req
}

func createTopicRequest(topic string, partitions int) *kmsg.CreateTopicsRequest {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.SetVersion(5)
	req.TimeoutMillis = 120000
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, int32(partitions), 1
	req.Topics = append(req.Topics, t)
	return req
}

// errorIn is the error code of an answer about one topic and partition.
func errorIn(r kmsg.Response) int16 {
	switch r := r.(type) {
	case *kmsg.ProduceResponse:
		return r.Topics[0].Partitions[0].ErrorCode
	case *kmsg.FetchResponse:
		if r.ErrorCode != 0 {
			return r.ErrorCode
		}
		return r.Topics[0].Partitions[0].ErrorCode
	case *kmsg.MetadataResponse:
		return r.Topics[0].ErrorCode
	case *kmsg.CreateTopicsResponse:
		return r.Topics[0].ErrorCode
	case *kmsg.DeleteTopicsResponse:
		return r.Topics[0].ErrorCode
	case *kmsg.ApiVersionsResponse:
		return r.ErrorCode
	case *kmsg.FindCoordinatorResponse:
		return r.Coordinators[0].ErrorCode
	case *kmsg.OffsetCommitResponse:
		return r.Topics[0].Partitions[0].ErrorCode
	case *kmsg.OffsetFetchResponse:
		return r.Groups[0].ErrorCode
	case *kmsg.InitProducerIDResponse:
		return r.ErrorCode
	case *kmsg.AddPartitionsToTxnResponse:
		return r.Topics[0].Partitions[0].ErrorCode
	case *kmsg.EndTxnResponse:
		return r.ErrorCode
	}
	return 0
}

// createTopic creates the topic if it is missing and waits until every partition has a leader.
func createTopic(c *conn, topic string, partitions int) (created time.Duration) {
	start := time.Now()
	r, err := c.call(createTopicRequest(topic, min(partitions, partitionsAtATime)))
	check(err)
	if e := errorIn(r); e != 0 && e != errTopicExists {
		fatal("CreateTopics of %s: error %d", topic, e)
	} else if e == 0 && partitions > partitionsAtATime {
		addPartitions(c, topic, partitions)
	}
	created = time.Since(start)
	for leaders(c, topic) < partitions {
		if time.Since(start) > createWaitSeconds*time.Second {
			fatal("topic %s has no leaders after %d s", topic, createWaitSeconds)
		}
		time.Sleep(2 * time.Millisecond)
	}
	return created
}

func addPartitions(c *conn, topic string, partitions int) {
	req := kmsg.NewPtrCreatePartitionsRequest()
	req.SetVersion(2)
	req.TimeoutMillis = 120000
	t := kmsg.NewCreatePartitionsRequestTopic()
	t.Topic, t.Count = topic, int32(partitions)
	req.Topics = append(req.Topics, t)
	r, err := c.call(req)
	check(err)
	if e := r.(*kmsg.CreatePartitionsResponse).Topics[0].ErrorCode; e != 0 {
		fatal("CreatePartitions of %s: error %d", topic, e)
	}
}

func leaders(c *conn, topic string) int {
	r, err := c.call(metadataRequest(topic))
	check(err)
	n := 0
	for _, t := range r.(*kmsg.MetadataResponse).Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode == 0 && p.Leader >= 0 {
				n++
			}
		}
	}
	return n
}
