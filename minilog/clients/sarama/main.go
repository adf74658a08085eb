// sarama against the broker at HOST PORT: Go, with the request versions of a configured release.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
)

var (
	brokers []string
	run     = fmt.Sprintf("%d-%d", os.Getpid(), time.Now().UnixNano()%100000)
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

func config() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.V4_1_0_0
	config.Producer.Return.Successes = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Group.Session.Timeout = 6 * time.Second
	config.Consumer.Group.Heartbeat.Interval = 300 * time.Millisecond
	return config
}

// A member is a consumer of a group, which runs until it is stopped.
type member struct {
	sync.Mutex
	partitions []int32
	values     []string
	limit      int
	stop       func()
}

// join starts a member of the group named like the topic. It takes `limit` records.
func join(topic string, limit int) *member {
	group, err := sarama.NewConsumerGroup(brokers, topic, config())
	must(err)
	ctx, cancel := context.WithCancel(context.Background())
	member, ended := &member{limit: limit}, make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			_ = group.Consume(ctx, []string{topic}, member)
		}
	}()
	member.stop = func() {
		cancel()
		<-ended
		must(group.Close())
	}
	return member
}

func (member *member) Setup(session sarama.ConsumerGroupSession) error {
	member.Lock()
	defer member.Unlock()
	for _, partitions := range session.Claims() {
		member.partitions = partitions
	}
	return nil
}

func (member *member) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (member *member) ConsumeClaim(
	session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim,
) error {
	for message := range claim.Messages() {
		member.Lock()
		if len(member.values) < member.limit {
			member.values = append(member.values, string(message.Value))
			session.MarkMessage(message, "")
		}
		member.Unlock()
	}
	return nil
}

func (member *member) count() int {
	member.Lock()
	defer member.Unlock()
	return len(member.partitions)
}

func (member *member) received() int {
	member.Lock()
	defer member.Unlock()
	return len(member.values)
}

func administrator() sarama.ClusterAdmin {
	admin, err := sarama.NewClusterAdmin(brokers, config())
	must(err)
	return admin
}

func create(topic string, partitions int32) { createWith(topic, partitions, nil) }

func createWith(topic string, partitions int32, configs map[string]*string) {
	admin := administrator()
	defer admin.Close()
	detail := sarama.TopicDetail{
		NumPartitions: partitions, ReplicationFactor: 1, ConfigEntries: configs,
	}
	must(admin.CreateTopic(topic, &detail, false))
	// Kafka answers before its metadata has the partitions.
	eventually(func() bool {
		described, err := admin.DescribeTopics([]string{topic})
		must(err)
		return len(described[0].Partitions) == int(partitions)
	})
}

func produce(topic string, count int) {
	for number := range count {
		send(topic, config(), int64(number), &sarama.ProducerMessage{
			Value: sarama.StringEncoder(fmt.Sprint(number)),
		})
	}
}

// send produces a message, which must get this offset.
func send(topic string, config *sarama.Config, want int64, message *sarama.ProducerMessage) {
	producer, err := sarama.NewSyncProducer(brokers, config)
	must(err)
	defer producer.Close()
	message.Topic = topic
	_, offset, err := producer.SendMessage(message)
	must(err)
	check(offset == want, "offset %d, want %d", offset, want)
}

// read returns the next records of partition 0, from its beginning.
func read(topic string, count int) (messages []*sarama.ConsumerMessage) {
	consumer, err := sarama.NewConsumer(brokers, config())
	must(err)
	defer consumer.Close()
	reader, err := consumer.ConsumePartition(topic, 0, sarama.OffsetOldest)
	must(err)
	defer reader.Close()
	for range count {
		select {
		case message := <-reader.Messages():
			messages = append(messages, message)
		case <-time.After(10 * time.Second):
			panic("no record for ten seconds")
		}
	}
	return messages
}

func compression(topic string) {
	codecs := []sarama.CompressionCodec{
		sarama.CompressionNone, sarama.CompressionGZIP, sarama.CompressionSnappy,
		sarama.CompressionLZ4, sarama.CompressionZSTD,
	}
	for number, codec := range codecs {
		config := config()
		config.Producer.Compression = codec
		value := sarama.StringEncoder(strings.Repeat(codec.String(), 100))
		send(topic, config, int64(number), &sarama.ProducerMessage{Value: value})
	}
	for number, message := range read(topic, len(codecs)) {
		want := strings.Repeat(codecs[number].String(), 100)
		check(string(message.Value) == want, "got %s, want %s", message.Value, want)
	}
}

func timestamps(topic string) {
	for number, timestamp := range []int64{1000, 2000, 3000} {
		message := sarama.ProducerMessage{Timestamp: time.UnixMilli(timestamp)}
		send(topic, config(), int64(number), &message)
	}
	client, err := sarama.NewClient(brokers, config())
	must(err)
	defer client.Close()
	for _, it := range [][2]int64{{1500, 1}, {3001, -1}, {sarama.OffsetOldest, 0}, {sarama.OffsetNewest, 3}} {
		offset, err := client.GetOffset(topic, 0, it[0])
		must(err)
		check(offset == it[1], "offset %d at %d, want %d", offset, it[0], it[1])
	}
}

func topics(topic string) {
	create(topic, 3)
	admin := administrator()
	defer admin.Close()
	for _, it := range []struct {
		topic    string
		replicas int16
		want     error
	}{{topic, 1, sarama.ErrTopicAlreadyExists}, {topic + "-2", 2, sarama.ErrInvalidReplicationFactor}} {
		detail := sarama.TopicDetail{NumPartitions: 3, ReplicationFactor: it.replicas}
		err := admin.CreateTopic(it.topic, &detail, false)
		check(errors.Is(err, it.want), "got %v, want %v", err, it.want)
	}
	must(admin.DeleteTopic(topic))
	eventually(func() bool {
		listed, err := admin.ListTopics()
		must(err)
		_, isThere := listed[topic]
		return !isThere
	})
}

func compaction(topic string) {
	policy, ms, ratio := "compact", "1", "0.01"
	createWith(topic, 1, map[string]*string{
		"cleanup.policy": &policy, "segment.ms": &ms, "min.cleanable.dirty.ratio": &ratio,
	})
	for number, key := range []string{"a", "b", "a", "b", "c"} {
		// Every batch is a segment of its own.
		time.Sleep(2 * time.Millisecond)
		message := sarama.ProducerMessage{
			Key: sarama.StringEncoder(key), Value: sarama.StringEncoder(fmt.Sprint(number)),
		}
		send(topic, config(), int64(number), &message)
	}
	eventually(func() bool { return read(topic, 1)[0].Offset == 2 })
	for number, message := range read(topic, 3) {
		check(message.Offset == int64(number+2), "offset %d is left", message.Offset)
	}
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

type dialer struct{ armed *atomic.Bool }

func (dialer dialer) Dial(network, address string) (net.Conn, error) {
	conn, err := net.Dial(network, address)
	return lossy{conn, dialer.armed}, err
}

func idempotence(topic string) {
	create(topic, 1)
	var armed atomic.Bool
	config := config()
	config.Producer.Idempotent = true
	config.Net.MaxOpenRequests = 1
	config.Net.Proxy.Enable = true
	config.Net.Proxy.Dialer = dialer{&armed}
	producer, err := sarama.NewSyncProducer(brokers, config)
	must(err)
	defer producer.Close()
	for number := range 10 {
		armed.Store(number == 3 || number == 7)
		value := sarama.StringEncoder(fmt.Sprint(number))
		_, offset, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: value})
		must(err)
		check(offset == int64(number), "offset %d of %d", offset, number)
		check(!armed.Load(), "no response was lost")
	}
	for number, message := range read(topic, 10) {
		check(string(message.Value) == fmt.Sprint(number), "%d is %s", number, message.Value)
	}
}

func groupOfTwo(topic string) {
	create(topic, 4)
	first := join(topic, 0)
	eventually(func() bool { return first.count() == 4 })
	second := join(topic, 0)
	eventually(func() bool { return first.count() == 2 && second.count() == 2 })
	second.stop()
	eventually(func() bool { return first.count() == 4 })
	first.stop()
}

func resume(topic string) {
	create(topic, 1)
	produce(topic, 20)
	reader := join(topic, 10)
	eventually(func() bool { return reader.received() == 10 })
	// The offsets that were marked are committed when it stops.
	reader.stop()
	reader = join(topic, 1)
	eventually(func() bool { return reader.received() == 1 })
	reader.stop()
	check(reader.values[0] == "10", "got %s, want 10", reader.values[0])
}

func describe(topic string) {
	create(topic, 2)
	reader := join(topic, 0)
	eventually(func() bool { return reader.count() == 2 })
	admin := administrator()
	defer admin.Close()
	groups, err := admin.DescribeConsumerGroups([]string{topic})
	must(err)
	check(groups[0].State == "Stable" && len(groups[0].Members) == 1, "%+v", groups[0])
	reader.stop()
	groups, err = admin.DescribeConsumerGroups([]string{topic})
	must(err)
	check(groups[0].State == "Empty", "%+v", groups[0])
	must(admin.DeleteConsumerGroup(topic))
}

func main() {
	brokers = []string{os.Args[1] + ":" + os.Args[2]}
	behaviors := []struct {
		number int
		name   string
		run    func(topic string)
	}{
		{5, "compression", compression},
		{7, "timestamps", timestamps},
		{13, "topics", topics},
		{14, "compaction", compaction},
		{15, "idempotence", idempotence},
		{20, "group", groupOfTwo},
		{23, "resume", resume},
		{25, "describe", describe},
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
	fmt.Printf("  sarama: %d of %d held: %v\n", len(held), len(behaviors), held)
	if len(held) < len(behaviors) {
		os.Exit(1)
	}
}
