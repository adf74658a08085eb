// franz-go against the broker at HOST PORT: pure Go, the newest version of every request.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

var (
	broker string
	run    = fmt.Sprintf("%d-%d", os.Getpid(), time.Now().UnixNano()%100000)
	ctx    = context.Background()
)

// check ends a behavior unless the condition holds.
func check(holds bool, format string, values ...any) {
	if !holds {
		panic(fmt.Sprintf(format, values...))
	}
}

func must(err error) { check(err == nil, "%v", err) }

// eventually waits until the condition holds. It fails after ten seconds.
func eventually(condition func() bool) {
	for end := time.Now().Add(10 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		check(time.Now().Before(end), "still not true after ten seconds")
	}
}

func client(options ...kgo.Opt) *kgo.Client {
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(broker))...)
	must(err)
	return client
}

// member joins the group named like the topic.
func member(topic string, options ...kgo.Opt) *kgo.Client {
	return client(append([]kgo.Opt{
		kgo.ConsumerGroup(topic),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
		kgo.SessionTimeout(6 * time.Second),
		kgo.HeartbeatInterval(300 * time.Millisecond),
	}, options...)...)
}

func create(topic string, partitions int32) {
	client := client()
	defer client.Close()
	admin := kadm.NewClient(client)
	created, err := admin.CreateTopic(ctx, partitions, 1, nil, topic)
	must(err)
	must(created.Err)
	// Kafka answers before its metadata has the partitions.
	eventually(func() bool {
		listed, err := admin.ListTopics(ctx, topic)
		must(err)
		return len(listed[topic].Partitions) == int(partitions)
	})
}

func produce(topic string, count int) {
	client := client(kgo.AllowAutoTopicCreation())
	defer client.Close()
	for number := range count {
		record := &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "%d", number)}
		must(client.ProduceSync(ctx, record).FirstErr())
		check(record.Offset == int64(number), "offset %d of %d", record.Offset, number)
	}
}

// fromStart returns a client that reads a topic without a group.
func fromStart(topic string) *kgo.Client {
	return client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
}

// consume returns the values of the next records.
func consume(client *kgo.Client, count int) (values []string) {
	eventually(func() bool {
		timeout, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		client.PollRecords(timeout, count-len(values)).EachRecord(func(record *kgo.Record) {
			values = append(values, string(record.Value))
		})
		return len(values) == count
	})
	return values
}

// assigned returns the members of a group with the number of their partitions, once it is stable.
func assigned(admin *kadm.Client, group string) (parts []int) {
	described, err := admin.DescribeGroups(ctx, group)
	must(err)
	if described[group].State != "Stable" {
		return nil
	}
	for _, member := range described[group].Members {
		assignment, ok := member.Assigned.AsConsumer()
		if !ok || len(assignment.Topics) == 0 {
			return nil
		}
		parts = append(parts, len(assignment.Topics[0].Partitions))
	}
	return parts
}

func order(topic string) {
	produce(topic, 100)
	reader := fromStart(topic)
	defer reader.Close()
	for number, value := range consume(reader, 100) {
		check(value == fmt.Sprint(number), "got %s, want %d", value, number)
	}
}

func compression(topic string) {
	for number, codec := range []kgo.CompressionCodec{
		kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(),
		kgo.Lz4Compression(), kgo.ZstdCompression(),
	} {
		writer := client(kgo.AllowAutoTopicCreation(), kgo.ProducerBatchCompression(codec))
		// Short values are not compressed.
		value := strings.Repeat(fmt.Sprint(number), 1000)
		record := &kgo.Record{Topic: topic, Value: []byte(value)}
		must(writer.ProduceSync(ctx, record).FirstErr())
		writer.Close()
	}
	reader := fromStart(topic)
	defer reader.Close()
	for number, value := range consume(reader, 5) {
		check(value == strings.Repeat(fmt.Sprint(number), 1000), "record %d is %s", number, value)
	}
}

func timestamps(topic string) {
	own := client(kgo.AllowAutoTopicCreation())
	defer own.Close()
	for _, timestamp := range []int64{1000, 2000, 3000} {
		record := &kgo.Record{Topic: topic, Timestamp: time.UnixMilli(timestamp)}
		must(own.ProduceSync(ctx, record).FirstErr())
	}
	found, err := kadm.NewClient(own).ListOffsetsAfterMilli(ctx, 1500, topic)
	must(err)
	offset, _ := found.Lookup(topic, 0)
	check(offset.Offset == 1 && offset.Timestamp == 2000, "found %+v", offset)
}

func topics(topic string) {
	create(topic, 3)
	own := client()
	defer own.Close()
	admin := kadm.NewClient(own)
	for _, it := range []struct {
		topic    string
		replicas int16
		want     error
	}{{topic, 1, kerr.TopicAlreadyExists}, {topic + "-2", 2, kerr.InvalidReplicationFactor}} {
		_, err := admin.CreateTopic(ctx, 3, it.replicas, nil, it.topic)
		check(errors.Is(err, it.want), "got %v, want %v", err, it.want)
	}
	deleted, err := admin.DeleteTopic(ctx, topic)
	must(err)
	must(deleted.Err)
	eventually(func() bool {
		listed, err := admin.ListTopics(ctx, topic)
		must(err)
		return !listed.Has(topic)
	})
}

func compaction(topic string) {
	own := client()
	defer own.Close()
	policy, ms, ratio := "compact", "1", "0.01"
	configs := map[string]*string{
		"cleanup.policy": &policy, "segment.ms": &ms, "min.cleanable.dirty.ratio": &ratio,
	}
	created, err := kadm.NewClient(own).CreateTopic(ctx, 1, 1, configs, topic)
	must(err)
	must(created.Err)
	for number, key := range []string{"a", "b", "a", "b", "c"} {
		// Every batch is a segment of its own.
		time.Sleep(2 * time.Millisecond)
		record := &kgo.Record{Topic: topic, Key: []byte(key), Value: fmt.Append(nil, number)}
		must(own.ProduceSync(ctx, record).FirstErr())
	}
	eventually(func() bool {
		reader := fromStart(topic)
		defer reader.Close()
		return consume(reader, 1)[0] == "2"
	})
	reader := fromStart(topic)
	defer reader.Close()
	values := consume(reader, 3)
	check(fmt.Sprint(values) == "[2 3 4]", "left are %v", values)
}

// A lossy connection drops the first response after `armed` is set, and closes.
type lossy struct {
	net.Conn
	armed *atomic.Bool
}

func (conn lossy) Read(bytes []byte) (int, error) {
	count, err := conn.Conn.Read(bytes)
	if conn.armed.CompareAndSwap(true, false) {
		conn.Close()
		return 0, net.ErrClosed
	}
	return count, err
}

func idempotence(topic string) {
	create(topic, 1)
	var armed atomic.Bool
	dial := func(ctx context.Context, network, host string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, host)
		return lossy{conn, &armed}, err
	}
	writer := client(kgo.Dialer(dial))
	defer writer.Close()
	for number := range 10 {
		armed.Store(number == 3 || number == 7)
		record := &kgo.Record{Topic: topic, Value: fmt.Append(nil, number)}
		must(writer.ProduceSync(ctx, record).FirstErr())
		check(record.Offset == int64(number), "offset %d of %d", record.Offset, number)
		check(!armed.Load(), "no response was lost")
	}
	reader := fromStart(topic)
	defer reader.Close()
	values := consume(reader, 10)
	check(fmt.Sprint(values) == "[0 1 2 3 4 5 6 7 8 9]", "in the log are %v", values)
}

// The default of franz-go is cooperative-sticky.
func cooperative(topic string) {
	create(topic, 4)
	own := client()
	defer own.Close()
	admin := kadm.NewClient(own)
	first := member(topic)
	defer first.Close()
	eventually(func() bool { return fmt.Sprint(assigned(admin, topic)) == "[4]" })
	second := member(topic)
	eventually(func() bool { return fmt.Sprint(assigned(admin, topic)) == "[2 2]" })
	second.Close()
	eventually(func() bool { return fmt.Sprint(assigned(admin, topic)) == "[4]" })
}

func resume(topic string) {
	produce(topic, 20)
	reader := member(topic)
	consume(reader, 10)
	must(reader.CommitUncommittedOffsets(ctx))
	reader.Close()
	reader = member(topic)
	defer reader.Close()
	value := consume(reader, 1)[0]
	check(value == "10", "got %s, want 10", value)
}

func administration(topic string) {
	produce(topic, 20)
	own := client()
	defer own.Close()
	admin := kadm.NewClient(own)
	reader := member(topic)
	consume(reader, 10)
	must(reader.CommitUncommittedOffsets(ctx))
	lags, err := admin.Lag(ctx, topic)
	must(err)
	lag := lags[topic].Lag[topic][0]
	check(lag.Commit.At == 10 && lag.Lag == 10, "committed %d, lag %d", lag.Commit.At, lag.Lag)
	deleted, err := admin.DeleteGroup(ctx, topic)
	check(err != nil || deleted.Err != nil, "a group with members was deleted")
	reader.Close()

	eventually(func() bool {
		listed, err := admin.ListGroups(ctx, "Empty")
		must(err)
		_, isEmpty := listed[topic]
		return isEmpty
	})
	deleted, err = admin.DeleteGroup(ctx, topic)
	must(err)
	must(deleted.Err)
	offsets, err := admin.FetchOffsets(ctx, topic)
	must(err)
	check(len(offsets) == 0, "offsets of a deleted group: %v", offsets)
}

func main() {
	broker = os.Args[1] + ":" + os.Args[2]
	behaviors := []struct {
		number int
		name   string
		run    func(topic string)
	}{
		{3, "order", order},
		{5, "compression", compression},
		{7, "timestamps", timestamps},
		{13, "topics", topics},
		{14, "compaction", compaction},
		{15, "idempotence", idempotence},
		{21, "cooperative", cooperative},
		{23, "resume", resume},
		{26, "administration", administration},
	}
	var held []int
	for _, behavior := range behaviors {
		func() {
			defer func() {
				if failure := recover(); failure != nil {
					fmt.Printf("  FAIL %d: %v\n", behavior.number, failure)
				} else {
					held = append(held, behavior.number)
				}
			}()
			behavior.run(behavior.name + "-" + run)
		}()
	}
	fmt.Printf("  franz-go: %d of %d held: %v\n", len(held), len(behaviors), held)
	if len(held) < len(behaviors) {
		os.Exit(1)
	}
}
