package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// member is one member of a group, asked on standard input line by line, as compat_support/remote.py says.
type member struct {
	group    string
	topics   []string
	commits  bool
	client   *kgo.Client
	admin    *kadm.Client
	lock     sync.Mutex
	assigned map[int32]bool
}

// runMember answers until its input ends. Nothing but answers goes to standard output.
func runMember(context.Context) (any, error) {
	m := &member{assigned: map[int32]bool{}}
	lines := bufio.NewScanner(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	for lines.Scan() {
		found, err := m.carryOut(strings.Split(lines.Text(), "\t"))
		if err != nil {
			found = []string{"error", strings.Join(strings.Fields(err.Error()), " ")}
		} else {
			found = append([]string{"ok"}, found...)
		}
		fmt.Fprintln(out, strings.Join(found, "\t"))
		check(out.Flush())
	}
	return nil, lines.Err()
}

func (m *member) carryOut(words []string) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	switch words[0] {
	case "join":
		return nil, m.join(strings.Split(words[1], ","), words[2:])
	case "poll":
		ms, err := strconv.Atoi(words[1])
		if err != nil {
			return nil, err
		}
		return m.poll(time.Duration(ms) * time.Millisecond)
	case "assigned":
		m.lock.Lock()
		defer m.lock.Unlock()
		var out []string
		for p := range m.assigned {
			out = append(out, strconv.Itoa(int(p)))
		}
		return out, nil
	case "commit":
		return nil, m.client.CommitUncommittedOffsets(ctx)
	case "committed":
		p, err := strconv.Atoi(words[1])
		if err != nil {
			return nil, err
		}
		return m.committed(ctx, int32(p))
	case "close":
		m.client.CloseAllowingRebalance()
		return nil, nil
	}
	return nil, fmt.Errorf("no operation %q", words[0])
}

// join reads the settings key=value, which are called as Kafka calls them.
func (m *member) join(topics, settings []string) error {
	m.topics = topics
	options := []kgo.Opt{
		kgo.ConsumeTopics(topics...), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.MetadataMinAge(100 * time.Millisecond), kgo.MetadataMaxAge(time.Second),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, given map[string][]int32) {
			m.lock.Lock()
			defer m.lock.Unlock()
			for _, p := range given[topics[0]] {
				m.assigned[p] = true
			}
		}),
		kgo.OnPartitionsRevoked(m.revoked(true)), kgo.OnPartitionsLost(m.revoked(false)),
	}
	for _, setting := range settings {
		key, value, _ := strings.Cut(setting, "=")
		option, err := m.option(key, value)
		if err != nil {
			return err
		}
		options = append(options, option...)
	}
	c, err := kgo.NewClient(options...)
	m.client, m.admin = c, kadm.NewClient(c)
	return err
}

func (m *member) option(key, value string) ([]kgo.Opt, error) {
	ms, _ := strconv.Atoi(value)
	switch key {
	case "bootstrap.servers":
		return []kgo.Opt{kgo.SeedBrokers(value)}, nil
	case "group.id":
		m.group = value
		return []kgo.Opt{kgo.ConsumerGroup(value)}, nil
	case "group.protocol":
		if value == "consumer" {
			return []kgo.Opt{kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer())}, nil
		}
	case "group.instance.id":
		return []kgo.Opt{kgo.InstanceID(value)}, nil
	case "partition.assignment.strategy":
		return []kgo.Opt{kgo.Balancers(map[string]kgo.GroupBalancer{
			"range": kgo.RangeBalancer(), "cooperative-sticky": kgo.CooperativeStickyBalancer(),
		}[value])}, nil
	case "auto.offset.reset":
		if value != "earliest" {
			return nil, fmt.Errorf("no start %q", value)
		}
		return []kgo.Opt{kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())}, nil
	case "enable.auto.commit":
		m.commits = value == "true"
	case "session.timeout.ms":
		return []kgo.Opt{kgo.SessionTimeout(time.Duration(ms) * time.Millisecond)}, nil
	case "heartbeat.interval.ms":
		return []kgo.Opt{kgo.HeartbeatInterval(time.Duration(ms) * time.Millisecond)}, nil
	default:
		return nil, fmt.Errorf("no setting %q", key)
	}
	return nil, nil
}

// revoked commits what was polled before others have the partitions, as franz-go's documentation has it. It is called
// while nothing is polled, since polls block rebalances.
func (m *member) revoked(still bool) func(context.Context, *kgo.Client, map[string][]int32) {
	return func(ctx context.Context, c *kgo.Client, taken map[string][]int32) {
		if still && m.commits {
			if err := c.CommitUncommittedOffsets(ctx); err != nil {
				fmt.Fprintf(os.Stderr, "franzgo: %v\n", err)
			}
		}
		m.lock.Lock()
		defer m.lock.Unlock()
		for _, p := range taken[m.topics[0]] {
			delete(m.assigned, p)
		}
	}
}

func (m *member) poll(patience time.Duration) ([]string, error) {
	m.client.AllowRebalance() // the last poll is dealt with
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var out []string
	fetches := m.client.PollFetches(ctx)
	for _, failed := range fetches.Errors() {
		if ctx.Err() == nil {
			fmt.Fprintf(os.Stderr, "franzgo: %v\n", failed.Err) // it goes on by itself
		}
	}
	fetches.EachRecord(func(r *kgo.Record) {
		value := base64.StdEncoding.EncodeToString(r.Value)
		out = append(out, fmt.Sprintf("%s %d %d %s", r.Topic, r.Partition, r.Offset, value))
	})
	return out, nil
}

func (m *member) committed(ctx context.Context, p int32) ([]string, error) {
	found, err := m.admin.FetchOffsets(ctx, m.group)
	if err != nil {
		return nil, err
	}
	if at, ok := found.Lookup(m.topics[0], p); ok {
		return []string{strconv.FormatInt(at.At, 10)}, at.Err
	}
	return []string{"-1"}, nil
}
