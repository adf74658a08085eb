//! How long a broker with many partitions is away after `kill -9`.
//!
//! ```text
//! 1,000 partitions, 100 records of 1 KiB in each, acknowledged
//! kill -9
//! start                                          0 ms
//! ListOffsets of all partitions: 100 in each     the figure
//! ```
//!
//! Kafka checks all segments after the last recovery point before it opens its port. minilog opens
//! at once and checks a partition when it is asked for, so the first answer alone would flatter it:
//! the clock stops when every partition has answered.

use std::thread;
use std::time::Duration;

use minilog::client::admin;
use minilog::client::cluster::Cluster;
use minilog::client::producer::{Producer, ProducerOptions};
use minilog::wire::list_offsets::{LATEST, ListOffsetsPartition, ListOffsetsRequest};
use minilog::wire::topics::ByTopic;

use crate::Result;
use crate::cores::Cores;
use crate::model::{Better, Comparison, Row};
use crate::provider::Side;
use crate::rounds::Rounds;

/// The title of the comparison.
pub const TITLE: &str = "Restart after kill -9";
/// Its only row.
pub const ROW: &str = "1,000 partitions";
/// The planned seconds of one round, nearly all of them Kafka's.
pub const SECONDS: f64 = 40.0;

const TOPIC: &str = "restart";
const PARTITIONS: i32 = 1_000;
const RECORDS: i64 = 100;
const VALUE: [u8; 1024] = [b'v'; 1024];

/// Kills and restarts both in turns.
pub fn compare(rounds: &mut Rounds, sides: [&Side; 2], cores: Option<Cores>) -> Result<Comparison> {
    let [ours, theirs] = rounds.all(TITLE, SECONDS, |side| measure(sides[side], cores))?;
    Ok(Comparison {
        id: "restart".into(),
        title: TITLE.into(),
        detail: format!("{RECORDS} records of 1 KiB in each partition"),
        meaning: "From the start until every partition has said where it ends, and that is where \
                  it ended before."
            .into(),
        command: "kill -9, start, ListOffsets of all partitions until none is missing".into(),
        against: sides[1].system.name.into(),
        unit: "s".into(),
        better: Better::Lower,
        rows: vec![Row { name: ROW.into(), ours, theirs, command: String::new(), bar: None }],
        curves: Vec::new(),
    })
}

fn measure(side: &Side, cores: Option<Cores>) -> Result<f64> {
    let server = side.start(Some(1), cores)?;
    let address = server.address.to_string();
    admin::create_topic(&mut Cluster::connect(&address, "comparisons")?, TOPIC, PARTITIONS, &[])?;
    let batch_size = RECORDS as usize * VALUE.len();
    let linger = Duration::from_secs(600);
    let options = ProducerOptions { batch_size, linger, ..ProducerOptions::default() };
    let mut producer = Producer::connect(&address, options)?;
    for partition in 0..PARTITIONS {
        for _ in 0..RECORDS {
            producer.send(TOPIC, Some(partition), None, Some(&VALUE))?;
        }
    }
    producer.flush()?;

    let (server, start) = side.restart_killed(server, Some(1), cores)?;
    let mut cluster = Cluster::connect(&address, "comparisons")?;
    while !all_partitions_are_back(&mut cluster)? {
        thread::sleep(Duration::from_millis(1));
    }
    let seconds = start.elapsed().as_secs_f64();
    drop(server);
    Ok(seconds)
}

/// Returns true if every partition says where it ends.
///
/// # Errors
/// If a partition ends elsewhere.
fn all_partitions_are_back(cluster: &mut Cluster) -> Result<bool> {
    let asked = |partition_index| ListOffsetsPartition {
        partition_index,
        timestamp: LATEST,
        ..ListOffsetsPartition::default()
    };
    let partitions = (0..PARTITIONS).map(asked).collect();
    let request = ListOffsetsRequest {
        replica_id: -1,
        topics: vec![ByTopic { name: TOPIC.into(), partitions }],
        ..ListOffsetsRequest::default()
    };
    let response = cluster.call(&request)?;
    let mut partitions = response.topics.iter().flat_map(|it| &it.partitions);
    if partitions.clone().any(|it| it.error_code.is_error()) {
        return Ok(false);
    }
    match partitions.find(|it| it.offset != RECORDS) {
        None => Ok(true),
        Some(lost) => {
            Err(format!("partition {} ends at {}", lost.partition_index, lost.offset).into())
        }
    }
}
