// Command franzgo does one operation with franz-go and says as JSON what came of it. The input of produce and
// the output of consume are JSON records, a line each, keys and values in base64.
//
// An error code of the broker is an answer, {"code": 36, "message": …}, with exit status 0.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const limit = 30 * time.Second

var (
	bootstrap  = flag.String("bootstrap", "127.0.0.1:9092", "host:port")
	topic      = flag.String("topic", "", "topic")
	partitions = flag.String("partitions", "0", "partitions to consume, by comma; produce: one, or -1 for by key")
	total      = flag.Int("total", 1, "create, add-partitions: partitions the topic shall have")
	configs    = flag.String("configs", "{}", "create: settings, a JSON object")
	codec      = flag.String("codec", "", "produce: none, gzip, snappy, lz4, zstd")
	acks       = flag.String("acks", "", "produce: 0, 1, all")
	idempotent = flag.String("idempotent", "", "produce: true, false")
	offset     = flag.Int64("offset", -2, "consume: offset; -2 the beginning, -1 the end")
	timestamp  = flag.Int64("timestamp", -1, "consume, offset-at: Unix time in ms")
	count      = flag.Int("count", 1, "consume: records")
)

type header struct {
	Key   string `json:"key"`
	Value []byte `json:"value"`
}

type record struct {
	Partition int32    `json:"partition"`
	Offset    int64    `json:"offset"`
	Timestamp *int64   `json:"timestamp_ms"`
	Key       []byte   `json:"key"`
	Value     []byte   `json:"value"`
	Headers   []header `json:"headers"`
}

var operations = map[string]func(context.Context) (any, error){
	"create": create, "delete": remove, "add-partitions": addPartitions, "topics": topics, "topic-config": topicConfig,
	"cluster": cluster, "produce": produce, "consume": consume, "offsets": offsets, "offset-at": offsetAt, "member": runMember,
	"transactor": runTransactor,
}

func main() {
	if len(os.Args) < 2 || operations[os.Args[1]] == nil {
		fatal("usage: franzgo OPERATION [flags]")
	}
	check(flag.CommandLine.Parse(os.Args[2:]))
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	answer, err := operations[os.Args[1]](ctx)
	var refused *kerr.Error
	if errors.As(err, &refused) {
		answer, err = map[string]any{"code": refused.Code, "message": err.Error()}, nil
	}
	check(err)
	check(json.NewEncoder(os.Stdout).Encode(answer))
}

func client(options ...kgo.Opt) *kgo.Client {
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(*bootstrap)}, options...)...)
	check(err)
	return c
}

func admin() *kadm.Client { return kadm.NewClient(client()) }

func create(ctx context.Context) (any, error) {
	var given map[string]*string
	check(json.Unmarshal([]byte(*configs), &given))
	_, err := admin().CreateTopic(ctx, int32(*total), 1, given, *topic)
	return nil, err
}

func remove(ctx context.Context) (any, error) {
	_, err := admin().DeleteTopic(ctx, *topic)
	return nil, err
}

func addPartitions(ctx context.Context) (any, error) {
	answers, err := admin().UpdatePartitions(ctx, *total, *topic)
	if err == nil {
		err = answers.Error()
	}
	return nil, err
}

// topics is the number of partitions of each.
func topics(ctx context.Context) (any, error) {
	found, err := admin().ListTopics(ctx)
	out := map[string]int{}
	for name, details := range found {
		out[name] = len(details.Partitions)
	}
	return out, err
}

func topicConfig(ctx context.Context) (any, error) {
	found, err := admin().DescribeTopicConfigs(ctx, *topic)
	if err != nil {
		return nil, err
	}
	out := map[string]*string{}
	for _, entry := range found[0].Configs {
		out[entry.Key] = entry.Value
	}
	return out, found[0].Err
}

func cluster(ctx context.Context) (any, error) {
	found, err := admin().BrokerMetadata(ctx)
	brokers := []string{}
	for _, b := range found.Brokers {
		brokers = append(brokers, fmt.Sprintf("%s:%d", b.Host, b.Port))
	}
	return map[string]any{"cluster_id": found.Cluster, "brokers": brokers}, err
}

func produceOptions() []kgo.Opt {
	options := []kgo.Opt{kgo.AllowAutoTopicCreation()}
	if *codec != "" {
		c, ok := map[string]kgo.CompressionCodec{
			"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
			"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
		}[*codec]
		if !ok {
			fatal("no codec %q", *codec)
		}
		options = append(options, kgo.ProducerBatchCompression(c))
	}
	if *acks != "" {
		options = append(options, kgo.RequiredAcks(map[string]kgo.Acks{"0": kgo.NoAck(), "1": kgo.LeaderAck(), "all": kgo.AllISRAcks()}[*acks]))
	}
	if *idempotent == "false" {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	if *partitions != "-1" {
		options = append(options, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	}
	return options
}

func produce(ctx context.Context) (any, error) {
	c := client(produceOptions()...)
	defer c.Close()
	partition, err := strconv.Atoi(*partitions)
	check(err)
	var sent []*kgo.Record
	input := json.NewDecoder(bufio.NewReader(os.Stdin))
	for input.More() {
		var r record
		check(input.Decode(&r))
		k := &kgo.Record{Topic: *topic, Partition: int32(partition), Key: r.Key, Value: r.Value}
		if r.Timestamp != nil {
			k.Timestamp = time.UnixMilli(*r.Timestamp)
		}
		for _, h := range r.Headers {
			k.Headers = append(k.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		sent = append(sent, k)
	}
	err = c.ProduceSync(ctx, sent...).FirstErr()
	out := []int64{}
	for _, k := range sent {
		out = append(out, k.Offset)
	}
	return out, err
}

// consume prints "positioned" once it knows where it starts.
func consume(ctx context.Context) (any, error) {
	start := map[int32]kgo.Offset{}
	for _, name := range strings.Split(*partitions, ",") {
		p, err := strconv.Atoi(name)
		check(err)
		at := kgo.NewOffset().At(*offset)
		switch {
		case *timestamp >= 0:
			at = kgo.NewOffset().AfterMilli(*timestamp)
		case *offset == -1:
			_, end, err := edges(ctx, int32(p))
			if err != nil {
				return nil, err
			}
			at = kgo.NewOffset().At(end)
		}
		start[int32(p)] = at
	}
	fmt.Println("positioned")
	c := client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{*topic: start}), kgo.ConsumeResetOffset(kgo.NoResetOffset()))
	defer c.Close()
	out := []record{}
	for len(out) < *count {
		fetches := c.PollRecords(ctx, *count-len(out))
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		fetches.EachRecord(func(k *kgo.Record) {
			at := k.Timestamp.UnixMilli()
			r := record{Partition: k.Partition, Offset: k.Offset, Timestamp: &at, Key: k.Key, Value: k.Value}
			for _, h := range k.Headers {
				r.Headers = append(r.Headers, header{h.Key, h.Value})
			}
			out = append(out, r)
		})
	}
	return out, nil
}

func edges(ctx context.Context, partition int32) (first, end int64, err error) {
	a := admin()
	starts, err := a.ListStartOffsets(ctx, *topic)
	if err != nil {
		return 0, 0, err
	}
	ends, err := a.ListEndOffsets(ctx, *topic)
	if err != nil {
		return 0, 0, err
	}
	s, _ := starts.Lookup(*topic, partition)
	e, _ := ends.Lookup(*topic, partition)
	return s.Offset, e.Offset, errors.Join(s.Err, e.Err)
}

func offsets(ctx context.Context) (any, error) {
	first, end, err := edges(ctx, 0)
	return []int64{first, end}, err
}

// offsetAt is null where no record is that late: kadm then answers with the end offset and no timestamp.
func offsetAt(ctx context.Context) (any, error) {
	found, err := admin().ListOffsetsAfterMilli(ctx, *timestamp, *topic)
	if err != nil {
		return nil, err
	}
	at, _ := found.Lookup(*topic, 0)
	if at.Timestamp < 0 {
		return nil, at.Err
	}
	return at.Offset, at.Err
}

func check(err error) {
	if err != nil {
		fatal("%v", err)
	}
}

func fatal(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "franzgo: "+format+"\n", args...)
	os.Exit(1)
}
