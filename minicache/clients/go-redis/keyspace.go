package main

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Strings and keys: what a value may be, how long it lives, how it is found again.
var keyspace = behaviors{
	7: setOptions, 8: getexGetdel, 9: counters, 10: ranges, 11: manyAtOnce, 12: lcs, 13: anyBytes,
	14: tenMegabytes, 35: expiry, 36: wholeKeys, 37: encodings, 38: scan, 39: sort, 40: flush,
}

func setOptions(r *redis.Client) {
	is(r.SetNX(ctx, "k", "a", 0), true)
	is(r.SetNX(ctx, "k", "b", 0), false)
	is(r.SetXX(ctx, "k", "b", 0), true)
	is(r.SetXX(ctx, "absent", "b", 0), false)
	is(r.SetArgs(ctx, "k", "c", redis.SetArgs{Get: true}), "b")
	none(r.SetArgs(ctx, "fresh", "1", redis.SetArgs{Get: true}))
	is(r.Set(ctx, "k", "d", 100*time.Second), "OK")
	within(must(r.TTL(ctx, "k")), 90*time.Second, 100*time.Second)
	is(r.Set(ctx, "k", "e", 100_500*time.Millisecond), "OK")
	within(must(r.PTTL(ctx, "k")), 90*time.Second, 100_500*time.Millisecond)
	is(r.Set(ctx, "k", "f", redis.KeepTTL), "OK")
	within(must(r.TTL(ctx, "k")), 90*time.Second, 101*time.Second)
	is(r.Set(ctx, "k", "g", 0), "OK")
	is(r.TTL(ctx, "k"), -1)
	refused(r.Do(ctx, "SET", "k", "v", "EX", 0), "invalid expire time in 'set' command")
}

func getexGetdel(r *redis.Client) {
	is(r.Set(ctx, "k", "v", 0), "OK")
	is(r.GetEx(ctx, "k", 100*time.Second), "v")
	within(must(r.TTL(ctx, "k")), 90*time.Second, 100*time.Second)
	is(r.GetEx(ctx, "k", 0), "v")
	is(r.TTL(ctx, "k"), -1)
	is(r.GetDel(ctx, "k"), "v")
	none(r.GetDel(ctx, "k"))
	is(r.Exists(ctx, "k"), 0)
}

func counters(r *redis.Client) {
	is(r.Incr(ctx, "n"), 1)
	is(r.IncrBy(ctx, "n", 41), 42)
	is(r.DecrBy(ctx, "n", 50), -8)
	is(r.Decr(ctx, "n"), -9)
	is(r.IncrByFloat(ctx, "f", 10.5), 10.5)
	is(r.IncrByFloat(ctx, "f", 0.1), 10.6)
	is(r.Get(ctx, "f"), "10.6")
	is(r.Set(ctx, "max", math.MaxInt64, 0), "OK")
	refused(r.Incr(ctx, "max"), "increment or decrement would overflow")
	is(r.Set(ctx, "text", "1.5x", 0), "OK")
	refused(r.Incr(ctx, "text"), "value is not an integer or out of range")
	refused(r.IncrByFloat(ctx, "text", 1), "value is not a valid float")
}

func ranges(r *redis.Client) {
	is(r.Append(ctx, "k", "Hello"), 5)
	is(r.Append(ctx, "k", " World"), 11)
	is(r.StrLen(ctx, "k"), 11)
	is(r.GetRange(ctx, "k", -5, -1), "World")
	is(r.GetRange(ctx, "k", 20, 30), "")
	is(r.SetRange(ctx, "k", 6, "Redis"), 11)
	is(r.Get(ctx, "k"), "Hello Redis")
	is(r.SetRange(ctx, "pad", 3, "x"), 4)
	is(r.Get(ctx, "pad"), "\x00\x00\x00x")
	refused(r.SetRange(ctx, "k", -1, "x"), "offset is out of range")
}

func manyAtOnce(r *redis.Client) {
	is(r.MSet(ctx, "a", 1, "b", 2), "OK")
	is(r.MGet(ctx, "a", "none", "b"), []any{"1", nil, "2"})
	is(r.MSetNX(ctx, "b", 3, "c", 4), false)
	is(r.MSetNX(ctx, "c", 4, "d", 5), true)
	is(r.MGet(ctx, "b", "c"), []any{"2", "4"})
}

func lcs(r *redis.Client) {
	is(r.MSet(ctx, "x", "ohmytext", "y", "mynewtext"), "OK")
	query := redis.LCSQuery{Key1: "x", Key2: "y"}
	same(must(r.LCS(ctx, &query)).MatchString, "mytext")
	query.Len = true
	same(must(r.LCS(ctx, &query)).Len, int64(6))
	query.Len, query.Idx, query.MinMatchLen, query.WithMatchLen = false, true, 4, true
	found := redis.LCSMatchedPosition{
		Key1: redis.LCSPosition{Start: 4, End: 7}, Key2: redis.LCSPosition{Start: 5, End: 8}, MatchLen: 4,
	}
	is(r.LCS(ctx, &query), &redis.LCSMatch{Matches: []redis.LCSMatchedPosition{found}, Len: 6})
}

func anyBytes(r *redis.Client) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	reversed := slices.Clone(every)
	slices.Reverse(reversed)
	is(r.Set(ctx, string(every), reversed, 0), "OK")
	is(r.Get(ctx, string(every)), string(reversed))
	is(r.Set(ctx, "", "", 0), "OK")
	is(r.Get(ctx, ""), "")
	is(r.RPush(ctx, "l", "", every), 2)
	is(r.LRange(ctx, "l", 0, -1), []string{"", string(every)})
	is(r.Set(ctx, "clé-ключ-鍵", "värde 🦀", 0), "OK")
	is(r.Get(ctx, "clé-ключ-鍵"), "värde 🦀")
	is(r.StrLen(ctx, "clé-ключ-鍵"), 11)
}

func tenMegabytes(r *redis.Client) {
	value := make([]byte, 10_000_000)
	for i := range value {
		value[i] = byte(i % 10_000 * 7 % 251)
	}
	is(r.Set(ctx, "big", value, 0), "OK")
	is(r.StrLen(ctx, "big"), 10_000_000)
	got, err := r.Get(ctx, "big").Bytes()
	same(err, nil)
	same(bytes.Equal(got, value), true)
	is(r.GetRange(ctx, "big", 5_000_000, 5_000_009), string(value[5_000_000:5_000_010]))
}

func expiry(r *redis.Client) {
	is(r.Set(ctx, "k", "v", 0), "OK")
	is(r.TTL(ctx, "k"), -1)
	is(r.TTL(ctx, "none"), -2)
	is(r.ExpireXX(ctx, "k", 100*time.Second), false)
	is(r.ExpireNX(ctx, "k", 100*time.Second), true)
	is(r.ExpireGT(ctx, "k", 50*time.Second), false)
	is(r.ExpireLT(ctx, "k", 50*time.Second), true)
	within(must(r.PTTL(ctx, "k")), 40*time.Second, 50*time.Second)
	at := time.Now().Add(1000 * time.Second).Truncate(time.Second)
	is(r.ExpireAt(ctx, "k", at), true)
	is(r.ExpireTime(ctx, "k"), time.Duration(at.Unix())*time.Second)
	is(r.PExpireTime(ctx, "k"), time.Duration(at.UnixMilli())*time.Millisecond)
	is(r.Persist(ctx, "k"), true)
	is(r.Persist(ctx, "k"), false)
	refused(r.Do(ctx, "EXPIRE", "k", 1, "NX", "GT"), "NX and XX, GT or LT options")
	is(r.PExpire(ctx, "k", 20*time.Millisecond), true)
	eventually(func() bool { return r.Get(ctx, "k").Err() == redis.Nil })
	is(r.Set(ctx, "k", "v", 0), "OK")
	is(r.Expire(ctx, "k", -time.Second), true)
	is(r.Exists(ctx, "k"), 0)
}

func wholeKeys(r *redis.Client) {
	is(r.Set(ctx, "a", "1", 0), "OK")
	is(r.Rename(ctx, "a", "b"), "OK")
	refused(r.Rename(ctx, "a", "c"), "no such key")
	is(r.Set(ctx, "c", "2", 0), "OK")
	is(r.RenameNX(ctx, "b", "c"), false)
	is(r.Copy(ctx, "b", "c", 0, false), 0)
	is(r.Copy(ctx, "b", "c", 0, true), 1)
	is(r.MGet(ctx, "b", "c"), []any{"1", "1"})
	is(r.Copy(ctx, "b", "elsewhere", 3, false), 1)
	is(r.HSet(ctx, "h", "f", "v"), 1)
	for key, kind := range map[string]string{"b": "string", "h": "hash", "none": "none"} {
		is(r.Type(ctx, key), kind)
	}
	is(r.Exists(ctx, "b", "b", "none"), 2)
	is(r.Touch(ctx, "b", "none"), 1)
	same(slices.Contains(words("b c h"), must(r.RandomKey(ctx))), true)
	is(r.Del(ctx, "b", "none"), 1)
	is(r.Unlink(ctx, "c", "h"), 2)
	none(r.RandomKey(ctx))
}

func encodings(r *redis.Client) {
	long := strings.Repeat("x", 65)
	is(r.MSet(ctx, "int", 12345, "embstr", long[:44], "raw", long[:45]), "OK")
	is(r.RPush(ctx, "quicklist", 1, 2), 2)
	is(r.HSet(ctx, "hash", "f", "v"), 1)
	is(r.SAdd(ctx, "intset", 1, 2), 2)
	is(r.SAdd(ctx, "hashtable", "a", "b"), 2)
	is(r.ZAdd(ctx, "zset", scored("m", 1)...), 1)
	for _, name := range words("int embstr raw quicklist intset hashtable") {
		is(r.ObjectEncoding(ctx, name), name)
	}
	is(r.ObjectEncoding(ctx, "hash"), "listpack")
	is(r.ObjectEncoding(ctx, "zset"), "listpack")
	is(r.HSet(ctx, "hash", "f", long), 0)
	for i := range 200 {
		is(r.ZAdd(ctx, "zset", redis.Z{Score: float64(i), Member: fmt.Sprint("m", i)}), 1)
	}
	is(r.ObjectEncoding(ctx, "hash"), "hashtable")
	is(r.ObjectEncoding(ctx, "zset"), "skiplist")
	is(r.ObjectRefCount(ctx, "raw"), 1)
	within(must(r.ObjectIdleTime(ctx, "raw")), 0, time.Minute)
	within(must(r.MemoryUsage(ctx, "raw")), 45, 500)
}

func scan(r *redis.Client) {
	pipe := r.Pipeline()
	for i := range 500 {
		pipe.Set(ctx, fmt.Sprint("str:", i), i, 0)
	}
	for i := range 50 {
		pipe.SAdd(ctx, fmt.Sprint("set:", i), i)
	}
	_, err := pipe.Exec(ctx)
	same(err, nil)
	is(r.DBSize(ctx), 550)
	same(everything(r.Scan(ctx, 0, "", 50)), slices.Sorted(slices.Values(must(r.Keys(ctx, "*")))))
	forties := words("str:40 str:41 str:42 str:43 str:44 str:45 str:46 str:47 str:48 str:49")
	same(everything(r.Scan(ctx, 0, "str:4?", 1000)), forties)
	same(len(everything(r.ScanType(ctx, 0, "", 0, "set"))), 50)
	sorted(r.Keys(ctx, "set:[12]"), "set:1", "set:2")
	refused(r.Do(ctx, "SCAN", "x"), "invalid cursor")
}

// everything follows the cursor of a scan to its end and sorts what it found.
func everything(command *redis.ScanCmd) []string {
	found := []string{}
	iterator := command.Iterator()
	for iterator.Next(ctx) {
		found = append(found, iterator.Val())
	}
	same(iterator.Err(), nil)
	slices.Sort(found)
	return slices.Compact(found)
}

func sort(r *redis.Client) {
	is(r.RPush(ctx, "l", 3, 1, 2), 3)
	is(r.Sort(ctx, "l", &redis.Sort{}), words("1 2 3"))
	is(r.Sort(ctx, "l", &redis.Sort{Order: "DESC", Count: 2}), words("3 2"))
	is(r.MSet(ctx, "w1", 30, "w2", 20, "w3", 10, "v1", "one", "v2", "two"), "OK")
	is(r.Sort(ctx, "l", &redis.Sort{By: "w*"}), words("3 2 1"))
	two := redis.Sort{By: "w*", Get: words("# v*")}
	is(r.SortInterfaces(ctx, "l", &two), []any{"3", nil, "2", "two", "1", "one"})
	is(r.SortStore(ctx, "l", "sorted", &redis.Sort{Alpha: true}), 3)
	is(r.LRange(ctx, "sorted", 0, -1), words("1 2 3"))
	is(r.RPush(ctx, "words", "b", "a"), 2)
	refused(r.Sort(ctx, "words", &redis.Sort{}), "One or more scores can't be converted into double")
	is(r.SortRO(ctx, "words", &redis.Sort{Alpha: true}), words("a b"))
}

func flush(r *redis.Client) {
	is(r.MSet(ctx, "a", 1, "b", 2), "OK")
	is(r.DBSize(ctx), 2)
	is(r.FlushDB(ctx), "OK")
	is(r.DBSize(ctx), 0)
	five := sibling(r, func(o *redis.Options) { o.DB = 5 })
	defer five.Close()
	is(five.Set(ctx, "k", "v", 0), "OK")
	is(r.FlushAll(ctx), "OK")
	is(five.Exists(ctx, "k"), 0)
}
