package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

var (
	group      = flag.String("group", "", "member: the group")
	instance   = flag.String("instance", "", "member: group.instance.id")
	autoCommit = flag.Bool("auto-commit", true, "member: commit what was read")
	session    = flag.Duration("session", 6*time.Second, "member: session timeout")
	heartbeat  = flag.Duration("heartbeat", 200*time.Millisecond, "member: between heartbeats")
)

func init() { operations["member"] = member }

// output is one line of JSON at a time, from any goroutine.
type output struct {
	lock    sync.Mutex
	encoder *json.Encoder
}

func (o *output) say(name string, value any) {
	o.lock.Lock()
	defer o.lock.Unlock()
	check(o.encoder.Encode(map[string]any{name: value}))
}

// assignment is the partitions of the first topic, said whenever it changes.
type assignment struct {
	out   *output
	first string
	lock  sync.Mutex
	held  map[int32]bool
}

func (a *assignment) change(partitions map[string][]int32, held bool) {
	a.lock.Lock()
	defer a.lock.Unlock()
	for _, p := range partitions[a.first] {
		if held {
			a.held[p] = true
		} else {
			delete(a.held, p)
		}
	}
	all := make([]int32, 0, len(a.held))
	for p := range a.held {
		all = append(all, p)
	}
	a.out.say("assigned", all)
}

// member joins -group and says what it reads, until stdin ends. Lines of stdin are orders: commit, committed PARTITION.
func member(context.Context) (any, error) {
	ctx := context.Background()
	names := strings.Split(*topic, ",")
	out := &output{encoder: json.NewEncoder(os.Stdout)}
	mine := &assignment{out: out, first: names[0], held: map[int32]bool{}}
	options := []kgo.Opt{
		kgo.ConsumerGroup(*group), kgo.ConsumeTopics(names...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(*session), kgo.HeartbeatInterval(*heartbeat), kgo.RebalanceTimeout(*session),
		kgo.MetadataMaxAge(time.Second), kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, p map[string][]int32) { mine.change(p, true) }),
		kgo.OnPartitionsRevoked(func(ctx context.Context, c *kgo.Client, p map[string][]int32) {
			if *autoCommit {
				_ = c.CommitUncommittedOffsets(ctx)
			}
			mine.change(p, false)
		}),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, p map[string][]int32) { mine.change(p, false) }),
	}
	if *instance != "" {
		options = append(options, kgo.InstanceID(*instance))
	}
	c := client(options...)
	reading, stop := context.WithCancel(ctx)
	var reader sync.WaitGroup
	reader.Add(1)
	go func() {
		defer reader.Done()
		for reading.Err() == nil {
			fetches := c.PollFetches(reading)
			fetches.EachRecord(func(r *kgo.Record) {
				out.say("record", map[string]any{"topic": r.Topic, "partition": r.Partition, "offset": r.Offset, "value": r.Value})
			})
			c.AllowRebalance()
		}
	}()
	orders := bufio.NewScanner(os.Stdin)
	for orders.Scan() {
		words := strings.Fields(orders.Text())
		if words[0] == "commit" {
			check(c.CommitUncommittedOffsets(ctx))
			out.say("done", nil)
			continue
		}
		partition, err := strconv.Atoi(words[1])
		check(err)
		found, err := kadm.NewClient(c).FetchOffsets(ctx, *group)
		check(err)
		var committed *int64
		if o, ok := found.Lookup(names[0], int32(partition)); ok && o.At >= 0 {
			committed = &o.At
		}
		out.say("done", committed)
	}
	stop()
	reader.Wait()
	if *autoCommit {
		_ = c.CommitUncommittedOffsets(ctx)
	}
	c.CloseAllowingRebalance()
	return nil, nil
}
