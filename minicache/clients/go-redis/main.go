// go-redis against the server at HOST PORT, in RESP2 and in RESP3, its default.
package main

import (
	"fmt"
	"maps"
	"os"

	"github.com/redis/go-redis/v9"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: go-redis HOST PORT")
		os.Exit(2)
	}
	all := behaviors{}
	maps.Copy(all, sessions)
	maps.Copy(all, keyspace)
	maps.Copy(all, containers)
	failures := 0
	for _, protocol := range []int{2, 3} {
		r := redis.NewClient(&redis.Options{Addr: os.Args[1] + ":" + os.Args[2], Protocol: protocol})
		failures += run(fmt.Sprintf("go-redis %s RESP%d", redis.Version(), protocol), all, r)
		r.Close()
	}
	if failures > 0 {
		os.Exit(1)
	}
}
