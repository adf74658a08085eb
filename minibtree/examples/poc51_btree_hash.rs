//! POC 51: what does an index cost, and what does a B+tree answer that a hash index does not?
//!
//! `cargo run --release -p minibtree --example poc51_btree_hash`
//!
//! The same long key is looked up through a B+tree and through a hash index. Then the same rows are
//! inserted into tables with no to five indexes of each kind. Pages and bytes are the same in every
//! run, so a test compares them; `-- --times` adds the time per row. `--against HOST:PORT` does the
//! same with a PostgreSQL.

mod common;

use common::Client;
use std::io;
use std::time::Instant;

const ROWS: usize = 30_000;
const INSERTED: usize = 5_000;
const KINDS: [&str; 2] = ["btree", "hash"];
const EXPLAIN: &str = "analyze, buffers, costs off, timing off, summary off";

fn main() -> io::Result<()> {
    let has_times = std::env::args().any(|it| it == "--times");
    print!("{}", run(&mut Client::from_arguments()?, has_times)?);
    Ok(())
}

fn run(client: &mut Client, has_times: bool) -> io::Result<String> {
    Ok(look_ups(client)? + "\n" + &insertions(client, has_times)?)
}

/// One key, a range and an order, with an index of each kind.
fn look_ups(client: &mut Client) -> io::Result<String> {
    // ANCHOR: table
    client.query("drop table if exists poc51_pages")?;
    client.query("create table poc51_pages (url text, hits int)")?;
    client.query(&format!(
        "insert into poc51_pages select 'https://example.com/articles/' || \
         lpad((i * 7919 % {ROWS})::text, 40, '0'), i from generate_series(1, {ROWS}) as i"
    ))?;
    client.query("vacuum analyze poc51_pages")?;
    // ANCHOR_END: table
    let url = format!("https://example.com/articles/{:0>40}", 4_711);

    let mut text = format!("{ROWS} rows with a key of {} bytes\n", url.len());
    for kind in KINDS {
        // ANCHOR: index
        client.query(&format!("create index poc51_url on poc51_pages using {kind} (url)"))?;
        let pages = &client.query("select pg_relation_size('poc51_url') / 8192")?[0][0];
        let equal = format!("select hits from poc51_pages where url = '{url}'");
        // The first execution reads pages that are not in memory.
        client.explain(EXPLAIN, &equal)?;
        let equal = client.explain(EXPLAIN, &equal)?;
        let range = format!("select hits from poc51_pages where url > '{url}' and url < '{url}~'");
        let range = client.explain("costs off", &range)?;
        let order = "select hits from poc51_pages order by url limit 3";
        let order = client.explain("costs off", order)?;
        client.query("drop index poc51_url")?;
        // ANCHOR_END: index
        text += &format!("\n{kind}: {pages} pages\n{equal}{range}{order}");
    }
    Ok(text)
}

/// What rows cost in tables with more and more indexes.
fn insertions(client: &mut Client, has_times: bool) -> io::Result<String> {
    let head = if has_times { "  us/row" } else { "" };
    let mut text =
        format!("{INSERTED} rows inserted\nindexes          log bytes/row  pages{head}\n");
    for kind in KINDS {
        for count in 0..=5 {
            // ANCHOR: insert
            client.query("drop table if exists poc51_items")?;
            client.query("create table poc51_items (a int, b int, c int, d int, e int)")?;
            for column in ["a", "b", "c", "d", "e"].iter().take(count) {
                client.query(&format!("create index on poc51_items using {kind} ({column})"))?;
            }
            let (before, start) = (log_end(client)?, Instant::now());
            client.query(&format!(
                "insert into poc51_items select i, i * 7919 % {INSERTED}, i * 6007 % {INSERTED}, \
                 i * 5003 % {INSERTED}, i * 4001 % {INSERTED} from generate_series(1, {INSERTED}) \
                 as i"
            ))?;
            let time = start.elapsed();
            let bytes = (log_end(client)? - before) as f64 / INSERTED as f64;
            let pages = "select pg_total_relation_size('poc51_items') / 8192";
            let pages = &client.query(pages)?[0][0];
            // ANCHOR_END: insert
            let time = match has_times {
                true => format!("  {:>6.1}", time.as_secs_f64() * 1e6 / INSERTED as f64),
                false => String::new(),
            };
            text += &format!("{count} {kind:<13}  {bytes:>13.0}  {pages:>5}{time}\n");
        }
    }
    Ok(text)
}

/// The end of the log, in bytes since the server was created.
fn log_end(client: &mut Client) -> io::Result<i64> {
    let rows = client.query("select pg_current_wal_insert_lsn()")?;
    let (high, low) = rows[0][0].split_once('/').expect("two halves");
    let half = |digits| i64::from_str_radix(digits, 16).map_err(io::Error::other);
    Ok(half(high)? << 32 | half(low)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_is_the_recorded_one() {
        let mut client = Client::start().expect("the server starts");
        let output = run(&mut client, false).expect("the server answers");
        common::assert_recorded("poc51_btree_hash", &output);
    }
}
