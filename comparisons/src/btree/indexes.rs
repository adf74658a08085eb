//! What an index costs and what it saves: building it, probing it, and keeping it.
//!
//! ```text
//! create index on pgbench_accounts using hash (aid)       a million rows, 1.31 s
//! select v from probed_hash where id = 4711               pgbench -f, 8 clients
//! insert into priced select … 50,000 rows                 with 0, 1, … 5 indexes on random keys
//! ```
//!
//! The keys of the rows that are inserted are in no order, so each index gets its entries on leaves
//! all over it. That is the usual case, and the dear one.

use std::fs;
use std::time::Instant;

use super::cost;
use super::load::SCALE;
use super::systems::Tools;
use super::transactions::result_of;
use crate::Result;
use crate::model::{Better, Comparison, Row};
use crate::provider::Server;
use crate::rounds::Rounds;

/// The row of a B+tree over a million rows.
pub const CREATE: &str = "CREATE INDEX";
/// The row of a hash index over them.
pub const CREATE_HASH: &str = "CREATE INDEX USING hash";

/// The rows that are inserted, and the indexes that they get at most.
const PRICED: u64 = 50_000;
const INDEXES_MAX: usize = 5;
/// The rows of the tables that are probed.
const PROBED: u64 = 200_000;
/// The rows of a range.
const RANGE: u64 = 100;

/// The planned seconds of a round on one server.
pub const SECONDS: f64 = 15.0;

/// Builds both kinds of index over the accounts of pgbench, as rows of the comparison of loading.
pub fn create(rounds: &mut Rounds, tools: &Tools, servers: &[Server; 2]) -> Result<Vec<Row>> {
    let kinds = [(CREATE, "btree"), (CREATE_HASH, "hash")];
    let rows = kinds.map(|(name, kind)| {
        let command = format!("create index built on pgbench_accounts using {kind} (aid)");
        let [ours, theirs] = rounds.all(name, 1.5, |side| {
            let begun = Instant::now();
            tools.sql(&servers[side], &command)?;
            let seconds = begun.elapsed().as_secs_f64();
            tools.sql(&servers[side], "drop index built")?;
            Ok((SCALE * 100_000) as f64 / seconds)
        })?;
        Ok(Row { name: name.into(), ours, theirs, command, bar: None })
    });
    rows.into_iter().collect()
}

/// Finds single rows through both kinds, and ranges through a B+tree.
pub fn probe(rounds: &mut Rounds, tools: &Tools, servers: &[Server; 2]) -> Result<Comparison> {
    for (server, kind) in servers.iter().flat_map(|it| [(it, "btree"), (it, "hash")]) {
        for statement in [
            format!("create table probed_{kind} (id int, v int)"),
            format!("insert into probed_{kind} select i, i from generate_series(1, {PROBED}) i"),
            format!("create index probed_by_{kind} on probed_{kind} using {kind} (id)"),
            format!("vacuum analyze probed_{kind}"),
        ] {
            tools.sql(server, &statement)?;
        }
    }

    let probes = [
        ("point btree", "select v from probed_btree where id = :id"),
        ("point hash", "select v from probed_hash where id = :id"),
        ("range btree", "select sum(v) from probed_btree where id between :id and :id + 99"),
    ];
    let mut rows = Vec::new();
    for (name, query) in probes {
        let file = std::env::temp_dir().join(format!("probe-{}.sql", std::process::id()));
        fs::write(&file, format!("\\set id random(1, {})\n{query};\n", PROBED - RANGE))?;
        let arguments = format!("-n -f {} -M prepared -c 8 -T 1", file.display());
        let measured = rounds.all(name, 1.5, |side| {
            let output = tools.pgbench(&servers[side], &arguments)?;
            let (_, per_second) = result_of(&output).ok_or_else(|| format!("no tps: {output}"))?;
            Ok(per_second)
        });
        fs::remove_file(&file)?;
        let [ours, theirs] = measured?;
        rows.push(Row { name: name.into(), ours, theirs, command: query.into(), bar: None });
    }
    let detail = format!("{PROBED} rows of two integers, ranges of {RANGE} rows, 8 clients");
    let meaning = "Queries a second through one index that is in memory.";
    Ok(comparison(
        ("probes", "Point and range queries", "queries/s", Better::Higher),
        (detail, meaning, "pgbench -n -f QUERY -M prepared -c 8 -T 1"),
        servers[1].name,
        rows,
    ))
}

/// The price of 0 to 5 indexes: time, log and pages of a row that is inserted.
pub fn price(rounds: &mut Rounds, tools: &Tools, servers: &[Server; 2]) -> Result<Vec<Comparison>> {
    let mut rows = [Vec::new(), Vec::new(), Vec::new()];
    for count in 0..=INDEXES_MAX {
        let name = format!("{count} indexes");
        let samples = rounds.all(&name, 2.0, |side| insert(tools, &servers[side], count))?;
        for (at, rows) in rows.iter_mut().enumerate() {
            let [ours, theirs] =
                samples.each_ref().map(|all| all.iter().map(|sample| sample[at]).collect());
            rows.push(Row { name: name.clone(), ours, theirs, command: String::new(), bar: None });
        }
    }

    let headings = [
        ("price-time", "Inserting a row with indexes: time", "us"),
        ("price-log", "Inserting a row with indexes: log", "bytes"),
        ("price-pages", "Inserting a row with indexes: pages of table and indexes", "pages/1000"),
    ];
    let made = headings.into_iter().zip(rows).map(|((id, title, unit), rows)| {
        let detail = format!("{PRICED} rows of five integers in no order, one statement");
        let meaning = "What each more index adds to a row, in a table that was empty.";
        let command = "insert into priced select … from generate_series(1, 50000)";
        let heading = (id, title, unit, Better::Lower);
        comparison(heading, (detail, meaning, command), servers[1].name, rows)
    });
    Ok(made.collect())
}

/// Microseconds, bytes of log and thousandths of pages for each row.
fn insert(tools: &Tools, server: &Server, indexes: usize) -> Result<[f64; 3]> {
    const COLUMNS: [&str; INDEXES_MAX] = ["a", "b", "c", "d", "e"];
    tools.sql(server, "drop table if exists priced")?;
    tools.sql(server, "create table priced (a int, b int, c int, d int, e int)")?;
    for column in &COLUMNS[..indexes] {
        tools.sql(server, &format!("create index priced_{column} on priced ({column})"))?;
    }

    let log = || cost::log_end(server, tools).ok_or("the server does not say how long its log is");
    let (before, begun) = (log()?, Instant::now());
    let keys = [7_919, 15_485, 20_011, 30_011, 40_009].map(|it| format!("i * {it} % 50021"));
    let rows = format!("select {} from generate_series(1, {PRICED}) i", keys.join(", "));
    tools.sql(server, &format!("insert into priced {rows}"))?;
    let (seconds, bytes) = (begun.elapsed().as_secs_f64(), log()? - before);

    let count = tools.sql(server, "select count(*) from priced")?;
    if count != PRICED.to_string() {
        return Err(format!("{count} rows of {PRICED}").into());
    }
    let size: f64 = tools.sql(server, "select pg_total_relation_size('priced')")?.parse()?;
    let per_row = |it: f64| it / PRICED as f64;
    Ok([per_row(seconds * 1e6), per_row(bytes as f64), per_row(size / 8.192)])
}

fn comparison(
    (id, title, unit, better): (&str, &str, &str, Better),
    (detail, meaning, command): (String, &str, &str),
    theirs: &str,
    rows: Vec<Row>,
) -> Comparison {
    Comparison {
        id: id.into(),
        title: title.into(),
        detail,
        meaning: meaning.into(),
        command: command.into(),
        against: theirs.into(),
        unit: unit.into(),
        better,
        rows,
        curves: Vec::new(),
    }
}
