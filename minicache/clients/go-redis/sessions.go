package main

import (
	"math"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Connections, transactions, errors, pub/sub, pipelines: what is about the conversation.
var sessions = behaviors{
	1: handshake, 2: clientNames, 3: serverFacts, 4: databases, 5: auth, 6: reconnectsAfterKill,
	41: multiExec, 42: discard, 43: execAbort, 44: watch, 45: errorTexts, 46: publishSubscribe,
	47: patterns, 48: pipeline, 49: lock, 50: manyConnections, 51: replyTypes,
}

func handshake(r *redis.Client) {
	is(r.Ping(ctx), "PONG")
	is(r.Echo(ctx, "hi"), "hi")
	c := r.Conn()
	defer c.Close()
	hello := must(c.Hello(ctx, r.Options().Protocol, "", "", ""))
	same(hello["server"], "redis")
	same(hello["proto"], int64(r.Options().Protocol))
	same(hello["mode"], "standalone")
	refused(c.Do(ctx, "HELLO", 9), "NOPROTO unsupported protocol version")
}

func clientNames(r *redis.Client) {
	c := r.Conn()
	defer c.Close()
	none(c.ClientGetName(ctx))
	is(c.ClientSetName(ctx, "reader"), true)
	is(c.ClientGetName(ctx), "reader")
	info := must(c.ClientInfo(ctx))
	same(info.Name, "reader")
	is(c.ClientID(ctx), info.ID)
	same(strings.Count(must(r.ClientList(ctx)), " name=reader "), 1)
	refused(c.Do(ctx, "CLIENT", "SETNAME", "a b"), "Client names cannot contain spaces")
	is(c.Do(ctx, "CLIENT", "SETNAME", ""), any("OK"))
}

func serverFacts(r *redis.Client) {
	is(r.ConfigGet(ctx, "maxmemory-policy"), map[string]string{"maxmemory-policy": "noeviction"})
	is(r.ConfigSet(ctx, "maxmemory-samples", "7"), "OK")
	is(r.ConfigGet(ctx, "maxmemory-s*"), map[string]string{"maxmemory-samples": "7"})
	is(r.ConfigSet(ctx, "maxmemory-samples", "5"), "OK")
	refused(r.ConfigSet(ctx, "nosuch", "1"), "Unknown option or number of arguments")
	same(r.InfoMap(ctx, "server").Item("Server", "redis_mode"), "standalone")
	is(r.CommandGetKeys(ctx, "MSET", "a", 1, "b", 2), words("a b"))
	commands := must(r.Command(ctx))
	within(int64(len(commands)), 150, 500)
	get := commands["get"]
	same([]int{int(get.Arity), int(get.FirstKeyPos), int(get.StepCount)}, []int{2, 1, 1})
	same(get.ReadOnly, true)
	within(time.Since(must(r.Time(ctx))), -time.Minute, time.Minute)
}

func databases(r *redis.Client) {
	nine := sibling(r, func(o *redis.Options) { o.DB = 9 })
	defer nine.Close()
	is(r.Set(ctx, "k", "zero", 0), "OK")
	is(nine.Set(ctx, "k", "nine", 0), "OK")
	is(r.Get(ctx, "k"), "zero")
	is(nine.Get(ctx, "k"), "nine")
	is(nine.Move(ctx, "k", 0), false)
	is(nine.FlushDB(ctx), "OK")
	is(r.DBSize(ctx), 1)
	is(nine.DBSize(ctx), 0)
	is(r.Do(ctx, "SWAPDB", 0, 9), any("OK"))
	none(r.Get(ctx, "k"))
	is(nine.Get(ctx, "k"), "zero")
	refused(nine.Do(ctx, "SELECT", 16), "DB index is out of range")
}

func auth(r *redis.Client) {
	admin := r.Conn()
	defer admin.Close()
	ping := func(password string) *redis.StatusCmd {
		c := sibling(r, func(o *redis.Options) { o.Password = password })
		defer c.Close()
		return c.Ping(ctx)
	}
	is(admin.ConfigSet(ctx, "requirepass", "secret"), "OK")
	unlock := func() { admin.ConfigSet(ctx, "requirepass", "") }
	defer unlock()
	refused(ping(""), "NOAUTH")
	refused(ping("wrong"), "WRONGPASS invalid username-password pair")
	is(ping("secret"), "PONG")
	unlock()
	refused(admin.Do(ctx, "AUTH", "x"), "without any password configured")
}

func reconnectsAfterKill(r *redis.Client) {
	victim := sibling(r, func(o *redis.Options) { o.PoolSize, o.ClientName = 1, "victim" })
	defer victim.Close()
	is(victim.Set(ctx, "k", "v", 0), "OK")
	first := must(victim.ClientID(ctx))
	is(r.Do(ctx, "CLIENT", "KILL", "ID", first), any(int64(1)))
	is(victim.Get(ctx, "k"), "v")
	within(must(victim.ClientID(ctx)), first+1, math.MaxInt64)
	is(victim.ClientGetName(ctx), "victim")
}

func multiExec(r *redis.Client) {
	tx := r.TxPipeline()
	set, incr := tx.Set(ctx, "n", 1, 0), tx.Incr(ctx, "n")
	push, get := tx.LPush(ctx, "n", "x"), tx.Get(ctx, "n")
	_, err := tx.Exec(ctx)
	same(strings.HasPrefix(err.Error(), "WRONGTYPE"), true)
	is(set, "OK")
	is(incr, 2)
	refused(push, "WRONGTYPE")
	is(get, "2")
}

func discard(r *redis.Client) {
	c := r.Conn()
	defer c.Close()
	is(c.Do(ctx, "MULTI"), any("OK"))
	is(c.Do(ctx, "RPUSH", "k", "v"), any("QUEUED"))
	is(c.Do(ctx, "DISCARD"), any("OK"))
	is(c.Exists(ctx, "k"), 0)
	refused(c.Do(ctx, "DISCARD"), "DISCARD without MULTI")
	refused(c.Do(ctx, "EXEC"), "EXEC without MULTI")
}

func execAbort(r *redis.Client) {
	const aborted = "EXECABORT Transaction discarded because of previous errors."
	tx := r.TxPipeline()
	tx.Set(ctx, "k", "v", 0)
	wrong := tx.Do(ctx, "GET")
	_, err := tx.Exec(ctx)
	same(err != nil, true)
	refused(wrong, "ERR wrong number of arguments for 'get' command")
	c := r.Conn()
	defer c.Close()
	is(c.Do(ctx, "MULTI"), any("OK"))
	refused(c.Do(ctx, "NOSUCH"), "unknown command")
	refused(c.Do(ctx, "EXEC"), aborted)
	is(r.Exists(ctx, "k"), 0)
}

func watch(r *redis.Client) {
	err := r.Watch(ctx, func(tx *redis.Tx) error {
		is(r.Set(ctx, "k", "other", 0), "OK")
		_, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
			return p.Set(ctx, "k", "mine", 0).Err()
		})
		return err
	}, "k")
	same(err, redis.TxFailedErr)
	is(r.Get(ctx, "k"), "other")
	increment := func(tx *redis.Tx) error {
		sum, err := tx.Get(ctx, "sum").Int()
		if err != nil && err != redis.Nil {
			return err
		}
		_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
			return p.Set(ctx, "sum", sum+1, 0).Err()
		})
		return err
	}
	var counting sync.WaitGroup
	for range 4 {
		counting.Go(func() {
			for done := 0; done < 25; {
				if r.Watch(ctx, increment, "sum") == nil {
					done++
				}
			}
		})
	}
	counting.Wait()
	is(r.Get(ctx, "sum"), "100")
}

func errorTexts(r *redis.Client) {
	is(r.Set(ctx, "s", "text", 0), "OK")
	const wrongType = "WRONGTYPE Operation against a key holding the wrong kind of value"
	refused(r.LPush(ctx, "s", 1), wrongType)
	refused(r.HGet(ctx, "s", "f"), wrongType)
	refused(r.Do(ctx, "GET"), "ERR wrong number of arguments for 'get' command")
	refused(r.Do(ctx, "CONFIG", "GET"), "ERR wrong number of arguments for 'config|get' command")
	const unknown = "ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b'"
	refused(r.Do(ctx, "NOSUCH", "a", "b"), unknown)
	refused(r.Do(ctx, "CLIENT", "NOSUCH"), "ERR unknown subcommand 'NOSUCH'")
	refused(r.Do(ctx, "SET", "k", "v", "BAD"), "ERR syntax error")
	refused(r.Incr(ctx, "s"), "ERR value is not an integer or out of range")
	endless := r.Do(ctx, "EXPIRE", "s", math.MaxInt64)
	refused(endless, "invalid expire time in 'expire' command")
}

func publishSubscribe(r *redis.Client) {
	subscription := r.Subscribe(ctx, "news", "sport")
	defer subscription.Close()
	for i, channel := range words("news sport") {
		confirmed, err := subscription.Receive(ctx)
		same(err, nil)
		same(confirmed, &redis.Subscription{Kind: "subscribe", Channel: channel, Count: i + 1})
	}
	is(r.Publish(ctx, "news", "hello"), 1)
	is(r.Publish(ctx, "nobody", "hello"), 0)
	message, err := subscription.ReceiveMessage(ctx)
	same(err, nil)
	same(message, &redis.Message{Channel: "news", Payload: "hello"})
	sorted(r.PubSubChannels(ctx, "*"), "news", "sport")
	is(r.PubSubNumSub(ctx, "news", "none"), map[string]int64{"news": 1, "none": 0})
	same(subscription.Unsubscribe(ctx), nil)
	eventually(func() bool { return must(r.Publish(ctx, "news", "hello")) == 0 })
}

func patterns(r *redis.Client) {
	subscription := r.PSubscribe(ctx, "news.*")
	same(subscription.Subscribe(ctx, "news.art"), nil)
	for range 2 {
		_, err := subscription.Receive(ctx)
		same(err, nil)
	}
	is(r.PubSubNumPat(ctx), 1)
	is(r.Publish(ctx, "news.art", "x"), 2)
	is(r.Publish(ctx, "news.tech", "y"), 1)
	heard := subscription.Channel()
	same(<-heard, &redis.Message{Channel: "news.art", Payload: "x"})
	same(<-heard, &redis.Message{Channel: "news.art", Pattern: "news.*", Payload: "x"})
	same(<-heard, &redis.Message{Channel: "news.tech", Pattern: "news.*", Payload: "y"})
	subscription.Close()
	eventually(func() bool { return must(r.PubSubNumPat(ctx)) == 0 })
}

func pipeline(r *redis.Client) {
	pipe := r.Pipeline()
	answers := []*redis.IntCmd{}
	for i := range 5000 {
		pipe.Set(ctx, "k", i, 0)
		answers = append(answers, pipe.Incr(ctx, "k"))
	}
	_, err := pipe.Exec(ctx)
	same(err, nil)
	for i, answer := range answers {
		is(answer, int64(i+1))
	}
}

func lock(r *redis.Client) {
	is(r.SetNX(ctx, "lock", "me", time.Minute), true)
	is(r.SetNX(ctx, "lock", "you", time.Minute), false)
	is(r.Get(ctx, "lock"), "me")
	is(r.PExpire(ctx, "lock", time.Millisecond), true)
	eventually(func() bool { return must(r.SetNX(ctx, "lock", "you", time.Minute)) })
}

func manyConnections(r *redis.Client) {
	var counting sync.WaitGroup
	for range 8 {
		counting.Go(func() {
			c := sibling(r, nil)
			defer c.Close()
			for range 250 {
				c.Incr(ctx, "n")
			}
		})
	}
	counting.Wait()
	is(r.Get(ctx, "n"), "2000")
}

func replyTypes(r *redis.Client) {
	is(r.HSet(ctx, "h", "f", "v"), 1)
	is(r.SAdd(ctx, "s", "m"), 1)
	is(r.ZAdd(ctx, "z", scored("m", 1.5)...), 1)
	hash, score, scores := any(map[any]any{"f": "v"}), any(1.5), any([]any{[]any{"m", 1.5}})
	if r.Options().Protocol == 2 {
		hash, score, scores = []any{"f", "v"}, "1.5", []any{"m", "1.5"}
	}
	is(r.Do(ctx, "HGETALL", "h"), hash)
	is(r.Do(ctx, "SMEMBERS", "s"), any([]any{"m"}))
	is(r.Do(ctx, "ZSCORE", "z", "m"), score)
	is(r.Do(ctx, "ZRANGE", "z", 0, -1, "WITHSCORES"), scores)
	none(r.Do(ctx, "GET", "none"))
}
