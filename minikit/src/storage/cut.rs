//! `every_cut`: the power fails at every operation of a workload, and at every byte of its writes.
//!
//! A workload of `n` operations is run again and again on a new [`SimulatedDisk`]. Run `k` loses
//! power in operation `k`: a write after each possible number of its bytes, any other operation
//! just before and just after its effect. Then the machine starts again, and `check` judges what is
//! on the disk, usually by recovering. Each cut is combined with what the disk may do to un-synced
//! changes:
//!
//! | survivors | of | finds |
//! |---|---|---|
//! | all | every byte | a torn record that is taken for a whole one |
//! | none | every operation | an acknowledgment before the sync, a name without `sync_dir` |
//! | random, 8 times | every operation | a later write that survives an earlier one, zeros |
//!
//! The workload writes into a model what it acknowledged; `check` compares.
//!
//! # Example
//!
//! A log of about 60 lines:
//!
#![doc = "```"]
#![doc = "mod toy_log {"]
#![doc = include_str!("../../tests/storage/toy_log.rs")]
#![doc = "}"]
//! # fn main() -> Result<(), minikit::storage::CutFailure> {
//! use minikit::storage::every_cut;
//! use toy_log::ToyLog;
//!
//! const RECORDS: [&[u8]; 4] = [b"one", b"", b"three", b"a longer one"];
//!
//! let cuts = every_cut(
//!     1,
//!     |disk, acknowledged: &mut usize| {
//!         let mut log = ToyLog::open(disk, crc32fast::hash)?;
//!         for record in RECORDS {
//!             log.append(record)?;
//!             log.sync()?;
//!             *acknowledged += 1;
//!         }
//!         Ok(())
//!     },
//!     |disk, &acknowledged| {
//!         let log = ToyLog::open(disk, crc32fast::hash).map_err(|error| error.to_string())?;
//!         let found = log.records().map_err(|error| error.to_string())?;
//!         if found.len() < acknowledged {
//!             return Err(format!("lost: {acknowledged} acknowledged, {} found", found.len()));
//!         }
//!         match RECORDS.get(..found.len()) {
//!             Some(appended) if found == appended => Ok(()),
//!             _ => Err(format!("invented: {found:?}")),
//!         }
//!     },
//! )?;
//! assert!(cuts > 150, "{cuts} different crashes");
//! # Ok(())
//! # }
//! ```
//!
//! A failure names the operation and the byte, and prints the [`Cut`] to give to [`replay`].
//! Without checksums the same log takes eight zeros, left where the first record should be, for an
//! empty record:
//!
//! ```text
//! operation 4 (write 11 bytes at 0 of log) cut after byte 11: invented: [[]]
//! replay(Cut { seed: 6, operation: 4, byte: 11, survivors: Random }, workload, check)
//! ```
//!
//! # Counterparts
//!
//! SQLite's I/O error and crash tests count operations and fail the next one each time
//! (`test/ioerr.test`, `test/crash.test`); ALICE enumerates the crash states of a recorded trace;
//! CrashMonkey does it for file systems. Those replay a trace; this runs the workload again, so it
//! must do the same each time. Crashes during recovery are not enumerated: `check` may call
//! [`SimulatedDisk::crash`] and recover a second time.

use super::{SimulatedDisk, Survivors};
use std::fmt;
use std::io;

/// Random crashes per operation. More find rarer combinations; another seed finds others.
const RANDOM_CRASHES: u64 = 8;

/// One crash of a workload, enough to repeat it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The seed of the disk.
    pub seed: u64,
    /// The index of the operation that the power failure interrupts, from 0; the count of all
    /// operations if the workload ends first.
    pub operation: usize,
    /// How many bytes of a write take effect; 0 or 1 for other operations: before or after.
    pub byte: usize,
    /// What happens to un-synced changes.
    pub survivors: Survivors,
}

/// A cut after which the check failed.
#[derive(Clone, Debug)]
pub struct CutFailure {
    /// The crash.
    pub cut: Cut,
    /// The operation it interrupted.
    pub operation: String,
    /// What the check says.
    pub reason: String,
}

impl fmt::Display for CutFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CutFailure { cut, operation, reason } = self;
        writeln!(
            f,
            "operation {} ({operation}) cut after byte {}: {reason}",
            cut.operation, cut.byte
        )?;
        write!(f, "replay({cut:?}, workload, check)")
    }
}

impl std::error::Error for CutFailure {}

/// Runs `workload` once per possible cut and `check` on what each leaves. Returns the number of
/// cuts, or the first one that fails.
///
/// The workload gets an empty disk and a default model, returns at the first error, and does the
/// same on each call. Costs one run per byte written and about ten per operation.
pub fn every_cut<M: Default>(
    seed: u64,
    workload: impl Fn(&SimulatedDisk, &mut M) -> io::Result<()>,
    check: impl Fn(&SimulatedDisk, &M) -> Result<(), String>,
) -> Result<usize, CutFailure> {
    // A run without a cut gives the operations and their lengths. It must succeed by itself.
    let disk = SimulatedDisk::new(seed);
    let uncut = workload(&disk, &mut M::default());
    let operations = disk.operations();
    let end = Cut { seed, operation: operations.len(), byte: 0, survivors: Survivors::All };
    uncut.map_err(|error| {
        let reason = format!("the workload fails without a power failure: {error}");
        CutFailure { cut: end, operation: "end of the workload".into(), reason }
    })?;

    let mut cuts = 0;
    let mut run = |cut| {
        cuts += 1;
        replay(cut, &workload, &check)
    };
    let lengths = operations.iter().map(|(_, length)| *length).chain([0]);
    for (operation, length) in lengths.enumerate() {
        for byte in 0..=length {
            run(Cut { seed, operation, byte, survivors: Survivors::All })?;
        }
        run(Cut { seed, operation, byte: length, survivors: Survivors::None })?;
        for round in 0..RANDOM_CRASHES {
            let seed = seed.wrapping_add(round);
            run(Cut { seed, operation, byte: length, survivors: Survivors::Random })?;
        }
    }
    Ok(cuts)
}

/// Runs `workload` with one cut, and `check` on what it leaves.
pub fn replay<M: Default>(
    cut: Cut,
    workload: impl Fn(&SimulatedDisk, &mut M) -> io::Result<()>,
    check: impl Fn(&SimulatedDisk, &M) -> Result<(), String>,
) -> Result<(), CutFailure> {
    let disk = SimulatedDisk::new(cut.seed);
    disk.cut_at(cut.operation, cut.byte);
    let mut model = M::default();

    // The error of the workload is the power failure itself: every call after it fails.
    let _ = workload(&disk, &mut model);
    let operations = disk.operations();
    disk.crash_with(cut.survivors);

    check(&disk, &model).map_err(|reason| {
        let interrupted = operations.get(cut.operation);
        let operation = interrupted.map_or("end of the workload", |(what, _)| what).to_owned();
        CutFailure { cut, operation, reason }
    })
}
