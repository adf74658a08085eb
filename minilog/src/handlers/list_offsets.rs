//! ListOffsets: the first offset, the last one, or the one at a point in time.
//!
//! | asked for | answer |
//! |---|---|
//! | -2, earliest | the start of the log |
//! | -1, latest | the high watermark: the offset that the next readable record gets |
//! | -3, largest timestamp | the record with it |
//! | a timestamp | the first record at or after it; -1 if all are older |
//!
//! Kafka counterpart: `UnifiedLog.fetchOffsetByTimestamp`. -4 and -5 concern tiered storage; -4 is
//! answered as -2, since everything is local.

use super::{Broker, Call, Step, find_partition, find_topic, storage_error};
use crate::engine::log::partition::Partition;
use crate::format::properties::Uuid;
use crate::wire::ErrorCode;
use crate::wire::list_offsets::*;
use crate::wire::topics::ByTopic;

/// The first offset that is not in tiered storage only.
const EARLIEST_LOCAL: i64 = -4;

/// Looks up offsets.
pub(super) fn list_offsets(broker: &Broker, call: Call, request: &ListOffsetsRequest) -> Step {
    let catalog = broker.topics.catalog();
    let topics = request.topics.iter().map(|topic| {
        let found = find_topic(&catalog, &topic.name, Uuid::default());
        let found = found.map_err(|_| ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        let partitions = topic.partitions.iter().map(|wanted| {
            let partition = find_partition(found, wanted.partition_index);
            partition.and_then(|it| look_up(it, wanted)).unwrap_or_else(|error_code| {
                let partition_index = wanted.partition_index;
                ListOffsetsPartitionResponse { partition_index, error_code, ..Default::default() }
            })
        });
        ByTopic { name: topic.name.clone(), partitions: partitions.collect() }
    });
    let topics = topics.collect();
    call.respond(&ListOffsetsResponse { topics, ..ListOffsetsResponse::default() })
}

fn look_up(
    partition: &Partition,
    wanted: &ListOffsetsPartition,
) -> Result<ListOffsetsPartitionResponse, ErrorCode> {
    let offsets = partition.offsets();
    let found = match wanted.timestamp {
        EARLIEST | EARLIEST_LOCAL => Some((-1, offsets.log_start_offset)),
        LATEST => Some((-1, offsets.high_watermark)),
        timestamp => {
            let found = match timestamp {
                MAX_TIMESTAMP => partition.with_log(|log| log.find_max_timestamp()),
                timestamp if timestamp < 0 => return Err(ErrorCode::UNSUPPORTED_VERSION),
                timestamp => partition.with_log(|log| log.find_timestamp(timestamp)),
            };
            let found = found.map_err(|error| storage_error(&error))?;
            let is_readable = |offset: i64| offset < offsets.high_watermark;
            found.filter(|it| is_readable(it.offset)).map(|it| (it.timestamp, it.offset))
        }
    };

    let partition_index = wanted.partition_index;
    let mut response = ListOffsetsPartitionResponse { partition_index, ..Default::default() };
    if let Some((timestamp, offset)) = found {
        (response.timestamp, response.offset) = (timestamp, offset);
        response.leader_epoch = offsets.leader_epoch;
    }
    Ok(response)
}
