//! A disk in memory that fails the way real disks do, reproducibly for each seed.
//!
//! # The crash model
//!
//! The rules this file follows, on which a test may rely:
//!
//! 1. **Synced bytes survive.** What [`DiskFile::sync`] covered when it returned `Ok` is there
//!    after a crash.
//! 2. **Un-synced changes survive separately.** Each write or truncation since the last sync is
//!    kept whole, lost, torn (a beginning or an end of it is kept, at any byte), or leaves zeros
//!    where it made the file longer. A later one may survive an earlier one: the page cache writes
//!    in any order.
//! 3. **Nothing is invented.** Every byte found was written at its offset, or is a zero in a place
//!    that was never covered.
//! 4. **Names are stored apart from files.** Create, rename and remove are durable after
//!    [`Disk::sync_dir`] of their directory, not after a sync of the file. Without it a crash keeps
//!    the first few of a directory's changes and loses the others: file systems journal them in
//!    order. A rename is one change.
//! 5. **A failed sync loses writes.** It returns an error once. The changes it covered are on the
//!    disk or lost, each on its own. Reads still return them, the next sync succeeds without
//!    writing them, and only a crash shows what is missing.
//! 6. **A lying sync** ([`Faults::lie_sync`]) returns `Ok` and changes nothing; 1 does not hold.
//! 7. **After a crash every open file is dead.** Its operations return errors.
//! 8. **One seed, one history.** The same calls on a disk of the same seed give the same results
//!    and the same survivors, on every machine.
//!
//! # Example
//!
//! Linux and the failed sync of invariant 5, known as "fsyncgate":
//!
//! ```
//! use minikit::storage::{Disk, Faults, SimulatedDisk, Survivors};
//!
//! let disk = SimulatedDisk::new(11);
//! let log = disk.create("log")?;
//! disk.sync_dir("")?;
//! log.write_all_at(b"committed", 0)?;
//!
//! disk.set_faults(Faults { fail_sync: 1, ..Faults::default() });
//! let error = log.sync().unwrap_err();
//! assert_eq!(error.to_string(), "cannot sync log: Input/output error (os error 5)");
//!
//! disk.set_faults(Faults::default());
//! log.sync()?; // "it worked this time"
//! let mut bytes = [0; 9];
//! log.read_exact_at(&mut bytes, 0)?; // and the bytes can be read
//! assert_eq!(&bytes, b"committed");
//!
//! disk.crash();
//! assert_eq!(disk.open("log")?.len()?, 0); // but they were never written
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Counterparts
//!
//! Pillai et al., "All File Systems Are Not Created Equal" (OSDI 2014, the ALICE tool) measured
//! which crash states file systems allow. The failed sync: "PostgreSQL's fsync() surprise" (LWN,
//! 2018). SQLite's crash tests (`src/test6.c`) and FoundationDB's `AsyncFileNonDurable` do the same
//! below a real engine; TigerBeetle's `src/testing/storage.zig` also corrupts sectors at rest.
//!
//! Not modeled: latency, damage to durable bytes (only reads flip bits), and file systems that
//! reorder the changes within one directory.

use super::{Disk, DiskFile, check_same_directory, describe};
use crate::sync::{Arc, Mutex};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::BorrowedFd;

/// Errors by the number Linux gives them, so that their kinds and texts equal the real disk's.
const ENOENT: i32 = 2;
const EIO: i32 = 5;
const EEXIST: i32 = 17;
const ENOTDIR: i32 = 20;
const EISDIR: i32 = 21;
const EINVAL: i32 = 22;
const EFBIG: i32 = 27;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;
const ENOTEMPTY: i32 = 39;
const ESTALE: i32 = 116;

/// The longest file. It is in memory, gaps included.
const LENGTH_MAX: u64 = 1 << 30;
/// The node number of the root directory.
const ROOT: usize = 0;

/// What goes wrong. A chance of `n` is one in `n`: 0 is never, 1 is always.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// The chance that a sync of a file or directory fails (invariant 5).
    pub fail_sync: u64,
    /// The chance that a sync of a file or directory lies (invariant 6).
    pub lie_sync: u64,
    /// The chance that a read returns one flipped bit. The file itself stays as it is.
    pub flip_bit: u64,
    /// The chance that a write stops early without an error.
    pub short_write: u64,
    /// Bytes that all files together may have. Writes that do not fit are cut short, then fail.
    pub capacity: Option<u64>,
    /// Opening files to write and changing anything fails.
    pub read_only: bool,
}

/// Which un-synced changes survive a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survivors {
    /// None: the disk holds what was synced.
    None,
    /// All: only the process died.
    All,
    /// Each as the seed decides (invariants 2 and 4).
    Random,
}

/// A disk in memory. Clones are the same disk.
#[derive(Clone)]
pub struct SimulatedDisk(Arc<Mutex<Machine>>);

impl SimulatedDisk {
    /// An empty disk without faults, whose every later choice follows from `seed`.
    pub fn new(seed: u64) -> SimulatedDisk {
        SimulatedDisk(Arc::new(Mutex::new(Machine {
            random: Random(seed),
            faults: Faults::default(),
            nodes: vec![Node::Directory(Cached::new())],
            boots: 0,
            powered: true,
            cut: None,
            operations: Vec::new(),
        })))
    }

    /// Replaces the faults from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.0.lock().faults = faults;
    }

    /// Cuts the power and starts the machine again, with [`Survivors::Random`].
    pub fn crash(&self) {
        self.crash_with(Survivors::Random);
    }

    /// Cuts the power and starts the machine again.
    pub fn crash_with(&self, survivors: Survivors) {
        let machine = &mut *self.0.lock();
        for node in &mut machine.nodes {
            node.settle(survivors, &mut machine.random);
            match node {
                Node::File(file) => file.cache = file.durable.clone(),
                Node::Directory(directory) => directory.cache = directory.durable.clone(),
            }
        }
        machine.boots += 1;
        machine.powered = true;
        machine.cut = None;
    }

    /// Cuts the power in operation number `operation` (the first is 0) after `byte` of its bytes.
    pub(super) fn cut_at(&self, operation: usize, byte: usize) {
        self.0.lock().cut = Some((operation, byte));
    }

    /// The operations so far that change or sync anything, each with its length: the bytes of a
    /// write, 1 for all others.
    pub(super) fn operations(&self) -> Vec<(String, usize)> {
        self.0.lock().operations.clone()
    }

    /// Does `call` on the machine, and says in the error what could not be done.
    fn on<T>(
        &self,
        verb: &str,
        name: &str,
        call: impl FnOnce(&mut Machine) -> Result<T, i32>,
    ) -> io::Result<T> {
        let result = call(&mut self.0.lock());
        result.map_err(|code| describe(io::Error::from_raw_os_error(code), verb, name))
    }

    fn file(&self, name: &str, (node, boot): (usize, u64)) -> Box<dyn DiskFile> {
        Box::new(SimulatedFile { disk: self.clone(), name: name.to_owned(), node, boot })
    }
}

impl Disk for SimulatedDisk {
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = self.open_to_read(name)?;
        self.on(
            "open",
            name,
            |machine| if machine.faults.read_only { Err(EROFS) } else { Ok(()) },
        )?;
        Ok(file)
    }

    fn open_to_read(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let opened = self.on("open", name, |machine| {
            machine.check_power()?;
            let node = machine.find(name)?;
            machine.nodes[node].file()?;
            Ok((node, machine.boots))
        })?;
        Ok(self.file(name, opened))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let created = self.on("create", name, |machine| {
            Ok((machine.add(name, Node::File(Cached::new()))?, machine.boots))
        })?;
        Ok(self.file(name, created))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        check_same_directory(from, to)?;
        self.on("rename", from, |machine| {
            let node = machine.find(from)?;
            let ((parent, old), (_, new)) = (machine.parent(from)?, machine.parent(to)?);

            // What the new name stands for must be replaceable by this kind of node.
            let replaced = machine.nodes[parent].directory()?.cache.get(new).copied();
            match replaced.map(|replaced| (&machine.nodes[node], &machine.nodes[replaced])) {
                _ if replaced == Some(node) => return Ok(()),
                Some((Node::File(_), Node::Directory(_))) => return Err(EISDIR),
                Some((Node::Directory(_), Node::File(_))) => return Err(ENOTDIR),
                Some((_, Node::Directory(it))) if !it.cache.is_empty() => return Err(ENOTEMPTY),
                _ => {}
            }

            let change = vec![(old.to_owned(), None), (new.to_owned(), Some(node))];
            machine.change_names(format!("rename {from} to {to}"), parent, change)
        })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.on("remove", name, |machine| {
            let (parent, last) = machine.parent(name)?;
            let node = machine.find(name)?;
            if machine.nodes[node].directory().is_ok_and(|it| !it.cache.is_empty()) {
                return Err(ENOTEMPTY);
            }
            let change = vec![(last.to_owned(), None)];
            machine.change_names(format!("remove {name}"), parent, change)
        })
    }

    fn create_dir(&self, name: &str) -> io::Result<()> {
        let directory = Node::Directory(Cached::new());
        self.on("create", name, |machine| machine.add(name, directory).map(drop))
    }

    fn list(&self, name: &str) -> io::Result<Vec<String>> {
        self.on("list", name, |machine| {
            machine.check_power()?;
            let node = machine.find(name)?;
            Ok(machine.nodes[node].directory()?.cache.keys().cloned().collect())
        })
    }

    fn sync_dir(&self, name: &str) -> io::Result<()> {
        self.on("sync", name, |machine| {
            let node = machine.find(name)?;
            machine.nodes[node].directory()?;
            machine.sync(name, node)
        })
    }
}

/// An open file of a [`SimulatedDisk`].
struct SimulatedFile {
    disk: SimulatedDisk,
    /// The name it was opened by.
    name: String,
    node: usize,
    /// The boot in which it was opened.
    boot: u64,
}

impl SimulatedFile {
    /// Does `call` on the machine, if it has not crashed since the file was opened.
    fn on<T>(
        &self,
        verb: &str,
        call: impl FnOnce(&mut Machine) -> Result<T, i32>,
    ) -> io::Result<T> {
        self.disk.on(verb, &self.name, |machine| {
            machine.check_power()?;
            if machine.boots == self.boot { call(machine) } else { Err(ESTALE) }
        })
    }
}

impl DiskFile for SimulatedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.on("read", |machine| {
            let Machine { nodes, random, faults, .. } = machine;
            let bytes = &nodes[self.node].file()?.cache;
            let start = bytes.len().min(usize::try_from(offset).unwrap_or(usize::MAX));
            let count = buffer.len().min(bytes.len() - start);
            buffer[..count].copy_from_slice(&bytes[start..start + count]);

            if count > 0 && random.chance(faults.flip_bit) {
                buffer[random.below(count)] ^= 1 << random.below(8);
            }
            Ok(count)
        })
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.on("write", |machine| {
            let mut count = machine.room_for(self.node, offset, bytes.len())?;
            if count > 1 && machine.random.chance(machine.faults.short_write) {
                count = 1 + machine.random.below(count - 1);
            }

            // A cut in this write leaves its first bytes in the page cache, or on the disk.
            let what = format!("write {} bytes at {offset} of {}", count, self.name);
            let reached = machine.begin(what, count)?;
            let bytes = bytes[..reached].to_vec();
            machine.nodes[self.node]
                .file()?
                .change(FileChange::Write { offset: offset as usize, bytes });
            machine.check_power()?;
            Ok(count)
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.on("sync", |machine| machine.sync(&self.name, self.node))
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.on("truncate", |machine| {
            if length > LENGTH_MAX {
                return Err(EFBIG);
            }
            if machine.begin(format!("truncate {} to {length}", self.name), 1)? == 1 {
                machine.nodes[self.node].file()?.change(FileChange::Truncate(length as usize));
            }
            machine.check_power()
        })
    }

    fn len(&self) -> io::Result<u64> {
        self.on("read the length of", |machine| {
            Ok(machine.nodes[self.node].file()?.cache.len() as u64)
        })
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// Everything behind the lock.
struct Machine {
    random: Random,
    faults: Faults,
    /// Every file and directory that ever was, by number.
    nodes: Vec<Node>,
    /// Crashes so far.
    boots: u64,
    /// False from a cut until the next crash.
    powered: bool,
    /// The operation in which the power fails, and after how many of its bytes.
    cut: Option<(usize, usize)>,
    operations: Vec<(String, usize)>,
}

impl Machine {
    fn check_power(&self) -> Result<(), i32> {
        if self.powered { Ok(()) } else { Err(EIO) }
    }

    /// Counts an operation of `length` bytes. Returns how many of them take effect before the
    /// power fails; the caller applies those, then calls [`Machine::check_power`].
    fn count(&mut self, what: String, length: usize) -> Result<usize, i32> {
        self.check_power()?;
        let number = self.operations.len();
        self.operations.push((what, length));
        match self.cut {
            Some((operation, byte)) if operation == number => {
                self.powered = false;
                Ok(byte.min(length))
            }
            _ => Ok(length),
        }
    }

    /// Counts an operation that changes the disk.
    fn begin(&mut self, what: String, length: usize) -> Result<usize, i32> {
        if self.faults.read_only { Err(EROFS) } else { self.count(what, length) }
    }

    /// The number of the node called `name`.
    fn find(&mut self, name: &str) -> Result<usize, i32> {
        let parts = name.split('/').filter(|part| !part.is_empty());
        parts.into_iter().try_fold(ROOT, |node, part| {
            self.nodes[node].directory()?.cache.get(part).copied().ok_or(ENOENT)
        })
    }

    /// The directory that holds `name`, and the last part of the name.
    fn parent<'a>(&mut self, name: &'a str) -> Result<(usize, &'a str), i32> {
        let (parent, last) = name.rsplit_once('/').unwrap_or(("", name));
        if last.is_empty() {
            return Err(EINVAL);
        }
        let parent = self.find(parent)?;
        self.nodes[parent].directory()?;
        Ok((parent, last))
    }

    /// Adds a node and returns its number.
    fn add(&mut self, name: &str, node: Node) -> Result<usize, i32> {
        let (parent, last) = self.parent(name)?;
        if self.nodes[parent].directory()?.cache.contains_key(last) {
            return Err(EEXIST);
        }
        let number = self.nodes.len();
        self.nodes.push(node);
        let change = vec![(last.to_owned(), Some(number))];
        self.change_names(format!("create {name}"), parent, change)?;
        Ok(number)
    }

    fn change_names(&mut self, what: String, parent: usize, change: Renamed) -> Result<(), i32> {
        if self.begin(what, 1)? == 1 {
            self.nodes[parent].directory()?.change(change);
        }
        self.check_power()
    }

    /// Syncs a file or directory, as well as the faults let it (invariants 5 and 6).
    fn sync(&mut self, name: &str, node: usize) -> Result<(), i32> {
        let reached = self.count(format!("sync {name}"), 1)?;
        let failed = self.random.chance(self.faults.fail_sync);
        let lied = self.random.chance(self.faults.lie_sync);

        let survivors = if failed { Survivors::Random } else { Survivors::All };
        if reached == 1 && (failed || !lied) {
            self.nodes[node].settle(survivors, &mut self.random);
        }
        self.check_power()?;
        if failed { Err(EIO) } else { Ok(()) }
    }

    /// How many of `length` bytes can be written at `offset` before the disk is full.
    fn room_for(&mut self, node: usize, offset: u64, length: usize) -> Result<usize, i32> {
        let end = offset.saturating_add(length as u64);
        if end > LENGTH_MAX {
            return Err(EFBIG);
        }
        let Some(capacity) = self.faults.capacity else { return Ok(length) };

        // Overwriting needs no room; only what lies after the old end does.
        let used = self.used(ROOT);
        let own = self.nodes[node].file()?.cache.len() as u64;
        let end_max = own + capacity.saturating_sub(used);
        let fits = end_max.saturating_sub(offset).min(length as u64) as usize;
        if fits == 0 && length > 0 { Err(ENOSPC) } else { Ok(fits) }
    }

    /// The bytes of all files below a node.
    fn used(&self, node: usize) -> u64 {
        match &self.nodes[node] {
            Node::File(file) => file.cache.len() as u64,
            Node::Directory(it) => it.cache.values().map(|&node| self.used(node)).sum(),
        }
    }
}

/// What processes see, what is on the disk, and the changes in between, oldest first.
struct Cached<S, C> {
    cache: S,
    durable: S,
    pending: Vec<C>,
}

impl<S: Default, C: Change<S>> Cached<S, C> {
    fn new() -> Cached<S, C> {
        Cached { cache: S::default(), durable: S::default(), pending: Vec::new() }
    }

    fn change(&mut self, change: C) {
        change.apply(&mut self.cache);
        self.pending.push(change);
    }
}

/// What one operation changes in a state `S`.
trait Change<S> {
    fn apply(&self, state: &mut S);
}

/// The names in a directory and the numbers of their nodes.
type Names = BTreeMap<String, usize>;
/// A change to a directory: names that get another node, or none.
type Renamed = Vec<(String, Option<usize>)>;

impl Change<Names> for Renamed {
    fn apply(&self, names: &mut Names) {
        for (name, node) in self {
            match node {
                Some(node) => names.insert(name.clone(), *node),
                None => names.remove(name),
            };
        }
    }
}

/// A change to the bytes of a file.
enum FileChange {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate(usize),
}

impl Change<Vec<u8>> for FileChange {
    fn apply(&self, file: &mut Vec<u8>) {
        match self {
            FileChange::Write { offset, bytes } => write(file, *offset, bytes),
            FileChange::Truncate(length) => file.resize(*length, 0),
        }
    }
}

enum Node {
    File(Cached<Vec<u8>, FileChange>),
    Directory(Cached<Names, Renamed>),
}

impl Node {
    fn file(&mut self) -> Result<&mut Cached<Vec<u8>, FileChange>, i32> {
        match self {
            Node::File(file) => Ok(file),
            Node::Directory(_) => Err(EISDIR),
        }
    }

    fn directory(&mut self) -> Result<&mut Cached<Names, Renamed>, i32> {
        match self {
            Node::File(_) => Err(ENOTDIR),
            Node::Directory(directory) => Ok(directory),
        }
    }

    /// Brings the survivors of the pending changes to the disk and forgets the others.
    fn settle(&mut self, survivors: Survivors, random: &mut Random) {
        match self {
            // Each change to a file survives or not by itself (invariant 2).
            Node::File(file) => {
                for change in file.pending.drain(..) {
                    match survivors {
                        Survivors::None => {}
                        Survivors::All => change.apply(&mut file.durable),
                        Survivors::Random => change.tear(&mut file.durable, random),
                    }
                }
            }
            // Changes to a directory survive in order (invariant 4).
            Node::Directory(directory) => {
                let count = match survivors {
                    Survivors::None => 0,
                    Survivors::All => directory.pending.len(),
                    Survivors::Random => random.below(directory.pending.len() + 1),
                };
                for change in directory.pending.drain(..).take(count) {
                    change.apply(&mut directory.durable);
                }
            }
        }
    }
}

impl FileChange {
    /// Applies what a crash leaves of the change (invariant 2).
    fn tear(&self, file: &mut Vec<u8>, random: &mut Random) {
        match (random.below(5), self) {
            (0, _) => {}
            (1, FileChange::Write { offset, bytes }) => {
                write(file, *offset, &bytes[..random.below(bytes.len() + 1)]);
            }
            (2, FileChange::Write { offset, bytes }) => {
                let from = random.below(bytes.len() + 1);
                write(file, offset + from, &bytes[from..]);
            }
            // The new length reached the disk and the bytes did not.
            (3, FileChange::Write { offset, bytes }) => {
                file.resize(file.len().max(offset + bytes.len()), 0);
            }
            _ => self.apply(file),
        }
    }
}

/// Writes into a file and fills a gap before the bytes with zeros. No bytes extend nothing.
fn write(file: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let end = offset + bytes.len();
    file.resize(file.len().max(end), 0);
    file[offset..end].copy_from_slice(bytes);
}

/// SplitMix64 (Steele, Lea, Flood 2014). Eight lines of our own, so that a seed in a bug report
/// gives the same history under every later version of every library.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `limit - 1`; `limit` is not 0.
    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// True once in `n` times; never if `n` is 0, and then the seed's history stays as it is.
    fn chance(&mut self, n: u64) -> bool {
        n != 0 && self.next().is_multiple_of(n)
    }
}
