package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// transactor is one transactional producer, asked on standard input line by line, as compat_support/transactions.py
// says. It has one operation more, transform, which is franz-go's session of a group in transactions.
type transactor struct {
	id        string
	bootstrap string
	timeout   time.Duration
	client    *kgo.Client
}

// runTransactor answers until its input ends. Nothing but answers goes to standard output.
func runTransactor(context.Context) (any, error) {
	t := &transactor{}
	lines := bufio.NewScanner(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	for lines.Scan() {
		answer := "ok"
		if err := t.carryOut(strings.Split(lines.Text(), "\t")); err != nil {
			answer = "error\t" + strings.Join(strings.Fields(err.Error()), " ")
		}
		fmt.Fprintln(out, answer)
		check(out.Flush())
	}
	return nil, lines.Err()
}

func (t *transactor) carryOut(words []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	switch words[0] {
	case "open":
		return t.open(ctx, words[1], words[2:])
	case "begin":
		return t.client.BeginTransaction()
	case "send":
		return t.send(ctx, words[1], words[2], words[3:])
	case "commit":
		return t.client.EndTransaction(ctx, kgo.TryCommit)
	case "abort":
		return t.client.EndTransaction(ctx, kgo.TryAbort)
	case "transform":
		return t.transform(ctx, words[1], words[2], words[3], words[4])
	case "close":
		t.client.Close()
		return nil
	}
	return fmt.Errorf("no operation %q", words[0])
}

// open reads the settings key=value, which are called as Kafka calls them.
func (t *transactor) open(ctx context.Context, id string, settings []string) error {
	t.id = id
	for _, setting := range settings {
		key, value, _ := strings.Cut(setting, "=")
		switch key {
		case "bootstrap.servers":
			t.bootstrap = value
		case "transaction.timeout.ms":
			ms, err := strconv.Atoi(value)
			if err != nil {
				return err
			}
			t.timeout = time.Duration(ms) * time.Millisecond
		default:
			return fmt.Errorf("no setting %q", key)
		}
	}
	var err error
	t.client, err = kgo.NewClient(append(t.options(id), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		return err
	}
	_, _, err = t.client.ProducerID(ctx)
	return err
}

func (t *transactor) options(id string) []kgo.Opt {
	return []kgo.Opt{kgo.SeedBrokers(t.bootstrap), kgo.TransactionalID(id), kgo.TransactionTimeout(t.timeout)}
}

func (t *transactor) send(ctx context.Context, topic, partition string, values []string) error {
	p, err := strconv.Atoi(partition)
	if err != nil {
		return err
	}
	var sent []*kgo.Record
	for _, value := range values {
		data, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			return err
		}
		sent = append(sent, &kgo.Record{Topic: topic, Partition: int32(p), Value: data})
	}
	return t.client.ProduceSync(ctx, sent...).FirstErr()
}

// transform reads count records of one topic as a member of a group and writes them to another, with what was read.
func (t *transactor) transform(ctx context.Context, group, from, to, count string) error {
	left, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	session, err := kgo.NewGroupTransactSession(append(
		t.options(t.id+"-session"), kgo.ConsumerGroup(group), kgo.ConsumeTopics(from), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.RequireStableFetchOffsets(),
	)...)
	if err != nil {
		return err
	}
	defer session.Close()
	for left > 0 {
		fetches := session.PollRecords(ctx, 7)
		if err := fetches.Err(); err != nil {
			return err
		}
		if err := session.Begin(); err != nil {
			return err
		}
		promise := kgo.AbortingFirstErrPromise(session.Client())
		fetches.EachRecord(func(r *kgo.Record) {
			session.Produce(ctx, &kgo.Record{Topic: to, Value: r.Value}, promise.Promise())
		})
		committed, err := session.End(ctx, promise.Err() == nil)
		if err != nil {
			return err
		}
		if committed {
			left -= fetches.NumRecords()
		}
	}
	return nil
}
