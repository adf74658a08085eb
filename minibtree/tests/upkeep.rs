//! Upkeep of tables: what happens to indexes and statistics without a client that asks for rows.
#![cfg(not(loom))]

use minibtree::engine::{Database, Interrupt, Isolation, Options};
use minibtree::format::RelationId;
use minibtree::sql::{Cleaned, Next, Session, Shared, clean_tables};
use minibtree::wire::{Message, Replies};
use minikit::storage::{Cut, SimulatedDisk, Survivors, replay};
use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::thread;

struct Client {
    shared: Arc<Shared>,
    session: Session,
}

impl Client {
    fn open(disk: &SimulatedDisk) -> io::Result<Client> {
        let options = Options { pool_pages: 64, wal_segment_bytes: 1 << 16, ..Options::default() };
        let database = Database::open(Arc::new(disk.clone()), options).map_err(io::Error::other)?;
        Ok(Client::of(Arc::new(Shared::new(database, || 0).map_err(io::Error::other)?)))
    }

    fn of(shared: Arc<Shared>) -> Client {
        let session = Session::new(Arc::clone(&shared), Interrupt::default());
        Client { shared, session }
    }

    /// A second client of the same database.
    fn another(&self) -> Client {
        Client::of(Arc::clone(&self.shared))
    }

    /// Lets the cleaner look once, without rests.
    fn clean(&self) -> Vec<Cleaned> {
        clean_tables(&self.shared, &|| true).expect("the disk works")
    }

    /// The pages of all relations from a number on.
    fn pages(&self, first: RelationId) -> u32 {
        let database = &self.shared.database;
        let pages =
            |id| database.index(id).map_or_else(|_| heap_pages(database, id), |it| it.pages());
        database.relations().into_iter().filter(|it| *it >= first).map(pages).sum()
    }

    /// Executes statements. Returns the values of the rows, one after another.
    fn run(&mut self, sql: &str) -> io::Result<Vec<String>> {
        let mut out = Replies::default();
        let mut next = self.session.handle(Message::Query(sql), &mut out);
        while next == Next::Resume {
            next = self.session.resume(&mut out);
        }
        self.session.settle().map_err(io::Error::other)?;

        let (mut bytes, mut values) = (out.bytes(), Vec::new());
        while let [letter, a, b, c, d, ..] = *bytes {
            let length = u32::from_be_bytes([a, b, c, d]) as usize;
            let body = &bytes[5..1 + length];
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            match letter {
                b'E' => return Err(io::Error::other(text(body))),
                b'D' => {
                    let mut rest = &body[2..];
                    while let Some((length, after)) = rest.split_first_chunk::<4>() {
                        let length = u32::from_be_bytes(*length) as usize;
                        values.push(text(&after[..length]));
                        rest = &after[length..];
                    }
                }
                _ => {}
            }
            bytes = &bytes[1 + length..];
        }
        Ok(values)
    }
}

fn heap_pages(database: &Database, id: RelationId) -> u32 {
    database.heap(id).expect("a relation").pages()
}

/// Each round gives all rows other keys of an index, so no update can stay on its page without the
/// cleaner's help. After a few rounds, heap and indexes no longer grow.
#[test]
fn a_table_that_is_updated_keeps_its_size() {
    let run = |rounds: usize, is_cleaned: bool| {
        let mut client = Client::open(&SimulatedDisk::new(1)).expect("an empty disk");
        client.run("create table t (id int primary key, v int)").expect("works");
        client.run("create index t_v on t (v)").expect("works");
        client
            .run("insert into t select i, i from generate_series(1, 500) as g(i)")
            .expect("works");
        for _ in 0..rounds {
            client.run("update t set v = v + 1000").expect("works");
            if is_cleaned {
                client.clean();
            }
        }
        assert_eq!(
            client.run("select count(*), min(v) from t where v > 0").expect("works")[0],
            "500"
        );
        client.pages(RelationId::FIRST_ALLOCATED)
    };
    let early = run(5, true);
    assert!(run(40, true) <= early + 2, "{early} pages after 5 rounds");
    assert!(run(40, false) > 4 * early, "{early} pages after 5 rounds");
}

#[test]
fn the_cleaner_waits_for_the_horizon() {
    let mut client = Client::open(&SimulatedDisk::new(1)).expect("an empty disk");
    client.run("create table t (id int primary key, v int)").expect("works");
    client.run("insert into t select i, i from generate_series(1, 200) as g(i)").expect("works");
    let analyzed = Cleaned { table: "t".to_owned(), vacuumed: None, is_analyzed: true };
    assert_eq!(client.clean(), [analyzed]);
    assert_eq!(client.clean(), []);

    // The first look finds nothing to remove; the next ones know that it is still so.
    let mut old = client.another();
    old.run("begin isolation level repeatable read; select count(*) from t").expect("works");
    client.run("delete from t where id > 100").expect("works");
    let removed = |cleaned: &[Cleaned]| cleaned[0].vacuumed.map(|it| (it.rows, it.index_entries));
    assert_eq!(removed(&client.clean()), Some((0, 0)));
    assert_eq!(client.clean(), []);
    assert_eq!(old.run("select count(*) from t").expect("works"), ["200"]);

    old.run("commit").expect("works");
    client.run("insert into t values (0, 0)").expect("works");
    assert_eq!(removed(&client.clean()), Some((100, 100)));
    assert_eq!(client.clean(), []);
}

/// Sixty dead versions of one row are enough for a vacuum, but the scans of the updates prune them.
#[test]
fn scans_prune_the_page_of_a_hot_row() {
    let mut client = Client::open(&SimulatedDisk::new(1)).expect("an empty disk");
    client.run("create table t (v int); insert into t values (0)").expect("works");
    for _ in 0..60 {
        client.run("update t set v = v + 1").expect("works");
    }
    let analyzed = Cleaned { table: "t".to_owned(), vacuumed: None, is_analyzed: true };
    assert_eq!(client.clean(), [analyzed]);
    assert_eq!(client.run("select v from t").expect("works"), ["60"]);
}

#[test]
fn the_cleaner_makes_plans_good_and_waits_for_no_lock() {
    let mut client = Client::open(&SimulatedDisk::new(1)).expect("an empty disk");
    client.run("create table t (id int primary key, v int)").expect("works");
    client.run("insert into t select i, i from generate_series(1, 2000) as g(i)").expect("works");
    client.run("begin; alter table t add constraint c check (v > 0)").expect("works");
    assert_eq!(client.another().clean(), []);
    client.run("commit").expect("works");

    let cleaned = client.clean();
    assert!(matches!(&cleaned[..], [Cleaned { vacuumed: Some(_), is_analyzed: true, .. }]));
    let plan = client.run("explain select * from t").expect("works");
    assert!(plan[0].contains("rows=2000"), "{plan:?}");
    let sql = "explain (analyze, costs off, timing off) select id from t where id < 9";
    let plan = client.run(sql).expect("works");
    assert!(plan.iter().any(|it| it.trim() == "Heap Fetches: 0"), "{plan:?}");

    // A look ends where it is told to.
    client.run("update t set v = v + 1").expect("works");
    let error = clean_tables(&client.shared, &|| false).expect_err("told to end");
    assert_eq!(error.code, "57014");
    assert!(client.clean()[0].is_analyzed);
}

/// A statement that wants the table to itself need not wait until a long vacuum has ended.
#[test]
fn the_cleaner_leaves_a_table_that_is_waited_for() {
    let mut client = Client::open(&SimulatedDisk::new(1)).expect("an empty disk");
    client.run("create table t (id int, v text)").expect("works");
    let sql = "insert into t select i, repeat('x', 900) from generate_series(1, 2000) as g(i)";
    client.run(sql).expect("works");

    // The table was given its number before its heap.
    let heap = client.shared.database.relations().pop().expect("the heap");
    let table = RelationId(heap.0 - 1);
    let is_wanted = client.shared.database.begin(Isolation::ReadCommitted).watch_relation(table);
    thread::scope(|scope| {
        let rests = Cell::new(0);
        let rest = || {
            let shared = Arc::clone(&client.shared);
            let alter = || Client::of(shared).run("alter table t add column w int");
            scope.spawn(|| alter().expect("works"));
            while !is_wanted() {
                thread::yield_now();
            }
            rests.set(rests.get() + 1);
            true
        };
        let cleaned = clean_tables(&client.shared, &rest).expect("the disk works");
        assert_eq!((cleaned, rests.get()), (vec![], 1));
    });

    // The next look finds the table that ALTER TABLE has written anew.
    assert_eq!(client.clean()[0].table, "t");
}

/// What VACUUM has found out about pages is known after a restart: from the file of the checkpoint,
/// or from the log if the power failed before there was one.
#[test]
fn the_maps_survive_a_restart() {
    for has_checkpoint in [true, false] {
        let disk = SimulatedDisk::new(1);
        let mut client = Client::open(&disk).expect("an empty disk");
        client.run("create table t (id int primary key, v text)").expect("works");
        let sql = "insert into t select i, repeat('x', 100) from generate_series(1, 1000) as g(i)";
        client.run(sql).expect("works");
        client.run("delete from t where id % 2 = 0 or id > 400").expect("works");
        client.run("vacuum t").expect("works");
        match has_checkpoint {
            true => client.shared.database.checkpoint().expect("the disk works"),
            // VACUUM does not wait for the log, a commit after it does.
            false => drop(client.run("create table u (id int)").expect("works")),
        }
        drop(client);
        disk.crash();

        let mut client = Client::open(&disk).expect("recovers");
        client.run("set enable_seqscan = off").expect("works");
        let sql = "explain (analyze, pages, costs off, timing off) select id from t where id < 99";
        let plan = client.run(sql).expect("works");
        assert!(plan.iter().any(|it| it.trim() == "Heap Fetches: 0"), "{plan:#?}");
        let is_heap = |it: &&String| it.trim().starts_with("t ");
        assert_eq!(plan.iter().find(is_heap), None, "a page of the heap was read");

        // The table's rows, and a leaf of its index that is split, use pages again.
        let before = client.pages(RelationId::FIRST_ALLOCATED);
        let sql =
            "insert into t select 2 * i, repeat('x', 100) from generate_series(1, 500) as g(i)";
        client.run(sql).expect("works");
        assert_eq!(client.pages(RelationId::FIRST_ALLOCATED), before);
    }
}

/// The rows of the catalog about sizes and about columns.
fn statistics(client: &Client) -> [usize; 2] {
    [6, 7].map(|heap| {
        let database = &client.shared.database;
        let snapshot = database.begin(Isolation::ReadCommitted).snapshot();
        let mut rows = database.heap(RelationId(heap)).expect("of the catalog").scan(snapshot);
        std::iter::from_fn(|| rows.next().expect("readable").map(drop)).count()
    })
}

/// Statistics are rows of the catalog: they are replaced, rolled back, and dropped with their
/// table. Those of long values need several rows. The cleaner removes the old ones.
#[test]
fn statistics_are_rows_of_the_catalog() {
    let disk = SimulatedDisk::new(1);
    let mut client = Client::open(&disk).expect("an empty disk");
    client.run("create table t (id int, v text)").expect("works");
    let sql =
        "insert into t select i, repeat(chr(64 + i), 900) from generate_series(1, 30) as g(i)";
    client.run(sql).expect("works");
    assert_eq!(statistics(&client), [0, 0]);
    client.run("begin; analyze t; rollback").expect("works");
    assert_eq!(statistics(&client), [0, 0]);

    let analyze_often = |client: &mut Client| {
        for _ in 0..40 {
            client.run("analyze").expect("works");
            client.clean();
        }
        client.pages(RelationId(1))
    };
    let pages = analyze_often(&mut client);
    assert_eq!(statistics(&client), [1, 1 + 4]);
    assert!(analyze_often(&mut client) < pages + 10, "there were {pages} pages");

    client.run("truncate t").expect("works");
    assert_eq!(statistics(&client), [0, 0]);
    client.run("analyze t").expect("works");
    assert_eq!(statistics(&client), [1, 1 + 1]);
    client.run("drop table t").expect("works");
    assert_eq!(statistics(&client), [0, 0]);
}

#[derive(Default)]
struct Reached {
    reindex: bool,
    end: bool,
}

/// The power fails at every operation of the disk, before, in the middle and after it. The rows are
/// found by both indexes, old or new, and a unique key is still unique.
#[test]
fn reindex_survives_a_crash_at_every_operation() {
    let prepare = |disk: &SimulatedDisk| -> io::Result<Client> {
        let mut client = Client::open(disk)?;
        client.run("create table t (id int primary key, v text)")?;
        client.run("create index t_v on t using hash (v)")?;
        client.run("insert into t values (1, 'a'), (2, 'b'), (3, 'c')")?;
        client.run("update t set v = 'd' where id = 2")?;
        Ok(client)
    };
    let workload = |disk: &SimulatedDisk, reached: &mut Reached| {
        let mut client = prepare(disk)?;
        reached.reindex = true;
        client.run("reindex table t")?;
        client.shared.database.checkpoint().map_err(io::Error::other)?;
        reached.end = true;
        Ok(())
    };
    let ends = Cell::new(0);
    let check = |disk: &SimulatedDisk, reached: &Reached| {
        let look = || -> io::Result<()> {
            let mut client = Client::open(disk)?;
            let by_key = client.run("select v from t where id between 1 and 3 order by id")?;
            assert_eq!(by_key, ["a", "d", "c"]);
            assert_eq!(client.run("select id from t where v = 'd'")?, ["2"]);
            assert!(client.run("select id from t where v = 'b'")?.is_empty());
            assert!(client.run("insert into t values (3, 'e')").is_err());
            // The heaps of the catalog, the table, two indexes: neither has left its old file.
            assert_eq!(client.shared.database.relations().len(), 7 + 3);
            Ok(())
        };
        ends.set(ends.get() + usize::from(reached.end));
        let looks = if reached.reindex { 2 } else { 0 };
        (0..looks).try_for_each(|_| look()).map_err(|error| error.to_string())
    };

    let mut operation = 0;
    while ends.get() == 0 {
        for survivors in [Survivors::All, Survivors::None, Survivors::Random] {
            for byte in [0, 1, 700] {
                let cut = Cut { seed: 1, operation, byte, survivors };
                replay(cut, workload, check).unwrap_or_else(|failure| panic!("{failure}"));
            }
        }
        operation += 1;
    }
    assert!(operation > 60, "{operation} operations");
}
