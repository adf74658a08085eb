//! The power fails at every byte of every write; and a queue that is full.

use super::*;
use minikit::storage::{Disk, Faults, SimulatedDisk, Survivors, every_cut};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Rewrites its journal every few operations.
fn open(disk: &SimulatedDisk) -> io::Result<WriteBehind> {
    let options = Options { journal_slack: 60, ..Options::default() };
    WriteBehind::open(Arc::new(disk.clone()), options, 100)
}

/// What a client knows and what a database has.
#[derive(Default)]
struct Model {
    acknowledged: BTreeMap<u8, Value>,
    /// The operation during which the power failed may be there or not.
    submitted: BTreeMap<u8, Value>,
    rows: BTreeMap<u8, Operation>,
}

impl Model {
    fn put(&mut self, behind: &WriteBehind, key: u8, value: Option<&[u8]>) -> io::Result<()> {
        self.submitted.insert(key, value.map(Into::into));
        behind.put(&[key], value)?;
        self.acknowledged.insert(key, value.map(Into::into));
        Ok(())
    }

    /// Writes everything to the database, also what is not in the journal yet.
    fn drain(&mut self, behind: &WriteBehind) -> io::Result<()> {
        self.submitted.insert(8, None);
        behind.submit(&[8], None);
        behind.close();
        behind.work(|batch| {
            for it in batch {
                let row = self.rows.entry(it.key[0]).or_insert_with(|| it.clone());
                if row.sequence < it.sequence {
                    *row = it.clone();
                }
            }
            Ok(())
        })
    }
}

fn workload(disk: &SimulatedDisk, model: &mut Model) -> io::Result<()> {
    for round in 0..3 {
        let behind = open(disk)?;
        for number in 0..5 {
            let value = [round, number];
            let value = if number == 3 { None } else { Some(value.as_slice()) };
            model.put(&behind, number % 3, value)?;
        }
        // The journal of the last round is left as it is.
        if round < 2 {
            model.drain(&behind)?;
            model.put(&behind, 7, Some(&[round]))?;
        }
    }
    Ok(())
}

#[test]
fn nothing_acknowledged_is_lost_wherever_the_power_fails() {
    let cuts = every_cut(7, workload, |disk, model| {
        let behind = open(disk).map_err(|error| error.to_string())?;
        for (key, value) in &model.acknowledged {
            let row = || model.rows.get(key).and_then(|it| it.value.clone());
            let found = behind.newest(&[*key]).unwrap_or_else(row);
            if found != *value && found != model.submitted[key] {
                return Err(format!("key {key}: {found:?} instead of {value:?}"));
            }
        }
        // The next number is higher than any that the database has seen, or it would be ignored.
        behind.put(b"new", None).map_err(|error| error.to_string())?;
        let sequence = behind.state.lock().queue.sequence;
        match model.rows.values().find(|it| sequence <= it.sequence) {
            Some(row) => Err(format!("{sequence} again, after {row:?}")),
            None => Ok(()),
        }
    });
    assert!(cuts.expect("every cut is survived") > 1_000);
}

#[test]
fn a_full_queue_makes_writers_wait_for_the_backend() {
    let options = Options { high_water: 0, delay_ms: 0, ..Options::default() };
    let disk = Arc::new(SimulatedDisk::new(1));
    let behind = WriteBehind::open(disk, options, 0).unwrap();
    let written = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            behind.work(|batch| {
                if batch.iter().any(|it| &*it.key == b"bad") {
                    return Err(Failure::Rejected);
                }
                written.fetch_add(batch.len(), Ordering::SeqCst);
                Ok(())
            })
        });
        for number in 1..4 {
            behind.put(b"good", Some(b"")).unwrap();
            assert_eq!(written.load(Ordering::SeqCst), number);
        }
        assert_eq!(behind.put(b"bad", None).unwrap_err().kind(), ErrorKind::InvalidData);
        assert_eq!(&*behind.take_dead_letters()[0].key, b"bad");
        behind.close();
    });
}

#[test]
fn a_damaged_journal_is_kept() {
    let (disk, name) = (SimulatedDisk::new(1), "write-behind.journal");
    let behind = open(&disk).unwrap();
    behind.put(b"a", Some(b"1")).unwrap();
    behind.put(b"b", Some(b"2")).unwrap();
    drop(behind);
    let read = |name: &str| {
        let file = disk.open_to_read(name).unwrap();
        let mut bytes = vec![0; file.len().unwrap() as usize];
        file.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    };
    let mut bytes = read(name);
    let at = bytes.len() - 40; // in the record of `a`
    bytes[at] ^= 1;
    disk.open(name).unwrap().write_all_at(&bytes, 0).unwrap();

    let behind = open(&disk).unwrap();
    assert!(behind.ignored() > 40 && behind.newest(b"b").is_none());
    drop(behind);
    disk.open(name).unwrap().write_all_at(b"again", 0).unwrap();
    assert!(open(&disk).unwrap().ignored() > 0);
    assert_eq!(read("write-behind.journal.damaged-1"), bytes, "as it was");
    assert!(read("write-behind.journal.damaged-2").starts_with(b"again"));
}

#[test]
fn a_journal_that_fails_refuses_what_follows() {
    let disk = SimulatedDisk::new(1);
    let behind = open(&disk).unwrap();
    behind.put(b"a", Some(b"1")).unwrap();
    disk.set_faults(Faults { fail_sync: 1, ..Faults::default() });
    assert!(behind.put(b"b", Some(b"1")).is_err());
    assert!(behind.put(b"c", Some(b"1")).is_err());
    disk.set_faults(Faults::default());
    disk.crash_with(Survivors::None);
    let behind = open(&disk).unwrap();
    assert!(behind.newest(b"a").is_some(), "it was acknowledged");
}
