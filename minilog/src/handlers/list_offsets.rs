//! ListOffsets: finding the first offset, the last one, or the one at a point in time.
//! OffsetForLeaderEpoch: finding the offset at which a leader's records end.
//!
//! The constants of [`wire::list_offsets`](crate::wire::list_offsets) list what clients can ask
//! for. The latest offset is the high watermark: the offset that the next readable record gets.
//!
//! A consumer at offset 7, whose last record has leader epoch 1, asks where epoch 1 ends:
//!
//! ```text
//! epochs   0 from offset 0, 1 from offset 5, 3 from offset 6
//! asked 1  ->  epoch 1, offset 6: it has read a lost record, and goes back to 6
//! asked 2  ->  epoch 1, offset 6      asked 3  ->  epoch 3, the end of the log
//! asked 4  ->  -1: no leader had it
//! ```
//!
//! Kafka counterpart: `UnifiedLog.fetchOffsetByTimestamp`, `LeaderEpochFileCache.endOffsetFor`. The
//! timestamps -4 to -6 concern tiered storage. Here all records are local, so -4 is answered like
//! -2, and -5 and -6 find nothing.

use super::{Broker, check_epoch, find_partition, storage_error};
use crate::engine::log::partition::Partition;
use crate::wire::ErrorCode;
use crate::wire::list_offsets::*;
use crate::wire::topics::ByTopic;

/// The first offset that is on the broker's own disk.
const EARLIEST_LOCAL: i64 = -4;
/// The last offset in tiered storage.
const LATEST_TIERED: i64 = -5;
/// The first offset that must still be uploaded to tiered storage.
const EARLIEST_PENDING_UPLOAD: i64 = -6;

pub fn list_offsets(broker: &Broker, request: ListOffsetsRequest) -> ListOffsetsResponse {
    let catalog = broker.topics.catalog();
    let topics = request.topics.into_iter().map(|topic| {
        let found = catalog.by_name(&topic.name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        let partitions = topic.partitions.iter().map(|wanted| {
            let partition_index = wanted.partition_index;
            let found = find_partition(found, partition_index).and_then(|it| look_up(it, wanted));
            let error_code = found.err().unwrap_or(ErrorCode::NONE);
            let (timestamp, offset, leader_epoch) = found.ok().flatten().unwrap_or((-1, -1, -1));
            ListOffsetsPartitionResponse {
                partition_index,
                error_code,
                timestamp,
                offset,
                leader_epoch,
            }
        });
        ByTopic { partitions: partitions.collect(), name: topic.name }
    });
    ListOffsetsResponse { topics: topics.collect(), ..Default::default() }
}

/// Returns the timestamp, offset and leader epoch of the record found.
fn look_up(
    partition: &Partition,
    wanted: &ListOffsetsPartition,
) -> Result<Option<(i64, i64, i32)>, ErrorCode> {
    let offsets = partition.offsets();
    check_epoch(offsets.leader_epoch, wanted.current_leader_epoch)?;
    let found = match wanted.timestamp {
        EARLIEST | EARLIEST_LOCAL => Some((-1, offsets.log_start_offset)),
        LATEST => Some((-1, offsets.high_watermark)),
        LATEST_TIERED | EARLIEST_PENDING_UPLOAD => None,
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
    Ok(found.map(|(timestamp, offset)| (timestamp, offset, offsets.leader_epoch)))
}

/// Handles OffsetForLeaderEpoch: finds the offsets at which the records of leaders end.
pub fn end_of_epoch(
    broker: &Broker,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let catalog = broker.topics.catalog();
    let topics = request.topics.into_iter().map(|it| {
        let found = catalog.by_name(&it.topic).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        let partitions = it.partitions.iter().map(|wanted| {
            let end = find_partition(found, wanted.partition).and_then(|partition| {
                partition.with_log(|log| {
                    check_epoch(log.leader_epoch(), wanted.current_leader_epoch)?;
                    Ok(log.end_of_epoch(wanted.leader_epoch))
                })
            });
            let error_code = end.err().unwrap_or(ErrorCode::NONE);
            let (leader_epoch, end_offset) = end.ok().flatten().unwrap_or((-1, -1));
            EpochEndOffset { error_code, partition: wanted.partition, leader_epoch, end_offset }
        });
        EpochTopic { partitions: partitions.collect(), topic: it.topic }
    });
    OffsetForLeaderEpochResponse { topics: topics.collect(), ..Default::default() }
}
