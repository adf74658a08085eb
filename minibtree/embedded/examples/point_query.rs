//! What does a lookup by primary key cost without the wire?
//!
//! ```text
//! cargo run --release -p minibtree-embedded --example point_query -- DIR
//! ```
//!
//! One thread, 100,000 rows in memory. The same lookup in a session that is kept, which has its
//! plan, and in one of its own for each call, which loads the catalog and plans.

use minibtree_embedded::{Database, Result};
use std::time::Instant;

const ROWS: i64 = 100_000;

fn main() -> Result<()> {
    let directory = std::env::args().nth(1).unwrap_or_else(|| {
        eprintln!("usage: point_query DIR");
        std::process::exit(2);
    });
    let database = Database::open(directory)?;
    let mut session = database.session();
    session.execute_all(
        "DROP TABLE IF EXISTS points; CREATE TABLE points (id bigint PRIMARY KEY, name text)",
    )?;
    let sql = "INSERT INTO points SELECT i, 'point ' || i FROM generate_series(1, $1) i";
    session.execute(sql, &[&ROWS])?;
    session.execute_all("VACUUM ANALYZE points")?;

    let sql = "SELECT name FROM points WHERE id = $1";
    time("a session that is kept", 200_000, |id| session.execute(sql, &[&id]))?;
    time("a session for each call", 2_000, |id| database.execute(sql, &[&id]))?;
    let begun = Instant::now();
    let found = session
        .for_each("SELECT id, name FROM points", &[], |row| row.get::<&str>("name").map(drop))?;
    let each = begun.elapsed().as_secs_f64() * 1e6 / found as f64;
    println!("{:<28}{each:>8.2} µs a row", "a scan, row by row");
    Ok(())
}

fn time(what: &str, calls: i64, mut lookup: impl FnMut(i64) -> Result<u64>) -> Result<()> {
    let begun = Instant::now();
    for call in 0..calls {
        // Rows in an order that is not theirs.
        assert_eq!(lookup(1 + call * 7_919 % ROWS)?, 1);
    }
    let each = begun.elapsed().as_secs_f64() * 1e6 / calls as f64;
    println!("{what:<28}{each:>8.2} µs");
    Ok(())
}
