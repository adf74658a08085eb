// pgx: binary, statements prepared and cached by itself, batches, blocks.
package main

import (
	"context"
	"errors"
	"log"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

var ctx = context.Background()

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func check(name string, holds bool) {
	if !holds {
		log.Fatal(name)
	}
}

func main() {
	// Address, port, user and database come from the environment, as for psql.
	conn, err := pgx.Connect(ctx, "")
	must(err)
	defer conn.Close(ctx)
	execute := func(sql string, values ...any) int64 {
		tag, err := conn.Exec(ctx, sql, values...)
		must(err)
		return tag.RowsAffected()
	}
	count := func() (found int64) {
		must(conn.QueryRow(ctx, "select count(*) from pgx").Scan(&found))
		return
	}

	execute("drop table if exists pgx")
	execute("create table pgx (i int primary key, b bool, l int8, s varchar(20), m timestamp)")
	moment := time.Date(2026, 11, 28, 1, 2, 3, 500000000, time.UTC)
	insert := "insert into pgx values ($1, $2, $3, $4, $5)"
	check("insert", execute(insert, 1, true, int64(9000000000), "x'y", moment) == 1)
	var b bool
	var l int64
	var s *string
	var m time.Time
	for range 8 {
		row := conn.QueryRow(ctx, "select b, l, s, m from pgx where i = $1", 1)
		must(row.Scan(&b, &l, &s, &m))
		check("values", b && l == 9000000000 && *s == "x'y" && m.Equal(moment))
	}

	execute("insert into pgx (i, s) values ($1, $2)", 2, nil)
	must(conn.QueryRow(ctx, "select s from pgx where i = 2").Scan(&s))
	check("null", s == nil)

	among := "select count(*) from pgx where i = any($1) and s <> all($2)"
	for _, array := range [][]int32{{}, {1}, {2, 1, 3}} {
		var found int
		must(conn.QueryRow(ctx, among, array, []string{"a,b", ""}).Scan(&found))
		check("array", (found == 1) == (len(array) > 0))
	}

	batch := &pgx.Batch{}
	for n := 10; n < 20; n++ {
		batch.Queue("insert into pgx (i) values ($1)", n)
	}
	must(conn.SendBatch(ctx, batch).Close())
	check("batch", count() == 12)

	tx, err := conn.Begin(ctx)
	must(err)
	_, err = tx.Exec(ctx, "delete from pgx")
	must(err)
	must(tx.Rollback(ctx))
	check("rollback", count() == 12)

	_, err = conn.Exec(ctx, "insert into pgx (i) values ($1)", 1)
	var failure *pgconn.PgError
	check("a key twice", errors.As(err, &failure) && failure.Code == "23505")
	execute("drop table pgx")
}
