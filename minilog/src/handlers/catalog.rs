//! The topics of a data directory: finding, creating and deleting them, and writing checkpoints.
//!
//! # Example
//!
//! ```text
//! data/
//!   meta.properties                       cluster id and node id
//!   recovery-point-offset-checkpoint      orders 0 1200
//!   replication-offset-checkpoint         orders 0 1234
//!   log-start-offset-checkpoint           orders 0 0
//!   cleaner-offset-checkpoint             orders 0 900
//!   .kafka_cleanshutdown                  only after a clean shutdown
//!   orders-0/  orders-1/                  a directory per partition
//!   orders-0/topic.properties             the topic's own configuration
//! ```
//!
//! Kafka stores the list of topics in a log (`__cluster_metadata`), because several brokers must
//! agree on it. One node needs no agreement: its directories are the list. A directory is created
//! under a temporary name (`orders-1.creating`) and renamed when it is complete. Partition 0 is
//! renamed last, because its directory makes the topic exist. A deletion first renames the
//! directories (`orders-0.deleting`), partition 0 first. The next start removes any leftovers.
//!
//! Functions that change files block: call them on a thread that serves no clients.
//!
//! Opening and creating partitions uses several threads: after a crash every partition reads its
//! last segment, and a new partition syncs its files, independently of the others. The data
//! directory itself is synced once for all of them.
//!
//! Kafka counterpart: `LogManager.java`; `ReplicationControlManager.java` creates topics.

use super::parameters::{Overrides, resolve};
use super::{Failure, Meter};
use crate::engine::log::batches::invalid_data;
use crate::engine::log::config::LogConfig;
use crate::engine::log::directory::Directory;
use crate::engine::log::log::Log;
use crate::engine::log::partition::Partition;
use crate::engine::log::recovery::{self, Report, Start};
use crate::format::checkpoint::{self, OffsetEntry};
use crate::format::names::{is_topic_name, parse_partition_directory, partition_directory};
use crate::format::properties::*;
use crate::wire::ErrorCode;
use minikit::storage::Disk;
use minikit::sync::Mutex;
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// A checkpoint: the name of its file, the offset of a log that it stores, and the field of
/// [`Start`] that the next start sets to it.
type Checkpoint = (&'static str, fn(&mut Log) -> i64, fn(&mut Start, i64));

#[rustfmt::skip]
const CHECKPOINTS: [Checkpoint; 4] = [
    ("recovery-point-offset-checkpoint",
        |log| log.recovery_point, |start, offset| start.recovery_point = offset),
    ("log-start-offset-checkpoint",
        |log| log.log_start_offset, |start, offset| start.log_start_offset = offset),
    ("cleaner-offset-checkpoint",
        |log| log.cleaned_up_to, |start, offset| start.cleaned_up_to = offset),
    // Written for Kafka only. Without other replicas the high watermark is the end of the log.
    ("replication-offset-checkpoint", |log| log.next_offset, |_, _| {}),
];

/// The file of a topic's own configuration, in the directory of its partition 0.
const OVERRIDES: &str = "topic.properties";

/// The suffix of a directory that is not a partition yet.
const CREATING: &str = ".creating";
/// The suffix of a directory that is no longer a partition.
const DELETING: &str = ".deleting";

/// The number of threads that create partitions. They wait for syncs, which the file system merges.
const CREATING_THREADS: usize = 16;

/// The most partitions of a topic. More are likely a mistake: each is a directory with open files.
pub const PARTITIONS_MAX: i32 = 10_000;

/// A topic. It is immutable: a change of configuration or partitions creates a new value.
#[derive(Clone)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its id, which distinguishes it from later topics of the same name.
    pub id: Uuid,
    /// Its own configuration.
    pub overrides: Overrides,
    /// Its partitions by number.
    pub partitions: Vec<Arc<Partition>>,
}

/// All topics of a data directory.
pub struct Topics {
    disk: Arc<dyn Disk>,
    /// The data directory.
    root: Directory,
    /// The broker's configuration, for topics without their own.
    pub config: LogConfig,
    /// The cluster and the broker that the data belongs to.
    pub meta: Meta,
    /// Returns random bytes for ids.
    pub random: fn() -> [u8; 16],
    /// Counts the flushes of partitions.
    pub flushes: Meter,
    topics: Mutex<Arc<Catalog>>,
    /// Held by a creation, change or deletion, so that there is only one at a time.
    changing: Mutex<()>,
    /// Held while the checkpoints are written: each has only one temporary file.
    checkpoints: Mutex<()>,
}

/// An immutable list of topics. A change creates a new one.
#[derive(Clone, Default)]
pub struct Catalog {
    by_name: BTreeMap<String, Arc<Topic>>,
    by_id: BTreeMap<Uuid, Arc<Topic>>,
}

/// The result of a change of topics.
type Result<T> = std::result::Result<T, Failure>;

impl Catalog {
    /// The topic of this name.
    pub fn by_name(&self, name: &str) -> Option<&Arc<Topic>> {
        self.by_name.get(name)
    }

    /// The topic of this id.
    pub fn by_id(&self, id: Uuid) -> Option<&Arc<Topic>> {
        self.by_id.get(&id)
    }

    /// All topics, by name.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.by_name.values()
    }

    /// All partitions, with topic and number.
    pub fn partitions(&self) -> impl Iterator<Item = (&Topic, i32, &Arc<Partition>)> {
        self.topics().flat_map(|topic| {
            let numbered = topic.partitions.iter().enumerate();
            numbered.map(move |(number, partition)| (&**topic, number as i32, partition))
        })
    }

    fn insert(&mut self, topic: Topic) -> Arc<Topic> {
        let topic = Arc::new(topic);
        self.by_id.insert(topic.id, Arc::clone(&topic));
        self.by_name.insert(topic.name.clone(), Arc::clone(&topic));
        topic
    }

    fn remove(&mut self, name: &str) -> Option<Arc<Topic>> {
        let topic = self.by_name.remove(name)?;
        self.by_id.remove(&topic.id);
        Some(topic)
    }
}

impl Topics {
    /// Opens all topics of a data directory and recovers their logs. Returns warnings about damage.
    pub fn open(
        disk: Arc<dyn Disk>,
        config: LogConfig,
        random: fn() -> [u8; 16],
    ) -> io::Result<(Topics, Vec<String>)> {
        let root = Directory::new(Arc::clone(&disk), "");
        let meta = read_or_create_meta(&root, random())?;
        let names = root.list()?;
        let is_clean = names.iter().any(|name| name == CLEAN_SHUTDOWN_FILE);
        let mut warnings = Vec::new();
        let starts = read_checkpoints(&root, &mut warnings)?;

        // Remove the marker of the clean shutdown: a crash from here on needs recovery.
        if is_clean {
            root.remove(CLEAN_SHUTDOWN_FILE)?;
            root.sync()?;
        }

        let directory = |name: &str| Directory::new(Arc::clone(&disk), name);
        let (mut topics, mut unopened) = (Vec::new(), Vec::new());
        let stray = format!(".{}-stray", Uuid::from_random(random()));
        for (topic, count) in count_partitions(&names, directory, &stray, &mut warnings)? {
            let overrides = read_overrides(&directory(&partition_directory(topic, 0)))?;
            let damaged = |it: Failure| invalid_data(format!("{topic}-0/{OVERRIDES}: {}", it.text));
            let config = resolve(&overrides, &config).map_err(damaged)?;
            let names = (0..count).map(|number| partition_directory(topic, number));
            unopened.extend(names.map(|it| (topics.len(), it, config.clone())));
            let (id, partitions) = (Uuid::default(), Vec::new());
            topics.push(Topic { name: topic.to_owned(), id, overrides, partitions });
        }
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let opened = on_threads(threads, &unopened, |(_, name, config)| {
            let start = Start { is_clean, ..starts.get(name).copied().unwrap_or_default() };
            open_partition(directory(name), config, start)
        });
        for ((topic, name, _), opened) in unopened.into_iter().zip(opened) {
            let (id, log, report) = opened?;
            if report.reason.is_some() {
                warnings.push(format!("{name} was damaged and is repaired: {report:?}"));
            }
            topics[topic].id = id;
            topics[topic].partitions.push(Arc::new(Partition::new(log)));
        }
        let mut catalog = Catalog::default();
        topics.into_iter().for_each(|topic| drop(catalog.insert(topic)));

        let topics = Mutex::new(Arc::new(catalog));
        let (changing, checkpoints) = (Mutex::new(()), Mutex::new(()));
        let flushes = Meter::default();
        let topics =
            Topics { disk, root, config, meta, random, flushes, topics, changing, checkpoints };
        // The checkpoints may contain a topic whose deletion a crash interrupted. Write them
        // without it, or a new topic of that name would get its offsets.
        if !is_clean && !starts.is_empty() {
            topics.write_checkpoints()?;
        }
        Ok((topics, warnings))
    }

    /// The current list of topics.
    pub fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.topics.lock())
    }

    /// Creates a topic with `count` partitions. It is durable when this returns.
    pub fn create(&self, name: &str, count: i32, overrides: Overrides) -> Result<Arc<Topic>> {
        let _changing = self.changing.lock();
        self.check_new(name, count, &overrides)?;

        let (id, partitions) = (Uuid::from_random((self.random)()), Vec::new());
        let topic = Topic { name: name.to_owned(), id, overrides, partitions };
        let partitions = self.create_partitions(&topic, 0..count)?;
        Ok(self.change(|catalog| catalog.insert(Topic { partitions, ..topic })))
    }

    /// Returns an error if the topic cannot be created. Does not create it.
    pub fn check_new(&self, name: &str, partitions: i32, overrides: &Overrides) -> Result<()> {
        if !is_topic_name(name) {
            let text = "Topic name is invalid: not 1 to 249 letters, digits, '.', '_' and '-'";
            return Err(Failure::new(ErrorCode::INVALID_TOPIC_EXCEPTION, text));
        }
        if self.catalog().by_name(name).is_some() {
            let text = format!("Topic '{name}' already exists.");
            return Err(Failure::new(ErrorCode::TOPIC_ALREADY_EXISTS, text));
        }
        // Kafka's metrics replace `.` by `_`, so it refuses names that differ only in these.
        let (catalog, metric) = (self.catalog(), name.replace('.', "_"));
        let mut topics = catalog.topics().filter(|_| metric.contains('_'));
        if let Some(other) = topics.find(|it| it.name.replace('.', "_") == metric) {
            let text = format!("Topic '{name}' collides with existing topic: {}", other.name);
            return Err(Failure::new(ErrorCode::INVALID_TOPIC_EXCEPTION, text));
        }
        check_count(partitions)?;
        resolve(overrides, &self.config).map(drop)
    }

    /// Adds partitions to a topic until it has `count`. They are durable when this returns.
    pub fn add_partitions(&self, name: &str, count: i32, validate_only: bool) -> Result<()> {
        let _changing = self.changing.lock();
        let catalog = self.catalog();
        let topic = catalog.by_name(name).ok_or_else(|| unknown(name))?;
        let current = topic.partitions.len() as i32;
        if count <= current {
            let has = format!("The topic {name} currently has {current} partition(s)");
            let text = format!("{has}; {count} would not be an increase.");
            return Err(Failure::new(ErrorCode::INVALID_PARTITIONS, text));
        }
        check_count(count)?;
        if validate_only {
            return Ok(());
        }

        let mut partitions = topic.partitions.clone();
        partitions.extend(self.create_partitions(topic, current..count)?);
        self.change(|catalog| catalog.insert(Topic { partitions, ..Topic::clone(topic) }));
        Ok(())
    }

    /// Changes the configuration of a topic. The change is durable when this returns.
    pub fn configure(
        &self,
        name: &str,
        validate_only: bool,
        change: impl FnOnce(&mut Overrides) -> Result<()>,
    ) -> Result<()> {
        let _changing = self.changing.lock();
        let catalog = self.catalog();
        let topic = catalog.by_name(name).ok_or_else(|| unknown(name))?;
        let mut overrides = topic.overrides.clone();
        change(&mut overrides)?;
        let config = resolve(&overrides, &self.config)?;
        if validate_only {
            return Ok(());
        }

        // Write the file first: a change that clients can see must survive a crash.
        let directory = Directory::new(Arc::clone(&self.disk), &partition_directory(name, 0));
        directory.replace(OVERRIDES, print_overrides(&overrides).as_bytes())?;
        directory.sync()?;
        topic.partitions.iter().for_each(|it| it.set_config(config.clone()));
        self.change(|catalog| catalog.insert(Topic { overrides, ..Topic::clone(topic) }));
        Ok(())
    }

    /// Creates partitions of a topic. They are durable when this returns.
    fn create_partitions(&self, topic: &Topic, numbers: Range<i32>) -> Result<Vec<Arc<Partition>>> {
        let config = resolve(&topic.overrides, &self.config)?;
        let numbers = numbers.collect::<Vec<_>>();
        let created = on_threads(CREATING_THREADS, &numbers, |number| {
            self.create_log(topic, *number, config.clone())
        });
        let mut logs = created.into_iter().collect::<io::Result<Vec<_>>>()?;

        // Partition 0 makes the topic exist, so rename it last, when the other names are durable.
        for (log, number) in logs.iter_mut().zip(&numbers).rev() {
            if *number == 0 && numbers.len() > 1 {
                self.root.sync()?;
            }
            log.rename_directory(&partition_directory(&topic.name, *number))?;
        }
        self.root.sync()?;
        Ok(logs.into_iter().map(|log| Arc::new(Partition::new(log))).collect())
    }

    /// Creates the log of a partition in a directory with a temporary name.
    fn create_log(&self, topic: &Topic, number: i32, config: LogConfig) -> io::Result<Log> {
        let name = format!("{}{CREATING}", partition_directory(&topic.name, number));
        let log = Log::create(Directory::create(Arc::clone(&self.disk), &name)?, config)?;
        log.directory.replace(PARTITION_METADATA, print_topic_id(topic.id).as_bytes())?;
        if number == 0 {
            log.directory.replace(OVERRIDES, print_overrides(&topic.overrides).as_bytes())?;
        }
        log.directory.sync()?;
        Ok(log)
    }

    /// Deletes topics and their files. The deletion is durable when this returns. Reads in progress
    /// can finish. Costs six syncs, regardless of the number of topics.
    pub fn delete(&self, names: &[String]) -> Vec<Result<()>> {
        let _changing = self.changing.lock();
        let topics = self.change(|catalog| {
            let removed = names.iter().map(|it| catalog.remove(it).ok_or_else(|| unknown(it)));
            removed.collect::<Vec<_>>()
        });

        // Rename partition 0 first: without it the topic does not exist.
        let renamed = topics.into_iter().map(|topic| {
            let topic = topic?;
            let directories = topic.partitions.iter().map(|partition| {
                partition.with_files(|log| {
                    log.failed = true;
                    log.directory.rename_to(&format!("{}{DELETING}", log.directory.name()))
                })
            });
            Ok(directories.collect::<io::Result<Vec<_>>>()?)
        });
        let renamed = renamed.collect::<Vec<Result<_>>>();
        // Remove the topics from the checkpoints: new topics of these names must start at 0.
        let synced = self.root.sync().and_then(|()| self.write_checkpoints());
        let synced = synced.map_err(Failure::from);

        let removed = renamed.into_iter().map(|directories| {
            directories?.iter().try_for_each(Directory::remove_all)?;
            synced.clone()
        });
        removed.collect()
    }

    fn change<T>(&self, change: impl FnOnce(&mut Catalog) -> T) -> T {
        let mut topics = self.topics.lock();
        let mut catalog = Catalog::clone(&topics);
        let changed = change(&mut catalog);
        *topics = Arc::new(catalog);
        changed
    }

    /// Makes everything appended so far durable, in the partitions for which `is_due` returns true.
    pub fn flush(&self, is_due: impl Fn(&Log) -> bool) -> io::Result<()> {
        self.each_partition(|partition| {
            if partition.with_log(|log| log.is_durable() || !is_due(log)) {
                return Ok(());
            }
            let _timed = self.flushes.start();
            partition.flush()
        })
    }

    /// The smallest `flush.ms` of all topics, at most one second.
    pub fn flush_interval(&self) -> Duration {
        let catalog = self.catalog();
        let all = catalog.topics().map(|it| it.partitions[0].with_log(|log| log.config.flush_ms));
        Duration::from_millis(all.min().unwrap_or(i64::MAX).clamp(1, 1000) as u64)
    }

    /// Calls `action` for every partition, even after a failure. Returns the first error.
    pub fn each_partition(&self, action: impl Fn(&Partition) -> io::Result<()>) -> io::Result<()> {
        let catalog = self.catalog();
        catalog.partitions().map(|(_, _, it)| action(it)).fold(Ok(()), io::Result::and)
    }

    /// Writes the checkpoints of all partitions, so that the next start has less to check.
    pub fn write_checkpoints(&self) -> io::Result<()> {
        let _checkpoints = self.checkpoints.lock();
        let catalog = self.catalog();
        for (name, offset, _) in CHECKPOINTS {
            let entries = catalog.partitions().map(|(topic, partition, it)| {
                let (topic, offset) = (topic.name.clone(), it.with_log(offset));
                OffsetEntry { topic, partition, offset }
            });
            let text = checkpoint::print(&entries.collect::<Vec<_>>());
            self.root.replace(name, text.as_bytes())?;
        }
        self.root.sync()
    }

    /// Shuts down cleanly: flushes everything and writes the marker, so that the next start needs
    /// no recovery. Nothing may be appended afterwards.
    pub fn close(&self) -> io::Result<()> {
        self.each_partition(Partition::close)?;
        self.write_checkpoints()?;
        self.root.replace(CLEAN_SHUTDOWN_FILE, CLEAN_SHUTDOWN.as_bytes())?;
        self.root.sync()
    }
}

fn unknown(name: &str) -> Failure {
    let text = format!("The topic '{name}' does not exist.");
    Failure::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, text)
}

fn check_count(partitions: i32) -> Result<()> {
    let text = || format!("a topic must have between 1 and {PARTITIONS_MAX} partitions");
    let refused = || Failure::new(ErrorCode::INVALID_PARTITIONS, text());
    (1..=PARTITIONS_MAX).contains(&partitions).then_some(()).ok_or_else(refused)
}

/// Counts the partitions of each topic. Removes what an interrupted creation or deletion left.
/// Partitions after a missing one are renamed with the suffix `stray`, because they may have
/// records that a user wants to keep.
fn count_partitions<'a>(
    names: &'a [String],
    directory: impl Fn(&str) -> Directory,
    stray: &str,
    warnings: &mut Vec<String>,
) -> io::Result<Vec<(&'a str, i32)>> {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for (topic, number) in names.iter().filter_map(|it| parse_partition_directory(it)) {
        topics.entry(topic).or_default().push(number);
    }
    let mut counts = Vec::new();
    for (topic, mut numbers) in topics {
        numbers.sort_unstable();
        let count = (0..).zip(&numbers).take_while(|(index, it)| index == *it).count();
        let missing = partition_directory(topic, count as i32);
        let suffixes = [CREATING, DELETING].map(|it| format!("{missing}{it}"));
        let is_unfinished = names.iter().any(|it| suffixes.contains(it));
        for name in numbers.drain(count..).map(|it| partition_directory(topic, it)) {
            if is_unfinished {
                directory(&name).remove_all()?;
            } else {
                warnings.push(format!("{missing} is missing: {name} is now {name}{stray}"));
                directory(&name).rename_to(&format!("{name}{stray}"))?;
            }
        }
        counts.extend((count > 0).then_some((topic, count as i32)));
    }
    let is_unfinished = |name: &&String| name.ends_with(CREATING) || name.ends_with(DELETING);
    names.iter().filter(is_unfinished).try_for_each(|it| directory(it).remove_all())?;
    Ok(counts)
}

/// Reads the checkpoints of all logs, by the name of the log's directory.
fn read_checkpoints(
    root: &Directory,
    warnings: &mut Vec<String>,
) -> io::Result<BTreeMap<String, Start>> {
    let mut starts = BTreeMap::<_, Start>::new();
    for (name, _, set) in CHECKPOINTS {
        let text = read_text(root, name)?.unwrap_or_default();
        // Without a checkpoint recovery reads more, and logs start with their first segments.
        let entries = checkpoint::parse::<OffsetEntry>(&text).unwrap_or_else(|error| {
            warnings.push(format!("{name} is ignored: {error}"));
            Vec::new()
        });
        for it in entries {
            let directory = partition_directory(&it.topic, it.partition);
            set(starts.entry(directory).or_default(), it.offset);
        }
    }
    Ok(starts)
}

/// Opens the log of a partition and reads the id of its topic.
fn open_partition(
    directory: Directory,
    config: &LogConfig,
    start: Start,
) -> io::Result<(Uuid, Log, Report)> {
    let (log, report) = recovery::open(directory, config.clone(), start)?;
    let id = read_text(&log.directory, PARTITION_METADATA)?.and_then(|it| parse_topic_id(&it));
    let directory = log.directory.name();
    let no_id = || invalid_data(format!("{directory}/{PARTITION_METADATA} is missing or damaged"));
    Ok((id.ok_or_else(no_id)?, log, report))
}

/// Calls `work` for every item, on `threads` threads. Results are in the order of the items.
fn on_threads<I: Sync, T: Send>(
    threads: usize,
    items: &[I],
    work: impl Fn(&I) -> T + Sync,
) -> Vec<T> {
    // A single item needs no thread. Loom tests rely on this: loom cannot see scoped threads.
    if let [item] = items {
        return vec![work(item)];
    }
    let share = items.len().div_ceil(threads).max(1);
    thread::scope(|scope| {
        let chunks = items.chunks(share);
        let running = chunks.map(|chunk| scope.spawn(|| chunk.iter().map(&work).collect()));
        let running = running.collect::<Vec<thread::ScopedJoinHandle<'_, Vec<T>>>>();
        let results = running.into_iter().map(|it| it.join());
        let results = results.map(|it| it.unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        results.flatten().collect()
    })
}

/// Reads the overrides of a topic. A directory written by Kafka has none.
fn read_overrides(directory: &Directory) -> io::Result<Overrides> {
    let text = read_text(directory, OVERRIDES)?.unwrap_or_default();
    let name = directory.name();
    let no_pair = || invalid_data(format!("{name}/{OVERRIDES} has a line that is not NAME=VALUE"));
    let pairs = text.lines().map(|line| line.split_once('=').ok_or_else(no_pair));
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    pairs.map(|pair| pair.map(owned)).collect()
}

fn print_overrides(overrides: &Overrides) -> String {
    overrides.iter().map(|(name, value)| format!("{name}={value}\n")).collect()
}

fn read_or_create_meta(root: &Directory, random: [u8; 16]) -> io::Result<Meta> {
    if let Some(text) = read_text(root, Meta::FILE)? {
        let damaged = || invalid_data("meta.properties is damaged");
        return Meta::parse(&text).ok_or_else(damaged);
    }
    let cluster_id = Uuid::from_random(random).to_string();
    let meta = Meta { cluster_id, node_id: 1 };
    root.replace(Meta::FILE, meta.print().as_bytes())?;
    root.sync()?;
    Ok(meta)
}

/// The text of a file; none if it does not exist.
fn read_text(directory: &Directory, name: &str) -> io::Result<Option<String>> {
    let bytes = directory.read(name)?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::format::record::{Record, batch_of};
    use minikit::storage::{SimulatedDisk, every_cut};
    use std::sync::atomic::{AtomicU8, Ordering};

    /// Distinct bytes in place of random ones.
    fn random() -> [u8; 16] {
        static NEXT_ID: AtomicU8 = AtomicU8::new(1);
        [NEXT_ID.fetch_add(1, Ordering::Relaxed); 16]
    }

    fn open(disk: &SimulatedDisk) -> io::Result<Topics> {
        Ok(Topics::open(Arc::new(disk.clone()), LogConfig::default(), random)?.0)
    }

    fn names(topics: &Topics) -> Vec<String> {
        topics.catalog().topics().map(|it| it.name.clone()).collect()
    }

    #[test]
    fn a_topic_keeps_its_id_over_a_crash() {
        let disk = SimulatedDisk::new(1);
        let topics = open(&disk).unwrap();
        let id = topics.create("orders", 3, Overrides::default()).unwrap().id;
        topics.create("other", 1, Overrides::default()).unwrap();
        let again = topics.create("orders", 1, Overrides::default());
        let error = again.err().map(|it| it.error_code);
        assert_eq!(error, Some(ErrorCode::TOPIC_ALREADY_EXISTS));
        disk.crash();

        let topics = open(&disk).unwrap();
        let catalog = topics.catalog();
        let topic = catalog.by_id(id).unwrap();
        assert_eq!((topic.name.as_str(), topic.partitions.len()), ("orders", 3));
        let all = ["orders", "other", "orders"].map(str::to_owned);
        assert!(matches!(topics.delete(&all)[..], [Ok(()), Ok(()), Err(_)]));
        assert_eq!(names(&open(&disk).unwrap()), [""; 0]);
    }

    #[test]
    fn topic_names_with_the_same_metric_name_collide() {
        let topics = open(&SimulatedDisk::new(1)).unwrap();
        topics.create("a.b_c", 1, Overrides::default()).unwrap();
        let refused = topics.create("a_b.c", 1, Overrides::default()).err().unwrap();
        assert_eq!(refused.error_code, ErrorCode::INVALID_TOPIC_EXCEPTION);
        assert_eq!(refused.text, "Topic 'a_b.c' collides with existing topic: a.b_c");
        topics.create("a-b-c", 1, Overrides::default()).unwrap();
    }

    #[test]
    fn a_topic_is_created_completely_or_not_at_all() {
        let cuts = every_cut(
            1,
            |disk, created: &mut bool| {
                let topics = open(disk)?;
                let topic = topics.create("orders", 2, Overrides::default());
                topic.map_err(|_| io::Error::other("not created"))?;
                *created = true;
                Ok(())
            },
            |disk, created| {
                let topics = open(disk).map_err(|error| error.to_string())?;
                let found = topics.catalog().by_name("orders").map(|it| it.partitions.len());
                match (created, found) {
                    (_, Some(2)) | (false, None) => Ok(()),
                    other => Err(format!("{other:?}")),
                }
            },
        );
        cuts.unwrap_or_else(|failure| panic!("{failure}"));
    }

    #[test]
    fn a_configuration_change_is_atomic() {
        let cuts = every_cut(
            1,
            |disk, acknowledged: &mut i64| {
                let topics = open(disk)?;
                let topic = topics.create("orders", 1, Overrides::default());
                topic.map_err(|_| io::Error::other("not created"))?;
                for value in [1, 22, 333] {
                    let set = |it: &mut Overrides| {
                        it.insert("retention.ms".to_owned(), value.to_string());
                        Ok(())
                    };
                    topics.configure("orders", false, set).map_err(|_| io::Error::other("not"))?;
                    *acknowledged = value;
                }
                Ok(())
            },
            |disk, acknowledged| {
                let topics = open(disk).map_err(|error| error.to_string())?;
                let catalog = topics.catalog();
                let Some(topic) = catalog.by_name("orders") else { return Ok(()) };
                let found = topic.partitions[0].with_log(|log| log.config.retention_ms);
                let next = |it| [1, 22, 333].into_iter().find(|next| *next > it).unwrap_or(it);
                let is_default = found == LogConfig::default().retention_ms;
                match is_default && *acknowledged == 0 || found == *acknowledged {
                    true => Ok(()),
                    false if found == next(*acknowledged) => Ok(()),
                    false => Err(format!("{found} after {acknowledged}")),
                }
            },
        );
        cuts.unwrap_or_else(|failure| panic!("{failure}"));
    }

    #[test]
    fn a_topic_grows_and_deleted_records_stay_deleted() {
        let disk = SimulatedDisk::new(1);
        let topics = open(&disk).unwrap();
        topics.create("orders", 1, Overrides::default()).unwrap();
        topics.add_partitions("orders", 3, false).unwrap();
        assert!(topics.add_partitions("orders", 3, false).is_err());
        let catalog = topics.catalog();
        let partition = &catalog.by_name("orders").unwrap().partitions[2];
        let record = Record { value: Some(b"x"), ..Default::default() };
        for _ in 0..5 {
            partition.append(&batch_of(1, std::slice::from_ref(&record))).unwrap();
        }
        partition.flush().unwrap();
        assert_eq!(partition.delete_records_before(6), None);
        assert_eq!(partition.delete_records_before(3), Some(3));
        topics.write_checkpoints().unwrap();
        disk.crash();

        let topics = open(&disk).unwrap();
        let partition = Arc::clone(&topics.catalog().by_name("orders").unwrap().partitions[2]);
        assert_eq!(partition.offsets().log_start_offset, 3);
        assert_eq!(partition.delete_records_before(-1), Some(5));
        assert_eq!(partition.delete_old_segments(0).unwrap(), 1);
    }

    /// A topic of five records, of which three are deleted, and the next one of its name.
    fn delete_and_create_again(topics: &Topics, disk: &SimulatedDisk) -> Arc<Partition> {
        let record = Record { value: Some(b"x"), ..Default::default() };
        let batch = batch_of(1, &[record]);
        let old = topics.create("orders", 1, Overrides::default()).unwrap();
        (0..5).for_each(|_| assert!(old.partitions[0].append(&batch).is_ok()));
        old.partitions[0].delete_records_before(3).unwrap();
        topics.write_checkpoints().unwrap();
        let checkpoint = disk.open_to_read("log-start-offset-checkpoint").unwrap();
        assert_eq!(checkpoint.len().unwrap(), "0\n1\norders 0 3\n".len() as u64);
        assert!(topics.delete(&["orders".to_owned()])[0].is_ok());

        let new = topics.create("orders", 1, Overrides::default()).unwrap();
        (0..5).for_each(|_| assert!(new.partitions[0].append(&batch).is_ok()));
        new.partitions[0].flush().unwrap();
        Arc::clone(&old.partitions[0])
    }

    fn start_of_orders(topics: &Topics) -> i64 {
        topics.catalog().by_name("orders").unwrap().partitions[0].offsets().log_start_offset
    }

    #[test]
    fn a_new_topic_does_not_start_at_the_offset_of_a_deleted_one() {
        let disk = SimulatedDisk::new(1);
        delete_and_create_again(&open(&disk).unwrap(), &disk);
        disk.crash();
        assert_eq!(start_of_orders(&open(&disk).unwrap()), 0);
    }

    #[test]
    fn the_checkpoints_of_an_interrupted_deletion_are_removed() {
        let disk = SimulatedDisk::new(1);
        let root = Directory::new(Arc::new(disk.clone()), "");
        root.replace("log-start-offset-checkpoint", b"0\n1\norders 0 3\n").unwrap();
        root.sync().unwrap();
        let topics = open(&disk).unwrap();
        topics.create("orders", 1, Overrides::default()).unwrap();
        disk.crash();
        assert_eq!(open(&disk).unwrap().catalog().topics().count(), 1);
        let text = root.read("log-start-offset-checkpoint").unwrap();
        assert_eq!(text.as_deref(), Some(&b"0\n0\n"[..]));
    }

    #[test]
    fn retention_leaves_the_files_of_the_next_topic_alone() {
        let disk = SimulatedDisk::new(1);
        let topics = open(&disk).unwrap();
        let old = delete_and_create_again(&topics, &disk);
        let before = disk.list("orders-0").unwrap();
        old.set_config(LogConfig { retention_bytes: 0, ..Default::default() });
        assert_eq!(old.delete_old_segments(i64::MAX).unwrap(), 0);
        assert_eq!(disk.list("orders-0").unwrap(), before);
    }

    #[test]
    fn partitions_after_a_missing_one_are_kept() {
        let disk = SimulatedDisk::new(1);
        let topics = open(&disk).unwrap();
        topics.create("orders", 3, Overrides::default()).unwrap();
        topics.create("other", 3, Overrides::default()).unwrap();
        for (from, to) in [("orders-0", "moved"), ("other-1", "moved-too")] {
            disk.rename(from, to).unwrap();
        }

        // No marker shows that the records were being deleted, so they must be kept.
        let (topics, warnings) =
            Topics::open(Arc::new(disk.clone()), LogConfig::default(), random).unwrap();
        assert_eq!(names(&topics), ["other"]);
        assert_eq!(topics.catalog().by_name("other").unwrap().partitions.len(), 1);
        let strays = ["orders-1", "orders-2", "other-2"];
        let found = disk.list("").unwrap();
        let is_stray = |name: &&str| {
            found.iter().any(|it| it.starts_with(&format!("{name}.")) && it.ends_with("-stray"))
        };
        assert!(strays.iter().all(is_stray), "{found:?}");
        assert!(warnings[0].starts_with("orders-0 is missing: orders-1 is now orders-1."));

        // A new topic of that name can have all its partitions, and keeps them.
        topics.create("orders", 3, Overrides::default()).unwrap();
        assert_eq!(open(&disk).unwrap().catalog().partitions().count(), 4);
    }

    #[test]
    fn partitions_are_added_completely_or_not_at_all() {
        let cuts = every_cut(
            1,
            |disk, added: &mut bool| {
                let topics = open(disk)?;
                let topic = topics.create("orders", 1, Overrides::default());
                topic.map_err(|_| io::Error::other("not created"))?;
                let grown = topics.add_partitions("orders", 4, false);
                grown.map_err(|_| io::Error::other("not added"))?;
                *added = true;
                Ok(())
            },
            |disk, added| {
                let topics = open(disk).map_err(|error| error.to_string())?;
                let found = topics.catalog().by_name("orders").map(|it| it.partitions.len());
                match (added, found) {
                    (true, Some(4)) | (false, _) => Ok(()),
                    other => Err(format!("{other:?}")),
                }
            },
        );
        cuts.unwrap_or_else(|failure| panic!("{failure}"));
    }

    #[test]
    fn damaged_checkpoints_are_ignored_and_damaged_topics_are_named() {
        let disk = SimulatedDisk::new(1);
        let topics = open(&disk).unwrap();
        topics.create("orders", 1, Overrides::default()).unwrap();
        topics.close().unwrap();
        let root = Directory::new(Arc::new(disk.clone()), "");
        CHECKPOINTS.iter().for_each(|it| root.replace(it.0, b"0\n2\norders 0 1\n").unwrap());
        let opened = Topics::open(Arc::new(disk.clone()), LogConfig::default(), random);
        let (topics, warnings) = opened.unwrap();
        assert_eq!((names(&topics).len(), warnings.len()), (1, CHECKPOINTS.len()));
        let text =
            "recovery-point-offset-checkpoint is ignored: the checkpoint is damaged in line 4";
        assert_eq!(warnings[0], text);

        let directory = Directory::new(Arc::new(disk.clone()), "orders-0");
        for (file, error) in [
            ("leader-epoch-checkpoint", "the checkpoint is damaged in line 1"),
            (OVERRIDES, "Unknown topic config name: x"),
        ] {
            let before = directory.read(file).unwrap().unwrap();
            directory.replace(file, b"x=1\n").unwrap();
            let found = open(&disk).err().map(|it| it.to_string());
            assert_eq!(found, Some(format!("orders-0/{file}: {error}")));
            directory.replace(file, &before).unwrap();
        }
    }

    #[test]
    fn checkpoints_are_written_one_after_the_other() {
        let disk = SimulatedDisk::new(1);
        let topics = open(&disk).unwrap();
        topics.create("orders", 1, Overrides::default()).unwrap();
        let results = on_threads(8, &[(); 8], |()| {
            (0..50).try_for_each(|_| topics.write_checkpoints()).map_err(|it| it.to_string())
        });
        assert_eq!(results, [const { Ok(()) }; 8]);
    }

    #[test]
    fn after_a_clean_shutdown_everything_is_there() {
        let disk = SimulatedDisk::new(1);
        let topics = open(&disk).unwrap();
        let topic = topics.create("orders", 1, Overrides::default()).unwrap();
        let record = Record { value: Some(b"x"), ..Default::default() };
        topic.partitions[0].append(&batch_of(1, &[record])).unwrap();
        topics.close().unwrap();
        disk.crash();

        let topics = open(&disk).unwrap();
        let offsets = topics.catalog().by_name("orders").unwrap().partitions[0].offsets();
        assert_eq!(offsets.high_watermark, 1);
        assert!(!disk.list("").unwrap().contains(&CLEAN_SHUTDOWN_FILE.to_owned()));
    }
}
