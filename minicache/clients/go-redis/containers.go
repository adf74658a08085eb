package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Lists, hashes, sets, sorted sets.
var containers = behaviors{
	15: lists, 16: lpos, 17: listMoves, 18: blockingPops, 19: blockingMoves, 20: hashes,
	21: hashCounters, 22: randomFields, 23: hscan, 24: sets, 25: setAlgebra, 26: randomMembers,
	27: sscan, 28: zadd, 29: zrange, 30: zrangestore, 31: zsetAlgebra, 32: zpops,
	33: zscanZrandmember, 34: edgeScores,
}

func lists(r *redis.Client) {
	is(r.LPushX(ctx, "l", "x"), 0)
	is(r.RPush(ctx, "l", "b", "c", "d"), 3)
	is(r.LPush(ctx, "l", "a"), 4)
	is(r.LRange(ctx, "l", 0, -1), words("a b c d"))
	is(r.LRange(ctx, "l", -2, 100), words("c d"))
	is(r.LIndex(ctx, "l", 0), "a")
	is(r.LIndex(ctx, "l", -1), "d")
	none(r.LIndex(ctx, "l", 9))
	is(r.LSet(ctx, "l", 1, "B"), "OK")
	refused(r.LSet(ctx, "l", 9, "x"), "index out of range")
	is(r.LInsertBefore(ctx, "l", "c", "b2"), 5)
	is(r.LInsertAfter(ctx, "l", "none", "x"), -1)
	is(r.LRem(ctx, "l", -1, "b2"), 1)
	is(r.LTrim(ctx, "l", 1, -1), "OK")
	is(r.LPop(ctx, "l"), "B")
	is(r.RPopCount(ctx, "l", 5), words("d c"))
	none(r.LPop(ctx, "l"))
	is(r.LLen(ctx, "l"), 0)
	is(r.Exists(ctx, "l"), 0)
}

func lpos(r *redis.Client) {
	is(r.RPush(ctx, "l", "a", "b", "c", "d", "a", "c", "b"), 7)
	is(r.LPos(ctx, "l", "c", redis.LPosArgs{}), 2)
	is(r.LPos(ctx, "l", "c", redis.LPosArgs{Rank: -1}), 5)
	is(r.LPosCount(ctx, "l", "a", 0, redis.LPosArgs{}), []int64{0, 4})
	none(r.LPos(ctx, "l", "c", redis.LPosArgs{MaxLen: 2}))
	refused(r.Do(ctx, "LPOS", "l", "a", "RANK", 0), "RANK can't be zero")
}

func listMoves(r *redis.Client) {
	is(r.RPush(ctx, "a", 1, 2, 3), 3)
	is(r.LMove(ctx, "a", "b", "LEFT", "RIGHT"), "1")
	is(r.RPopLPush(ctx, "a", "b"), "3")
	is(r.LRange(ctx, "b", 0, -1), words("3 1"))
	none(r.LMove(ctx, "none", "b", "LEFT", "RIGHT"))
	key, values, err := r.LMPop(ctx, "RIGHT", 5, "none", "b").Result()
	same([]any{key, values, err}, []any{"b", words("1 3"), nil})
	none(r.LMPop(ctx, "LEFT", 1, "none"))
}

func blockingPops(r *redis.Client) {
	is(r.RPush(ctx, "l", "v"), 1)
	is(r.BLPop(ctx, time.Second, "none", "l"), words("l v"))
	none(r.Do(ctx, "BLPOP", "l", 0.05))
	pop := func() (any, error) { return r.BRPop(ctx, 10*time.Second, "x", "y").Result() }
	whileBlocked(r, pop, redis.NewCmd(ctx, "RPUSH", "y", "late"), words("y late"))
	is(r.Exists(ctx, "y"), 0)
	refused(r.Do(ctx, "BLPOP", "l", -1), "timeout is negative")
}

func blockingMoves(r *redis.Client) {
	none(r.Do(ctx, "BLMOVE", "a", "b", "LEFT", "RIGHT", 0.05))
	move := func() (any, error) {
		return r.BLMove(ctx, "a", "b", "LEFT", "RIGHT", 10*time.Second).Result()
	}
	whileBlocked(r, move, redis.NewCmd(ctx, "RPUSH", "a", "v"), "v")
	is(r.LRange(ctx, "b", 0, -1), words("v"))
	none(r.Do(ctx, "BLMPOP", 0.05, 1, "a", "LEFT"))
	pop := func() (any, error) {
		key, values, err := r.BLMPop(ctx, 10*time.Second, "LEFT", 2, "a", "c").Result()
		return append([]string{key}, values...), err
	}
	whileBlocked(r, pop, redis.NewCmd(ctx, "RPUSH", "c", 1, 2, 3), words("c 1 2"))
	is(r.LRange(ctx, "c", 0, -1), words("3"))
}

func hashes(r *redis.Client) {
	is(r.HSet(ctx, "h", "a", 1, "b", 2), 2)
	is(r.HSet(ctx, "h", "a", "x"), 0)
	is(r.HGet(ctx, "h", "a"), "x")
	none(r.HGet(ctx, "h", "none"))
	is(r.HMGet(ctx, "h", "a", "none", "b"), []any{"x", nil, "2"})
	is(r.HGetAll(ctx, "h"), map[string]string{"a": "x", "b": "2"})
	is(r.HGetAll(ctx, "none"), map[string]string{})
	sorted(r.HKeys(ctx, "h"), "a", "b")
	sorted(r.HVals(ctx, "h"), "2", "x")
	is(r.HExists(ctx, "h", "a"), true)
	is(r.HExists(ctx, "h", "none"), false)
	is(r.HLen(ctx, "h"), 2)
	is(r.HSetNX(ctx, "h", "a", 1), false)
	is(r.HSetNX(ctx, "h", "c", "ccc"), true)
	is(r.HStrLen(ctx, "h", "c"), 3)
	is(r.HDel(ctx, "h", "a", "b", "c", "none"), 3)
	is(r.Exists(ctx, "h"), 0)
}

func hashCounters(r *redis.Client) {
	is(r.HIncrBy(ctx, "h", "n", 5), 5)
	is(r.HIncrBy(ctx, "h", "n", -7), -2)
	is(r.HIncrByFloat(ctx, "h", "f", 2.25), 2.25)
	is(r.HGet(ctx, "h", "f"), "2.25")
	is(r.HSet(ctx, "h", "t", "x"), 1)
	refused(r.HIncrBy(ctx, "h", "t", 1), "hash value is not an integer")
	refused(r.HIncrByFloat(ctx, "h", "t", 1), "hash value is not a float")
}

func randomFields(r *redis.Client) {
	pairs := map[string]string{}
	for i := range 10 {
		pairs[fmt.Sprint("f", i)] = fmt.Sprint(i)
	}
	is(r.HSet(ctx, "h", pairs), 10)
	same(len(must(r.HRandField(ctx, "h", 1))), 1)
	sorted(r.HRandField(ctx, "h", 20), words("f0 f1 f2 f3 f4 f5 f6 f7 f8 f9")...)
	same(len(must(r.HRandField(ctx, "h", -20))), 20)
	drawn := must(r.HRandFieldWithValues(ctx, "h", 3))
	same(len(drawn), 3)
	for _, one := range drawn {
		same(one.Value, pairs[one.Key])
	}
	is(r.HRandField(ctx, "none", 1), []string{})
}

func hscan(r *redis.Client) {
	pairs := map[string]string{}
	flat := []string{}
	for i := range 1000 {
		field, value := fmt.Sprint("f", i), fmt.Sprint(i)
		pairs[field] = value
		flat = append(flat, field, value)
	}
	is(r.HSet(ctx, "h", pairs), 1000)
	same(everything(r.HScan(ctx, "h", 0, "", 100)), slices.Sorted(slices.Values(flat)))
	same(len(everything(r.HScan(ctx, "h", 0, "f99?", 1000))), 20)
}

func sets(r *redis.Client) {
	is(r.SAdd(ctx, "s", "a", "b", "c", "a"), 3)
	sorted(r.SMembers(ctx, "s"), "a", "b", "c")
	is(r.SIsMember(ctx, "s", "a"), true)
	is(r.SIsMember(ctx, "s", "x"), false)
	is(r.SMIsMember(ctx, "s", "a", "x", "c"), []bool{true, false, true})
	is(r.SCard(ctx, "s"), 3)
	is(r.SRem(ctx, "s", "a", "x"), 1)
	is(r.SMove(ctx, "s", "t", "b"), true)
	is(r.SMove(ctx, "s", "t", "x"), false)
	is(r.SMembers(ctx, "s"), words("c"))
	is(r.SMembersMap(ctx, "t"), map[string]struct{}{"b": {}})
}

func setAlgebra(r *redis.Client) {
	is(r.SAdd(ctx, "a", 1, 2, 3, 4), 4)
	is(r.SAdd(ctx, "b", 3, 4, 5), 3)
	sorted(r.SInter(ctx, "a", "b"), "3", "4")
	sorted(r.SUnion(ctx, "a", "b"), "1", "2", "3", "4", "5")
	sorted(r.SDiff(ctx, "a", "b"), "1", "2")
	is(r.SInterCard(ctx, 0, "a", "b"), 2)
	is(r.SInterCard(ctx, 1, "a", "b"), 1)
	is(r.SInterStore(ctx, "i", "a", "b"), 2)
	is(r.SUnionStore(ctx, "u", "a", "b"), 5)
	is(r.SDiffStore(ctx, "d", "b", "a"), 1)
	is(r.SMembers(ctx, "d"), words("5"))
	is(r.SInterStore(ctx, "i", "a", "none"), 0)
	is(r.Exists(ctx, "i"), 0)
}

func randomMembers(r *redis.Client) {
	everyone := words("0 1 2 3 4 5 6 7 8 9")
	is(r.SAdd(ctx, "s", everyone), 10)
	same(slices.Contains(everyone, must(r.SRandMember(ctx, "s"))), true)
	sorted(r.SRandMemberN(ctx, "s", 20), everyone...)
	same(len(must(r.SRandMemberN(ctx, "s", -20))), 20)
	members := append(must(r.SPopN(ctx, "s", 4)), must(r.SPop(ctx, "s")))
	is(r.SCard(ctx, "s"), 5)
	members = append(members, must(r.SMembers(ctx, "s"))...)
	same(slices.Sorted(slices.Values(members)), everyone)
	none(r.SPop(ctx, "none"))
}

func sscan(r *redis.Client) {
	members := []string{}
	for i := range 1000 {
		members = append(members, fmt.Sprint("m", i))
	}
	slices.Sort(members)
	is(r.SAdd(ctx, "s", members), 1000)
	same(everything(r.SScan(ctx, "s", 0, "", 100)), members)
	same(len(everything(r.SScan(ctx, "s", 0, "m99?", 0))), 10)
}

func zadd(r *redis.Client) {
	is(r.ZAdd(ctx, "z", scored("a", 1, "b", 2, "c", 3)...), 3)
	is(r.ZAddNX(ctx, "z", scored("a", 9)...), 0)
	is(r.ZAddXX(ctx, "z", scored("x", 9)...), 0)
	is(r.ZAddArgs(ctx, "z", redis.ZAddArgs{Ch: true, Members: scored("a", 5, "d", 4)}), 2)
	is(r.ZAddArgs(ctx, "z", redis.ZAddArgs{GT: true, Ch: true, Members: scored("a", 3)}), 0)
	is(r.ZAddArgs(ctx, "z", redis.ZAddArgs{LT: true, Ch: true, Members: scored("a", 0.5)}), 1)
	is(r.ZAddArgsIncr(ctx, "z", redis.ZAddArgs{Members: scored("a", 1.5)}), 2)
	none(r.ZAddArgsIncr(ctx, "z", redis.ZAddArgs{NX: true, Members: scored("a", 1)}))
	is(r.ZScore(ctx, "z", "a"), 2)
	none(r.ZScore(ctx, "z", "none"))
	is(r.ZMScore(ctx, "z", "b", "none"), []float64{2, 0})
	is(r.ZIncrBy(ctx, "z", 0.25, "b"), 2.25)
	is(r.ZCard(ctx, "z"), 4)
	is(r.ZRank(ctx, "z", "a"), 0)
	is(r.ZRevRank(ctx, "z", "a"), 3)
	none(r.ZRank(ctx, "z", "none"))
	is(r.ZRem(ctx, "z", "a", "none"), 1)
	is(r.ZCard(ctx, "z"), 3)
	refused(r.Do(ctx, "ZADD", "z", "NX", "GT", 1, "m"), "GT, LT, and/or NX options")
	refused(r.Do(ctx, "ZADD", "z", "x", "m"), "value is not a valid float")
}

func zrange(r *redis.Client) {
	is(r.ZAdd(ctx, "z", scored("a", 1, "b", 2, "c", 3, "d", 4)...), 4)
	is(r.ZRange(ctx, "z", 0, 1), words("a b"))
	is(r.ZRangeArgsWithScores(ctx, redis.ZRangeArgs{Key: "z", Start: 0, Stop: 1, Rev: true}),
		scored("d", 4, "c", 3))
	page := redis.ZRangeArgs{Key: "z", Start: "(1", Stop: "+inf", ByScore: true, Offset: 1, Count: 5}
	is(r.ZRangeArgs(ctx, page), words("c d"))
	down := redis.ZRangeArgs{Key: "z", Start: 3, Stop: 1, ByScore: true, Rev: true}
	is(r.ZRangeArgs(ctx, down), words("c b a"))
	is(r.ZRangeByScore(ctx, "z", &redis.ZRangeBy{Min: "2", Max: "(4"}), words("b c"))
	is(r.ZRevRangeByScore(ctx, "z", &redis.ZRangeBy{Min: "3", Max: "+inf"}), words("d c"))
	is(r.ZCount(ctx, "z", "(1", "3"), 2)
	is(r.ZCount(ctx, "z", "9", "10"), 0)
	is(r.ZAdd(ctx, "lex", scored("a", 0, "b", 0, "c", 0, "d", 0, "e", 0)...), 5)
	lex := redis.ZRangeArgs{Key: "lex", Start: "[b", Stop: "(d", ByLex: true}
	is(r.ZRangeArgs(ctx, lex), words("b c"))
	last := redis.ZRangeArgs{Key: "lex", Start: "+", Stop: "-", ByLex: true, Rev: true, Count: 2}
	is(r.ZRangeArgs(ctx, last), words("e d"))
	is(r.ZLexCount(ctx, "lex", "-", "+"), 5)
	is(r.ZRangeByLex(ctx, "lex", &redis.ZRangeBy{Min: "(d", Max: "+"}), words("e"))
	wrong := redis.ZRangeArgs{Key: "z", Start: "x", Stop: 1, ByScore: true}
	refused(r.ZRangeArgs(ctx, wrong), "min or max is not a float")
}

func zrangestore(r *redis.Client) {
	is(r.ZAdd(ctx, "z", scored("a", 0, "b", 1, "c", 2, "d", 3, "e", 4, "f", 5, "g", 6, "h", 7)...), 8)
	is(r.ZRangeStore(ctx, "dst", redis.ZRangeArgs{Key: "z", Start: 1, Stop: 3}), 3)
	is(r.ZRangeWithScores(ctx, "dst", 0, -1), scored("b", 1, "c", 2, "d", 3))
	is(r.ZRemRangeByRank(ctx, "z", 0, 1), 2)
	is(r.ZRemRangeByScore(ctx, "z", "(2", "4"), 2)
	is(r.ZRange(ctx, "z", 0, -1), words("c f g h"))
	is(r.ZAdd(ctx, "lex", scored("a", 0, "b", 0, "c", 0)...), 3)
	is(r.ZRemRangeByLex(ctx, "lex", "-", "[b"), 2)
	is(r.ZRange(ctx, "lex", 0, -1), words("c"))
}

func zsetAlgebra(r *redis.Client) {
	is(r.ZAdd(ctx, "a", scored("x", 1, "y", 2)...), 2)
	is(r.ZAdd(ctx, "b", scored("y", 3, "z", 4)...), 2)
	both := words("a b")
	is(r.ZUnionWithScores(ctx, redis.ZStore{Keys: both}), scored("x", 1, "z", 4, "y", 5))
	weighted := redis.ZStore{Keys: both, Weights: []float64{2, 10}, Aggregate: "MAX"}
	is(r.ZUnionWithScores(ctx, weighted), scored("x", 2, "y", 30, "z", 40))
	is(r.ZInterWithScores(ctx, &redis.ZStore{Keys: both, Aggregate: "MIN"}), scored("y", 2))
	is(r.ZDiffWithScores(ctx, both...), scored("x", 1))
	is(r.ZUnionStore(ctx, "u", &redis.ZStore{Keys: both, Weights: []float64{1, 0.5}}), 3)
	is(r.ZRangeWithScores(ctx, "u", 0, -1), scored("x", 1, "z", 2, "y", 3.5))
	is(r.ZInterStore(ctx, "i", &redis.ZStore{Keys: both}), 1)
	is(r.ZDiffStore(ctx, "d", "b", "a"), 1)
	is(r.ZInterCard(ctx, 0, both...), 1)
	is(r.ZRange(ctx, "d", 0, -1), words("z"))
}

func zpops(r *redis.Client) {
	is(r.ZAdd(ctx, "z", scored("a", 0, "b", 1, "c", 2, "d", 3, "e", 4, "f", 5)...), 6)
	is(r.ZPopMin(ctx, "z"), scored("a", 0))
	is(r.ZPopMax(ctx, "z", 2), scored("f", 5, "e", 4))
	key, popped, err := r.ZMPop(ctx, "MIN", 2, "none", "z").Result()
	same([]any{key, popped, err}, []any{"z", scored("b", 1, "c", 2), nil})
	is(r.BZPopMin(ctx, time.Second, "none", "z"), &redis.ZWithKey{Z: scored("d", 3)[0], Key: "z"})
	is(r.ZPopMin(ctx, "z"), scored())
	none(r.Do(ctx, "BZPOPMAX", "z", 0.05))
	low := func() (any, error) { return r.BZPopMin(ctx, 10*time.Second, "z").Result() }
	want := &redis.ZWithKey{Z: scored("m", 7)[0], Key: "z"}
	whileBlocked(r, low, redis.NewCmd(ctx, "ZADD", "z", 7, "m"), want)
	high := func() (any, error) {
		_, popped, err := r.BZMPop(ctx, 10*time.Second, "MAX", 1, "z").Result()
		return popped, err
	}
	whileBlocked(r, high, redis.NewCmd(ctx, "ZADD", "z", 1, "p", 2, "q"), scored("q", 2))
}

func zscanZrandmember(r *redis.Client) {
	scores := map[string]float64{}
	flat := []string{}
	for i := range 1000 {
		member := fmt.Sprint("m", i)
		scores[member] = float64(i)
		flat = append(flat, member, strconv.Itoa(i))
		is(r.ZAdd(ctx, "z", redis.Z{Score: float64(i), Member: member}), 1)
	}
	same(everything(r.ZScan(ctx, "z", 0, "", 100)), slices.Sorted(slices.Values(flat)))
	same(len(must(r.ZRandMember(ctx, "z", 5))), 5)
	same(len(must(r.ZRandMember(ctx, "z", -20))), 20)
	drawn := must(r.ZRandMemberWithScores(ctx, "z", 3))
	same(len(drawn), 3)
	for _, one := range drawn {
		same(one.Score, scores[one.Member.(string)])
	}
}

func edgeScores(r *redis.Client) {
	third := 1.0 / 3
	is(r.ZAdd(ctx, "z", scored("low", math.Inf(-1), "high", math.Inf(1), "tiny", 5e-324,
		"third", third, "big", 1e308)...), 5)
	is(r.ZRange(ctx, "z", 0, -1), words("low tiny third big high"))
	is(r.ZMScore(ctx, "z", "low", "high"), []float64{math.Inf(-1), math.Inf(1)})
	is(r.ZScore(ctx, "z", "third"), third)
	is(r.ZScore(ctx, "z", "tiny"), 5e-324)
	is(r.ZRangeByScore(ctx, "z", &redis.ZRangeBy{Min: "-inf", Max: "(0"}), words("low"))
	refused(r.ZIncrBy(ctx, "z", math.Inf(-1), "high"), "resulting score is not a number (NaN)")
	refused(r.Do(ctx, "ZADD", "z", "nan", "m"), "value is not a valid float")
}
