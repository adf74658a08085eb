// franz-go against the broker at HOST PORT: pure Go, the newest version of every request.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
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

// eventually waits until the condition holds; fails when it has not after ten seconds.
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

// member joins the group that is called like the topic.
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
	created, err := kadm.NewClient(client).CreateTopic(ctx, partitions, 1, nil, topic)
	must(err)
	must(created.Err)
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
	reader := client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer reader.Close()
	for number, value := range consume(reader, 100) {
		check(value == fmt.Sprint(number), "got %s, want %d", value, number)
	}
}

// Its default is cooperative-sticky.
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
