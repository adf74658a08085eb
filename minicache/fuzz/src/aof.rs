//! Files that are loaded as an append-only file.
//!
//! Whatever the bytes are, they are loaded up to some offset or refused with one. The bytes up to
//! that offset are whole, and a rewrite of the keys is loaded again as the same keys.
//!
//! Counterpart: `loadSingleAppendOnlyFile` (`aof.c`).

use minicache::commands::aof::{self, compact};
use minicache::commands::{Cache, Identity};
use minicache::conf::Config;
use minicache::engine::timestamp::Timestamp;
use minicache_aof::reader::{Read, read};
use minikit::storage::{Disk, DiskFile, SimulatedDisk};

const NOW: Timestamp = Timestamp { ms: 1_700_000_000_000, us: 0 };

fn cache() -> Cache {
    Cache::new(1, 1, Config::default(), Identity::default())
}

fn file(disk: &SimulatedDisk, name: &str, bytes: &[u8]) -> Box<dyn DiskFile> {
    let file = disk.create(name).expect("the name is new");
    file.write_all_at(bytes, 0).expect("the disk has no faults");
    file
}

fn load(file: &dyn DiskFile) -> Result<Read, String> {
    aof::load(&cache(), NOW, |apply| read(file, apply))
}

/// The body of the fuzz target `aof`.
pub fn check(input: &[u8]) {
    let disk = SimulatedDisk::new(1);
    let end = match load(&*file(&disk, "input", input)) {
        Ok(read) => {
            assert!(read.end <= read.len && read.len == input.len() as u64);
            read.end
        }
        Err(why) => {
            let rest = why.strip_prefix("byte ").and_then(|rest| rest.split(':').next());
            let at = rest.and_then(|rest| rest.parse().ok());
            at.filter(|at| *at <= input.len() as u64).unwrap_or_else(|| panic!("no offset: {why}"))
        }
    };

    // What an open transaction holds is no part of a log that was refused later.
    let Ok(whole) = load(&*file(&disk, "whole", &input[..end as usize])) else { return };
    let len = whole.end;
    file(&disk, "log", &input[..len as usize]);
    compact(&disk, &["log"], "base", &cache(), NOW).expect("it was loaded before");
    compact(&disk, &["base"], "again", &cache(), NOW).expect("a rewrite can be loaded");
    let size = |name| disk.open(name).and_then(|file| file.len()).expect("it was written");
    assert_eq!(size("base"), size("again"));
}
