//! Upkeep of tables: what happens to indexes and statistics without a client that asks for rows.
#![cfg(not(loom))]

use minibtree::engine::{Database, Interrupt, Options};
use minibtree::sql::{Next, Session, Shared};
use minibtree::wire::{Message, Replies};
use minikit::storage::{Cut, SimulatedDisk, Survivors, replay};
use std::cell::Cell;
use std::io;
use std::sync::Arc;

struct Client {
    shared: Arc<Shared>,
    session: Session,
}

impl Client {
    fn open(disk: &SimulatedDisk) -> io::Result<Client> {
        let options = Options { pool_pages: 64, wal_segment_bytes: 1 << 16, ..Options::default() };
        let database = Database::open(Arc::new(disk.clone()), options).map_err(io::Error::other)?;
        let shared = Arc::new(Shared::new(database, || 0).map_err(io::Error::other)?);
        let session = Session::new(Arc::clone(&shared), Interrupt::default());
        Ok(Client { shared, session })
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
            assert_eq!(client.shared.database.relations().len(), 5 + 3);
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
