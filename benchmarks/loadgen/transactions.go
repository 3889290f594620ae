package main

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const clientTimeout = 30 * time.Second

// transactions lets each of -count producers commit one transaction of one record after the other.
func transactions(o *options, out figures) {
	createTopic(open(o.bootstrap), o.topic, o.partitions)
	records := batch(1, o.recordBytes)
	var w window
	var lock sync.Mutex
	var nanos []int64
	var retries int
	var workers sync.WaitGroup
	for i := range o.count {
		commit := func() int { return 0 }
		switch partition := int32(i % o.partitions); o.kind {
		case "raw":
			p := newProducer(o, transactionalName(i), records)
			commit = func() int {
				before := p.retries
				p.begin(partition)
				p.send(partition)
				p.end(true)
				return p.retries - before
			}
		case "client":
			commit = clientTransaction(o, transactionalName(i), partition)
		default:
			fatal("no kind %q of transactions", o.kind)
		}
		commit() // the first of a broker waits for the log of transactions, which is made for it
		workers.Add(1)
		go func() {
			defer workers.Done()
			for !w.stopped.Load() {
				began := time.Now()
				again := commit()
				if w.measuring.Load() {
					lock.Lock()
					nanos = append(nanos, int64(time.Since(began)))
					retries += again
					lock.Unlock()
				}
			}
		}()
	}
	w.timed(o, out)
	workers.Wait()
	n := float64(len(nanos))
	if n == 0 {
		fatal("no transaction in the measured window")
	}
	out["transactions_s"] = n / w.seconds
	out["retries_per_transaction"] = float64(retries) / n
	out["cpu_us_per_transaction"] = out["broker_cpu_s"] * 1e6 / n
	latencies(nanos, "", out)
}

// clientTransaction is one transaction of one record through franz-go, with its defaults.
func clientTransaction(o *options, name string, partition int32) func() int {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(o.bootstrap), kgo.TransactionalID(name), kgo.RecordPartitioner(kgo.ManualPartitioner()),
	)
	check(err)
	value := make([]byte, o.recordBytes)
	return func() int {
		ctx, cancel := context.WithTimeout(context.Background(), clientTimeout)
		defer cancel()
		check(client.BeginTransaction())
		check(client.ProduceSync(ctx, &kgo.Record{Topic: o.topic, Partition: partition, Value: value}).FirstErr())
		check(client.EndTransaction(ctx, kgo.TryCommit))
		return 0
	}
}

// stream produces on each connection as fast as it is answered, in transactions of -transaction-seconds, or without.
func stream(o *options, out figures) {
	createTopic(open(o.bootstrap), o.topic, o.partitions)
	records := batch(o.records, o.recordBytes)
	var w window
	var lock sync.Mutex
	var batches, ended int
	var workers sync.WaitGroup
	for i := range o.connections {
		name := ""
		if o.transactionSeconds > 0 {
			name = transactionalName(i)
		}
		p := newProducer(o, name, records)
		workers.Add(1)
		go func() {
			defer workers.Done()
			measured, transactions, next := 0, 0, i
			for !w.stopped.Load() {
				p.begin(partitionsOf(o.partitions)...)
				until := time.Now().Add(time.Duration(o.transactionSeconds * float64(time.Second)))
				open := func() bool {
					return !w.stopped.Load() && (name == "" || time.Now().Before(until))
				}
				for outstanding := 0; outstanding > 0 || open(); {
					for outstanding < o.inFlight && open() {
						p.post(int32(next % o.partitions))
						next, outstanding = next+1, outstanding+1
					}
					if outstanding > 0 {
						p.posted()
						outstanding--
						if w.measuring.Load() {
							measured++
						}
					}
				}
				p.end(true)
				if w.measuring.Load() {
					transactions++
				}
			}
			lock.Lock()
			batches, ended = batches+measured, ended+transactions
			lock.Unlock()
		}()
	}
	w.timed(o, out)
	workers.Wait()
	bytes := float64(batches) * float64(o.records*o.recordBytes)
	out["mb_s"] = bytes / w.seconds / 1e6
	out["cpu_s_per_gb"] = out["broker_cpu_s"] / (bytes / 1e9)
	out["transactions_s"] = float64(ended) / w.seconds
}

// fill writes -count transactions of a batch in each partition of -topic. One of ten is aborted; its records are a byte
// shorter.
func fill(o *options, _ figures) {
	createTopic(open(o.bootstrap), o.topic, o.partitions)
	kept := newProducer(o, o.topic+"-kept", batch(o.records, o.recordBytes))
	aborted := newProducer(o, o.topic+"-aborted", batch(o.records, o.recordBytes-1))
	all := partitionsOf(o.partitions)
	for i := range o.count {
		p := kept
		if i%10 == 4 {
			p = aborted
		}
		p.begin(all...)
		for _, partition := range all {
			p.post(partition)
		}
		for range all {
			p.posted()
		}
		p.end(p == kept)
	}
}

// consume reads the -count committed records of -topic through franz-go.
func consume(o *options, out figures) {
	offsets := map[int32]kgo.Offset{}
	for _, partition := range partitionsOf(o.partitions) {
		offsets[partition] = kgo.NewOffset().AtStart()
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(o.bootstrap), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{o.topic: offsets}),
	)
	check(err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	var w window
	w.begin(o)
	got := 0
	for got < o.count {
		fetches := client.PollFetches(ctx)
		check(fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			if len(r.Value) != o.recordBytes {
				fatal("%s-%d@%d is of an aborted transaction", r.Topic, r.Partition, r.Offset)
			}
			got++
		})
	}
	w.end(o, out)
	if got != o.count {
		fatal("%d records, and %d were committed", got, o.count)
	}
	bytes := float64(got * o.recordBytes)
	out["mb_s"] = bytes / w.seconds / 1e6
	out["cpu_s_per_gb"] = out["broker_cpu_s"] / (bytes / 1e9)
}

// openTransactions begins a transaction of one record for each of -count transactional ids, and leaves them open.
func openTransactions(o *options, out figures) {
	createTopic(open(o.bootstrap), o.topic, o.partitions)
	records := batch(1, o.recordBytes)
	var workers sync.WaitGroup
	start := time.Now()
	for w := range o.connections {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for i := w; i < o.count; i += o.connections {
				partition := int32(i % o.partitions)
				p := newProducer(o, transactionalName(i), records)
				p.begin(partition)
				p.send(partition)
				p.Close()
			}
		}()
	}
	workers.Wait()
	out["seconds"] = time.Since(start).Seconds()
}

// described is the time from -since until the coordinator of every partition of the transactions' log says what is open,
// and how soon others were answered meanwhile. Then each of -count ids must have its transaction.
func described(o *options, out figures) {
	start := time.Now()
	if o.sinceNanos > 0 {
		start = time.Unix(0, o.sinceNanos)
	}
	deadline := start.Add(time.Duration(o.seconds * float64(time.Second)))
	c := answering(o, deadline)
	out["api_versions_ms"] = float64(time.Since(start).Microseconds()) / 1000
	stop, nanos := make(chan struct{}), make(chan []int64)
	go func() { nanos <- others(o, stop) }()
	for _, name := range oneOfEach(o.count, transactionalName) {
		for !isOpen(c, name) {
			if time.Now().After(deadline) {
				fatal("%s is not loaded after %.0f s", name, o.seconds)
			}
			time.Sleep(2 * time.Millisecond)
		}
	}
	out["loaded_ms"] = float64(time.Since(start).Microseconds()) / 1000
	close(stop)
	latencies(<-nanos, "metadata_", out)
	const atATime = 500
	for first := 0; first < o.count; first += atATime {
		var names []string
		for i := first; i < min(first+atATime, o.count); i++ {
			names = append(names, transactionalName(i))
		}
		if !isOpen(c, names...) {
			fatal("a coordinator went away")
		}
	}
}

// isOpen says whether all these have an open transaction; false while a coordinator is not there yet.
func isOpen(c *conn, names ...string) bool {
	req := kmsg.NewPtrDescribeTransactionsRequest()
	req.TransactionalIDs = names
	r, err := c.call(req)
	check(err)
	for _, t := range r.(*kmsg.DescribeTransactionsResponse).TransactionStates {
		switch t.ErrorCode {
		case 0:
			if t.State != "Ongoing" {
				fatal("%s is %s", t.TransactionalID, t.State)
			}
		case errCoordinatorLoading, errCoordinatorNotAvailable, errNotCoordinator:
			return false
		default:
			fatal("DescribeTransactions of %s: error %d", t.TransactionalID, t.ErrorCode)
		}
	}
	return true
}
