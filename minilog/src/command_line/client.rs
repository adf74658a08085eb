//! The commands that talk to a broker: thin clients on [`minilog::client`].
//!
//! ```text
//! minilog topic create orders --partitions 3
//! printf 'alice:3 apples\n' | minilog produce orders --key-separator :
//! minilog consume orders --group billing --key
//! minilog group describe billing                 members, committed offsets and lag
//! ```
//!
//! Kafka counterpart: `kafka-topics.sh`, `kafka-console-producer.sh`, `kafka-console-consumer.sh`
//! and `kafka-consumer-groups.sh`, whose options are similar.

use comfy_table::{Table, presets};
use minilog::client::assignor::decode_assignment;
use minilog::client::batching::TopicPartition;
use minilog::client::cluster::Cluster;
use minilog::client::consumer::{Consumer, ConsumerOptions, take_batch};
use minilog::client::producer::{Producer, ProducerOptions};
use minilog::client::{REQUEST_TIMEOUT, admin};
use minilog::format::batch;
use minilog::format::names::parse_partition_directory;
use minilog::format::record::records;
use minilog::wire::configs::SOURCE_DEFAULT;
use minilog::wire::list_offsets::{EARLIEST, LATEST};
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

type Done = Result<(), Box<dyn Error>>;

/// Which cluster
#[derive(clap::Args)]
pub struct Broker {
    /// A broker of the cluster
    #[arg(short, long, value_name = "HOST:PORT", default_value = "127.0.0.1:9092")]
    broker: String,
}

impl Broker {
    fn connect(&self) -> Result<Cluster, Box<dyn Error>> {
        Ok(Cluster::connect(&self.broker, "minilog")?)
    }
}

/// A topic or a group
#[derive(clap::Args)]
pub struct Named {
    /// Its name
    name: String,
    #[command(flatten)]
    broker: Broker,
}

#[derive(clap::Subcommand)]
pub enum Topic {
    /// Create a topic
    Create {
        #[command(flatten)]
        topic: Named,
        /// Its partitions; -1 for the broker's default
        #[arg(long, value_name = "N", default_value_t = -1, allow_hyphen_values = true)]
        partitions: i32,
        /// Configuration values, as cleanup.policy=compact
        #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
        config: Vec<(String, String)>,
    },
    /// List all topics
    List(Broker),
    /// Show the partitions and the configuration of a topic
    Describe(Named),
    /// Delete a topic and all its records
    Delete(Named),
    /// Add partitions to a topic, or change its configuration
    Alter {
        #[command(flatten)]
        topic: Named,
        /// Its partitions afterwards
        #[arg(long, value_name = "N")]
        partitions: Option<i32>,
        /// Values to set, as retention.ms=3600000
        #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
        set: Vec<(String, String)>,
        /// Values to reset to the broker's default
        #[arg(long, value_name = "NAME")]
        unset: Vec<String>,
    },
}

impl Topic {
    pub fn run(self) -> Done {
        match self {
            Topic::Create { topic: it, partitions, config } => {
                admin::create_topic(&mut it.broker.connect()?, &it.name, partitions, &config)?;
            }
            Topic::List(broker) => {
                let mut topics = broker.connect()?.metadata(None)?.topics;
                topics.sort_by(|a, b| a.name.cmp(&b.name));
                let rows = topics.iter().map(|it| {
                    let internal = if it.is_internal { "yes" } else { "" };
                    let name = it.name.clone().unwrap_or_default();
                    [name, it.partitions.len().to_string(), internal.to_owned()]
                });
                print(["topic", "partitions", "internal"], rows)?;
            }
            Topic::Describe(it) => describe_topic(&mut it.broker.connect()?, &it.name)?,
            Topic::Delete(it) => admin::delete_topic(&mut it.broker.connect()?, &it.name)?,
            Topic::Alter { topic: Named { name, broker }, partitions, set, unset } => {
                let mut cluster = broker.connect()?;
                let set = set.into_iter().map(|(name, value)| (name, Some(value)));
                let changes = set.chain(unset.into_iter().map(|name| (name, None)));
                admin::alter_topic(&mut cluster, &name, changes.collect())?;
                if let Some(count) = partitions {
                    admin::create_partitions(&mut cluster, &name, count)?;
                }
            }
        }
        Ok(())
    }
}

fn describe_topic(cluster: &mut Cluster, name: &str) -> Done {
    let mut rows = Vec::new();
    for partition in 0..cluster.partitions(name)? {
        let start = cluster.offset_at(name, partition, EARLIEST)?;
        let end = cluster.offset_at(name, partition, LATEST)?;
        let leader = cluster.leader(name, partition)?;
        rows.push([partition.to_string(), start.to_string(), end.to_string(), leader]);
    }
    print(["partition", "start offset", "end offset", "leader"], rows)?;

    let configs = admin::topic_configs(cluster, name)?;
    let own = configs.iter().filter(|it| it.config_source != SOURCE_DEFAULT);
    let rows = own.map(|it| [it.name.clone(), it.value.clone().unwrap_or_default()]);
    print(["parameter that is not the default", "value"], rows)
}

#[derive(clap::Args)]
pub struct Produce {
    /// The topic; created if the broker allows it
    topic: String,
    /// The text between the key and the value of a line; without it records have no key
    #[arg(long, value_name = "TEXT")]
    key_separator: Option<String>,
    /// The partition, instead of the one that the key selects
    #[arg(long, value_name = "N")]
    partition: Option<i32>,
    #[command(flatten)]
    broker: Broker,
}

impl Produce {
    pub fn run(self) -> Done {
        let mut producer = Producer::connect(&self.broker.broker, ProducerOptions::default())?;
        let mut input = io::BufReader::with_capacity(1 << 20, io::stdin().lock());
        let mut line = Vec::new();
        loop {
            // Standard input has no more lines for now: send what there is before waiting.
            if input.buffer().is_empty() {
                producer.flush()?;
            }
            line.clear();
            if input.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            let (key, value) = match &self.key_separator {
                None => (None, text),
                Some(separator) => {
                    let length = separator.len().max(1);
                    let at = text.windows(length).position(|it| it == separator.as_bytes());
                    let at = at.ok_or_else(|| format!("a line has no separator {separator:?}"))?;
                    (Some(&text[..at]), &text[at + length..])
                }
            };
            producer.send(&self.topic, self.partition, key, Some(value))?;
        }
        producer.flush()?;
        Ok(())
    }
}

#[derive(clap::Args)]
pub struct Consume {
    /// The topic
    topic: String,
    /// Read as a member of this group, and commit the offsets of printed records
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// Keep reading during rebalances; all members of the group must use this option
    #[arg(long, requires = "group")]
    cooperative: bool,
    /// Start with the oldest record instead of the next one where there is no committed offset
    #[arg(long)]
    from_beginning: bool,
    /// Start at this offset
    #[arg(long, value_name = "N", conflicts_with_all = ["group", "from_beginning"])]
    offset: Option<i64>,
    /// Read only this partition
    #[arg(long, value_name = "N", conflicts_with = "group")]
    partition: Option<i32>,
    /// Print the key and a tab in front of each value
    #[arg(long)]
    key: bool,
    /// End after this many records
    #[arg(long, value_name = "N", default_value_t = usize::MAX, hide_default_value = true)]
    count: usize,
    #[command(flatten)]
    broker: Broker,
}

impl Consume {
    pub fn run(self) -> Done {
        let options = ConsumerOptions {
            auto_offset_reset: if self.from_beginning { EARLIEST } else { LATEST },
            is_cooperative: self.cooperative,
            session_timeout: Duration::from_secs(10),
            ..Default::default()
        };
        let mut consumer = Consumer::connect(&self.broker.broker, options)?;
        let partitions = consumer.cluster().partitions(&self.topic)?;
        match (&self.group, self.partition) {
            (Some(group), _) => consumer.subscribe(group, &[&self.topic]),
            (None, Some(partition)) => consumer.assign(&self.topic, partition, self.offset),
            (None, None) => {
                (0..partitions).for_each(|it| consumer.assign(&self.topic, it, self.offset));
            }
        }
        self.print_all(&mut consumer)?;
        Ok(consumer.close()?)
    }

    fn print_all(&self, consumer: &mut Consumer) -> Done {
        let mut left = self.count;
        while left > 0 {
            // For this long a broker may be unreachable.
            let mut records = consumer.poll(REQUEST_TIMEOUT)?;
            // Records beyond --count are not printed and must not be committed: go back to them.
            let printed = records.len().min(left);
            for record in records.drain(printed..).rev() {
                consumer.assign(&record.topic, record.partition, Some(record.offset));
            }
            left -= printed;

            let mut text = Vec::new();
            for record in &records {
                if self.key {
                    text.extend_from_slice(record.key.as_deref().unwrap_or(b"null"));
                    text.push(b'\t');
                }
                text.extend_from_slice(record.value.as_deref().unwrap_or(b"null"));
                text.push(b'\n');
            }
            if !put(&text)? {
                return Ok(());
            }
            // After a failed commit, the next one covers the partitions that this member still has.
            consumer.commit().or_else(|it| {
                if it.is_rebalance() || it.is_retriable() { Ok(()) } else { Err(it) }
            })?;
        }
        Ok(())
    }
}

#[derive(clap::Subcommand)]
pub enum Group {
    /// List all groups
    List(Broker),
    /// Show the members of a group, its committed offsets and its lag
    Describe(Named),
    /// Move the offsets of a group without members
    ResetOffsets {
        #[command(flatten)]
        group: Named,
        /// The topic
        topic: String,
        /// earliest, latest, an offset, or @MS for a time in milliseconds since 1970
        #[arg(long, value_name = "WHERE", value_parser = offset_spec)]
        to: OffsetSpec,
    },
}

/// The offset at which a group continues.
#[derive(Clone, Copy)]
pub enum OffsetSpec {
    Offset(i64),
    /// Also [`EARLIEST`] and [`LATEST`].
    Timestamp(i64),
}

impl Group {
    pub fn run(self) -> Done {
        match self {
            Group::List(broker) => {
                let groups = admin::groups(&mut broker.connect()?)?;
                let rows = groups.iter().map(|it| [it.group_id.clone(), it.group_state.clone()]);
                print(["group", "state"], rows)?;
            }
            Group::Describe(it) => describe_group(&mut it.broker.connect()?, &it.name)?,
            Group::ResetOffsets { group: Named { name, broker }, topic, to } => {
                let mut cluster = broker.connect()?;
                let mut offsets = BTreeMap::new();
                for partition in 0..cluster.partitions(&topic)? {
                    let mut offset_at = |at| cluster.offset_at(&topic, partition, at);
                    let (start, end) = (offset_at(EARLIEST)?, offset_at(LATEST)?);
                    let offset = match to {
                        // Stay within the log, as `kafka-consumer-groups.sh` does.
                        OffsetSpec::Offset(offset) => offset.max(start).min(end),
                        OffsetSpec::Timestamp(at) => match offset_at(at)? {
                            // All records are older.
                            -1 => end,
                            offset => offset,
                        },
                    };
                    offsets.insert((topic.clone(), partition), offset);
                }
                admin::commit_offsets(&mut cluster, &name, None, offsets)?;
            }
        }
        Ok(())
    }
}

fn describe_group(cluster: &mut Cluster, name: &str) -> Done {
    let group = admin::describe_group(cluster, name)?;
    let lags = admin::lag(cluster, name)?;
    if group.group_state == "Dead" && lags.is_empty() {
        return Err(format!("there is no group {name}; `minilog group list` shows all").into());
    }

    let mut owners = BTreeMap::<TopicPartition, String>::new();
    for member in &group.members {
        for partition in decode_assignment(&member.member_assignment)? {
            owners.insert(partition, format!("{} {}", member.client_id, member.client_host));
        }
    }
    let (state, members) = (group.group_state, group.members.len());
    put(format!("group {name}: {state}, {members} members\n").as_bytes())?;
    let rows = lags.into_iter().map(|it| {
        let owner = owners.get(&(it.topic.clone(), it.partition)).cloned().unwrap_or_default();
        let numbers = [it.partition.into(), it.committed, it.end, it.end - it.committed];
        let [partition, committed, end, lag] = numbers.map(|it| it.to_string());
        [it.topic, partition, committed, end, lag, owner]
    });
    print(["topic", "partition", "committed", "end", "lag", "member"], rows)
}

#[derive(clap::Args)]
pub struct Import {
    /// A directory named after its topic and partition, as orders-0
    dir: PathBuf,
    /// The topic to send to, if not the one in the directory's name
    #[arg(long, value_name = "NAME")]
    topic: Option<String>,
    #[command(flatten)]
    broker: Broker,
}

impl Import {
    pub fn run(self) -> Done {
        let named = |error| format!("{}: {error}", self.dir.display());
        let dir = self.dir.canonicalize().map_err(named)?;
        let name = dir.file_name().and_then(|it| it.to_str()).unwrap_or_default();
        let (topic, partition) = parse_partition_directory(name)
            .ok_or_else(|| format!("{name} is not the name of a partition, as orders-0"))?;
        let topic = self.topic.as_deref().unwrap_or(topic);

        let files = std::fs::read_dir(&dir).map_err(named)?.map(|it| it.map(|it| it.path()));
        let mut segments = files.collect::<Result<Vec<_>, _>>()?;
        segments.retain(|it| it.extension().is_some_and(|it| it == "log"));
        segments.sort();
        let mut producer = Producer::connect(&self.broker.broker, ProducerOptions::default())?;
        let mut count = 0;
        for path in &segments {
            let import = import_segment(&mut producer, topic, partition, &read(path)?);
            count += import.map_err(|error| format!("{}: {error}", path.display()))?;
        }
        producer.flush()?;
        put(format!("imported {count} records into {topic}-{partition}\n").as_bytes()).map(drop)
    }
}

/// Sends the records of a segment, with their keys, headers and timestamps. Offsets are new.
fn import_segment(
    producer: &mut Producer,
    topic: &str,
    partition: i32,
    mut bytes: &[u8],
) -> Result<u64, Box<dyn Error>> {
    let mut count = 0;
    while let Some((header, body)) = take_batch(&mut bytes)? {
        if header.has(batch::TRANSACTIONAL) && !header.has(batch::CONTROL) {
            return Err("a batch belongs to a transaction, which may have been aborted".into());
        }
        for record in records(&body) {
            let record = record?;
            let timestamp = header.timestamp(record.timestamp_delta);
            producer.send_record(topic, partition, timestamp, record)?;
            count += 1;
        }
    }
    // Kafka fills a new segment with zeros if `log.preallocate` is set.
    match bytes.iter().all(|it| *it == 0) {
        true => Ok(count),
        false => Err(format!("the last batch is cut off after {} bytes", bytes.len()).into()),
    }
}

/// The bytes of a file.
pub fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Prints bytes. Returns false if the reader has closed the pipe (`... | head`), which is no error.
pub fn put(bytes: &[u8]) -> Result<bool, Box<dyn Error>> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(format!("standard output: {error}").into()),
        Ok(()) => Ok(true),
    }
}

fn print<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> Done {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(head).add_rows(rows);
    put(format!("{}\n", table.trim_fmt()).as_bytes()).map(drop)
}

fn name_and_value(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("needs a name and a value, as a.b=c")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn offset_spec(text: &str) -> Result<OffsetSpec, &'static str> {
    let number = |text: &str| text.parse::<i64>().ok().filter(|it| *it >= 0);
    let spec = match (text, text.strip_prefix('@')) {
        ("earliest", _) => Some(OffsetSpec::Timestamp(EARLIEST)),
        ("latest", _) => Some(OffsetSpec::Timestamp(LATEST)),
        (_, Some(time)) => number(time).map(OffsetSpec::Timestamp),
        (_, None) => number(text).map(OffsetSpec::Offset),
    };
    spec.ok_or("earliest, latest, an offset, or @ and milliseconds since 1970")
}
