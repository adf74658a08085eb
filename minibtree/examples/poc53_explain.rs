//! POC 53: where did the time go, and was the planner right?
//!
//! `cargo run --release -p minibtree --example poc53_explain`
//!
//! Five plans with estimates and what has really happened. `--against HOST:PORT` shows those of a
//! PostgreSQL.

mod common;

use common::Client;
use std::io;

const EXPLAIN: &str = "analyze, buffers, timing off, summary off";

fn main() -> io::Result<()> {
    print!("{}", run(&mut Client::from_arguments()?)?);
    Ok(())
}

fn run(client: &mut Client) -> io::Result<String> {
    let mut text = String::new();
    let mut show = |client: &mut Client, title: &str, sql: &str| -> io::Result<()> {
        text += &format!("{title}\n{}\n", client.explain(EXPLAIN, sql)?);
        Ok(())
    };

    // ANCHOR: table
    client.query("drop table if exists poc53_calls, poc53_users")?;
    client.query("create table poc53_users (id int primary key, name text)")?;
    client.query("create table poc53_calls (user_id int, seconds int, state text)")?;
    client
        .query("insert into poc53_users select i, 'user ' || i from generate_series(1, 5000) i")?;
    client.query(
        "insert into poc53_calls select i * 7919 % 5000 + 1, i * 6007 % 600, \
         case when i % 100 = 0 then 'failed' else 'done' end from generate_series(1, 10000) i",
    )?;
    client.query("create index poc53_state on poc53_calls (state)")?;
    // ANCHOR_END: table

    // ANCHOR: statistics
    let failed = "select seconds from poc53_calls where state = 'failed'";
    show(client, "1. before ANALYZE: how many calls have failed?", failed)?;
    client.query("vacuum analyze poc53_calls")?;
    client.query("vacuum analyze poc53_users")?;
    show(client, "2. after ANALYZE", failed)?;
    let done = "select seconds from poc53_calls where state = 'done'";
    show(client, "3. the same index is of no use for most of the rows", done)?;
    // ANCHOR_END: statistics

    // ANCHOR: joins
    let few = "select u.name from poc53_calls c join poc53_users u on u.id = c.user_id \
               where c.state = 'failed' and c.seconds < 20";
    show(client, "4. a join of few rows: times and rows are per loop", few)?;
    let all = "select u.name, c.seconds from poc53_calls c join poc53_users u \
               on u.id = c.user_id where c.seconds > 300";
    show(client, "5. a join of many rows", all)?;
    // ANCHOR_END: joins

    // ANCHOR: limit
    let longest = "select seconds from poc53_calls order by seconds desc limit 3";
    show(client, "6. a sort that keeps three rows", longest)?;
    show(client, "7. a scan that stops early", "select seconds from poc53_calls limit 3")?;
    // ANCHOR_END: limit
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_is_the_recorded_one() {
        let mut client = Client::start().expect("the server starts");
        common::assert_recorded("poc53_explain", &run(&mut client).expect("the server answers"));
    }
}
