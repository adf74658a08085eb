//! `every_cut` passes engines that are right and finds the fault of those that are not.

use crate::toy_log::ToyLog;
use minikit::storage::{CutFailure, Disk, Faults, SimulatedDisk, Survivors, every_cut, replay};
use std::io;

const RECORDS: [&[u8]; 4] = [b"one", b"", b"three", b"a longer one"];

type Checksum = fn(&[u8]) -> u32;

/// Appends all records; each counts as acknowledged after `acknowledge`.
fn append_all(
    disk: &SimulatedDisk,
    acknowledged: &mut usize,
    checksum: Checksum,
    acknowledge: impl Fn(&ToyLog) -> io::Result<()>,
) -> io::Result<()> {
    let mut log = ToyLog::open(disk, checksum)?;
    for record in RECORDS {
        log.append(record)?;
        acknowledge(&log)?;
        *acknowledged += 1;
    }
    Ok(())
}

fn check(disk: &SimulatedDisk, acknowledged: usize, checksum: Checksum) -> Result<(), String> {
    let text = |error: io::Error| error.to_string();
    let found = ToyLog::open(disk, checksum).map_err(text)?.records().map_err(text)?;
    if found.len() < acknowledged {
        return Err(format!("lost: {acknowledged} acknowledged, {} found", found.len()));
    }
    match RECORDS.get(..found.len()) {
        Some(appended) if found == appended => Ok(()),
        _ => Err(format!("invented: {found:?}")),
    }
}

#[test]
fn the_toy_log_is_right_for_many_seeds() {
    for seed in 0..20 {
        let cuts = every_cut(
            seed,
            |disk, model| append_all(disk, model, crc32fast::hash, ToyLog::sync),
            |disk, model| check(disk, *model, crc32fast::hash),
        );
        assert!(cuts.unwrap() > 150);
    }
}

#[test]
fn an_acknowledgment_before_the_sync_is_caught() {
    let workload = |disk: &SimulatedDisk, model: &mut usize| {
        append_all(disk, model, crc32fast::hash, |_| Ok(()))
    };
    let check = |disk: &SimulatedDisk, model: &usize| check(disk, *model, crc32fast::hash);
    let failure = every_cut(1, workload, check).unwrap_err();
    assert_eq!(failure.cut.survivors, Survivors::None);
    assert!(failure.reason.starts_with("lost: "), "{failure}");

    // The cut it prints gives the same failure again.
    let again = replay(failure.cut, workload, check).unwrap_err();
    assert_eq!(again.to_string(), failure.to_string());
}

#[test]
fn a_log_without_checksums_is_caught() {
    let none: Checksum = |_| 0;
    let workload =
        |disk: &SimulatedDisk, model: &mut usize| append_all(disk, model, none, ToyLog::sync);
    let failure = every_cut(1, workload, |disk, model| check(disk, *model, none)).unwrap_err();

    // The length of the file reached the disk and the bytes did not: eight zeros look like a
    // record without a payload. The head of `cut.rs` shows this text.
    assert_eq!(
        failure.to_string(),
        "operation 4 (write 11 bytes at 0 of log) cut after byte 11: invented: [[]]\n\
         replay(Cut { seed: 6, operation: 4, byte: 11, survivors: Random }, workload, check)"
    );
}

#[test]
fn a_disk_that_lies_is_caught() {
    let workload = |disk: &SimulatedDisk, model: &mut usize| {
        disk.set_faults(Faults { lie_sync: 1, ..Faults::default() });
        append_all(disk, model, crc32fast::hash, ToyLog::sync)
    };
    let failure = every_cut(1, workload, |disk, model| {
        disk.set_faults(Faults::default());
        check(disk, *model, crc32fast::hash)
    });
    assert!(failure.unwrap_err().reason.starts_with("lost: "));
}

#[test]
fn a_workload_that_fails_by_itself_is_reported() {
    let workload = |disk: &SimulatedDisk, _: &mut ()| disk.open("missing").map(drop);
    let failure = every_cut(1, workload, |_, _| Ok(())).unwrap_err();
    assert_eq!(
        failure.reason,
        "the workload fails without a power failure: cannot open missing: No such file or \
         directory (os error 2)"
    );
}

/// The example of the head of `storage`, with either sync left out on demand.
fn replace(disk: &dyn Disk, bytes: &[u8], sync: bool, sync_dir: bool) -> io::Result<()> {
    if disk.list("")?.contains(&"settings.new".to_owned()) {
        disk.remove("settings.new")?;
    }
    let file = disk.create("settings.new")?;
    file.write_all_at(bytes, 0)?;
    if sync {
        file.sync()?;
    }
    disk.rename("settings.new", "settings")?;
    if sync_dir { disk.sync_dir("") } else { Ok(()) }
}

fn replace_twice(sync: bool, sync_dir: bool) -> Result<usize, CutFailure> {
    const VERSIONS: [&[u8]; 3] = [b"", b"first", b"second"];
    every_cut(
        1,
        |disk, version: &mut usize| {
            for bytes in &VERSIONS[1..] {
                replace(disk, bytes, sync, sync_dir)?;
                *version += 1;
            }
            Ok(())
        },
        |disk, &version| {
            let mut found = Vec::new();
            if let Ok(file) = disk.open("settings") {
                found.resize(file.len().unwrap() as usize, 0);
                file.read_exact_at(&mut found, 0).unwrap();
            }
            let allowed = VERSIONS[version..].iter().take(2);
            match allowed.into_iter().any(|it| found == *it) {
                true => Ok(()),
                false => Err(format!("version {version}: {found:?}")),
            }
        },
    )
}

#[test]
fn replacing_a_file_needs_both_syncs() {
    assert!(replace_twice(true, true).is_ok());
    assert!(replace_twice(false, true).is_err());
    assert!(replace_twice(true, false).is_err());
}
