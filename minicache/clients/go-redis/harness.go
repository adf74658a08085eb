package main

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// A behavior checks replies of the server and panics if one is wrong. Its number is that of
// ../BEHAVIORS.md:
//
//	8: func(r *redis.Client) { none(r.GetDel(ctx, "missing")) }
type behaviors map[int]func(r *redis.Client)

var ctx = context.Background()

// run runs every behavior on an empty server, prints failures, returns their count.
func run(label string, all behaviors, r *redis.Client) int {
	held := []string{}
	for _, number := range slices.Sorted(maps.Keys(all)) {
		if failure := attempt(all[number], r); failure != nil {
			fmt.Printf("  FAIL %d %v\n", number, failure)
		} else {
			held = append(held, fmt.Sprint(number))
		}
	}
	fmt.Printf("  %s: %d of %d held: %s\n", label, len(held), len(all), strings.Join(held, " "))
	return len(all) - len(held)
}

func attempt(behavior func(*redis.Client), r *redis.Client) (failure any) {
	defer func() { failure = recover() }()
	is(r.FlushAll(ctx), "OK")
	behavior(r)
	return nil
}

// fail ends the behavior and names the line that failed.
func fail(format string, arguments ...any) {
	where := ""
	for depth := 1; ; depth++ {
		_, file, line, ok := runtime.Caller(depth)
		if !ok || !strings.HasSuffix(file, "harness.go") {
			where = fmt.Sprintf("%s:%d", file[strings.LastIndex(file, "/")+1:], line)
			break
		}
	}
	panic(where + ": " + fmt.Sprintf(format, arguments...))
}

// result is what every command of this client has.
type result[T any] interface{ Result() (T, error) }

// is expects exactly this answer.
func is[T any](command result[T], want T) {
	got, err := command.Result()
	if err != nil {
		fail("%v, want %v", err, want)
	}
	same(got, want)
}

// same expects equal values.
func same(got, want any) {
	if !reflect.DeepEqual(got, want) {
		fail("got %v, want %v", got, want)
	}
}

// must returns the answer of a command that has to succeed.
func must[T any](command result[T]) T {
	got, err := command.Result()
	if err != nil {
		fail("%v", err)
	}
	return got
}

// sorted expects these members in any order.
func sorted(command result[[]string], want ...string) {
	same(slices.Sorted(slices.Values(must(command))), want)
}

// within expects a number from low to high.
func within[T int64 | time.Duration](got, low, high T) {
	if got < low || got > high {
		fail("got %v, want %v to %v", got, low, high)
	}
}

// none expects the absent value.
func none(command redis.Cmder) {
	if command.Err() != redis.Nil {
		fail("got %v, want nil", command)
	}
}

// refused expects an error from the server that contains the text.
func refused(command redis.Cmder, text string) {
	if command.Err() == nil || !strings.Contains(command.Err().Error(), text) {
		fail("got %v, want the error %s", command, text)
	}
}

// eventually waits until the condition holds; fails when it has not after ten seconds.
func eventually(condition func() bool) {
	for deadline := time.Now().Add(10 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			fail("still not true after ten seconds")
		}
	}
}

// sibling is a second client of the same server, changed as asked.
func sibling(r *redis.Client, change func(*redis.Options)) *redis.Client {
	options := redis.Options{Addr: r.Options().Addr, Protocol: r.Options().Protocol}
	if change != nil {
		change(&options)
	}
	return redis.NewClient(&options)
}

// whileBlocked starts a blocking command, serves it once it blocks, expects its answer.
func whileBlocked(r *redis.Client, blocking func() (any, error), serving redis.Cmder, want any) {
	type answer struct {
		value any
		err   error
	}
	answers := make(chan answer)
	go func() {
		value, err := blocking()
		answers <- answer{value, err}
	}()
	eventually(func() bool {
		return strings.Contains(must(r.Info(ctx, "clients")), "blocked_clients:1\r")
	})
	if err := r.Process(ctx, serving); err != nil {
		fail("%v", err)
	}
	got := <-answers
	same(got, answer{want, nil})
}

// scored lists members with their scores: scored("a", 1, "b", 2).
func scored(pairs ...any) []redis.Z {
	members := []redis.Z{}
	for pair := range slices.Chunk(pairs, 2) {
		score := reflect.ValueOf(pair[1]).Convert(reflect.TypeFor[float64]()).Float()
		members = append(members, redis.Z{Member: pair[0], Score: score})
	}
	return members
}

// words splits at blanks.
func words(text string) []string { return strings.Fields(text) }
