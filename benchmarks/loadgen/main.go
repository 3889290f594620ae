// Command loadgen puts raw requests on a Kafka-protocol broker, so that the broker rather than a
// client library is what is measured. Each subcommand prints one JSON object of figures.
//
// Prior art: Kafka's own ProducerPerformance and ConsumerPerformance, which measure the Java client
// at least as much. Here a request is encoded once and sent again and again, and the bytes of a
// Fetch answer are dropped in the kernel. Every set-up answer is decoded, so that an error is never
// measured as speed; later answers are compared with the first one by size.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sort"

	"golang.org/x/sys/unix"
)

// options are the flags of all subcommands; each reads those it needs.
type options struct {
	bootstrap   string
	pid         int
	topic       string
	partitions  int
	connections int
	inFlight    int
	seconds     float64
	warmUp      float64
	kind        string
	acks        int
	records     int
	recordBytes int
	totalBytes  int64
	answerBytes int
	count       int
	file        string
	sinceNanos  int64
	rate        float64
	newTopics   int

	transactionSeconds float64
}

type command struct {
	run  func(*options, figures)
	what string
}

// figures is what one subcommand measured, by name; units are the last word of a name.
type figures map[string]float64

var commands = map[string]command{
	"apis":              {apis, "is every -kind (comma-separated API keys) advertised?"},
	"commit":            {commit, "let -count groups commit all partitions of -topic"},
	"consume":           {consume, "read the -count committed records of -topic through franz-go"},
	"create":            {create, "create -topic and wait until it has leaders"},
	"delete":            {remove, "delete -topic"},
	"described":         {described, "wait until -count open transactions are there after a start"},
	"echo":              {echo, "serve canned answers on -bootstrap: the limit of request workloads"},
	"end-to-end":        {endToEnd, "one record at a time against a waiting long poll"},
	"fetch":             {fetch, "fetch the same ranges of -topic again and again"},
	"fill":              {fill, "write -count transactions, one of ten aborted"},
	"group":             {group, "-count members of a group until each has its part of -topic"},
	"heartbeats":        {heartbeats, "a group of -count members that nothing happens to, at -rate heartbeats a second"},
	"idle":              {idle, "hold -count connections with one long poll each until stdin ends"},
	"loaded":            {loaded, "wait until what -count groups have committed is there after a start"},
	"open-transactions": {openTransactions, "begin -count transactions and leave them open"},
	"partitions":        {manyPartitions, "create a topic of many partitions and wait until each is usable"},
	"ready":             {ready, "wait for the first answer, then for an accepted record in each partition"},
	"requests":          {requests, "keep -in-flight equal requests outstanding on each connection"},
	"sendfile":          {sendfileLimit, "what sendfile over loopback gives"},
	"stream":            {stream, "produce in transactions of -transaction-seconds, or without"},
	"transactions":      {transactions, "-count producers, each with one transaction of one record after the other"},
	"write":             {writeLimit, "what writing a file into the page cache gives"},
}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]].run == nil {
		usage()
	}
	o := &options{}
	f := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	f.StringVar(&o.bootstrap, "bootstrap", "127.0.0.1:9092", "host:port of the broker")
	f.IntVar(&o.pid, "pid", 0, "process whose CPU time is reported")
	f.StringVar(&o.topic, "topic", "benchmark", "topic")
	f.IntVar(&o.partitions, "partitions", 6, "partitions of the topic")
	f.IntVar(&o.connections, "connections", 1, "connections")
	f.IntVar(&o.inFlight, "in-flight", 1, "requests outstanding on each connection")
	f.Float64Var(&o.seconds, "seconds", 4, "seconds measured; ready: seconds to wait at most")
	f.Float64Var(&o.warmUp, "warm-up", 1, "seconds of warm-up before that")
	f.StringVar(&o.kind, "kind", "produce", "requests: produce, api-versions, metadata, offset-commit, offset-fetch, find-coordinator; with the suffix /echo against `loadgen echo`; group, heartbeats: classic, consumer; transactions: raw, client; fetch: read-committed")
	f.IntVar(&o.acks, "acks", 1, "acks of Produce")
	f.IntVar(&o.records, "records", 1, "records in a batch")
	f.IntVar(&o.recordBytes, "record-bytes", 100, "bytes in a record's value")
	f.Int64Var(&o.totalBytes, "total-bytes", 0, "requests: stop after so many bytes of values, not after -seconds; fetch: bytes of the topic to cover; write: size of the file")
	f.IntVar(&o.answerBytes, "answer-bytes", 1<<20, "fetch: most bytes of one answer")
	f.IntVar(&o.count, "count", 2000, "end-to-end: records; idle: connections; group, heartbeats: members; commit, loaded: groups; transactions: producers; fill: transactions; open-transactions, described: transactional ids; consume: records")
	f.Float64Var(&o.rate, "rate", 2000, "heartbeats a second, of all members together")
	f.IntVar(&o.newTopics, "new-topics", 0, "heartbeats: topics to make meanwhile")
	f.Float64Var(&o.transactionSeconds, "transaction-seconds", 0, "stream: length of a transaction; 0: without")
	f.StringVar(&o.file, "file", "", "scratch file of write, sendfile and echo")
	f.Int64Var(&o.sinceNanos, "since", 0, "ready: Unix time in ns from which it is counted")
	check(f.Parse(os.Args[2:]))
	raiseFileLimit()
	out := figures{}
	commands[os.Args[1]].run(o, out)
	check(json.NewEncoder(os.Stdout).Encode(out))
}

func usage() {
	names := make([]string, 0, len(commands))
	for name := range commands {
		names = append(names, name)
	}
	sort.Strings(names)
	fmt.Fprintln(os.Stderr, "usage: loadgen COMMAND [flags]   (loadgen COMMAND -h lists the flags)")
	for _, name := range names {
		fmt.Fprintf(os.Stderr, "  %-18s %s\n", name, commands[name].what)
	}
	os.Exit(2)
}

// raiseFileLimit lets idle hold thousands of connections.
func raiseFileLimit() {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		limit.Cur = limit.Max
		_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	}
}

func check(err error) {
	if err != nil {
		fatal("%v", err)
	}
}

func fatal(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "loadgen: "+format+"\n", args...)
	os.Exit(1)
}
