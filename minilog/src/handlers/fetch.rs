//! Fetch: reads batches, and waits for records if there are none.
//!
//! # Example
//!
//! A consumer at the end of a partition asks with `min_bytes` 1 and `max_wait_ms` 500:
//!
//! ```text
//! 0 ms     read: nothing. Leave a waker at the partition, wait for at most 500 ms
//! 120 ms   a producer appends and wakes us: read again, 85 bytes, respond
//! ```
//!
//! Without the append the response has no records after 500 ms, and the consumer asks again. An
//! idle consumer costs two requests a second and no thread: the connection's own task waits.
//!
//! # How much is read
//!
//! At most `partition_max_bytes` per partition and `max_bytes` in all, except that the first batch
//! of the response is always whole; otherwise a consumer could never get past one that is larger
//! (KIP-74). Partitions that do not fit get nothing, and a consumer rotates
//! their order, so that each is first at some time.
//!
//! # Without copying
//!
//! A response refers to a range of the segment's file instead of containing it, and the server
//! sends it by `sendfile`. Short ranges of the active segment are copied. Those of an older one may
//! not be in memory: they are looked up on another thread, and warmed before they are sent.
//!
//! Kafka counterpart: `ReplicaManager.fetchMessages` and `DelayedFetch.scala`. Fetch sessions
//! ([`crate::wire::fetch`]) are not kept.

use super::{Broker, Call, Delayed, Step, check_epoch, find_partition, find_topic, storage_error};
use crate::engine::log::log::ReadError;
use crate::engine::log::partition::Partition;
use crate::wire::ErrorCode;
use crate::wire::codec::{Frame, Records};
use crate::wire::fetch::*;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// More than this is not read at once, whatever the client allows (`fetch.max.bytes`).
const FETCH_BYTES_MAX: usize = 55 * 1024 * 1024;

/// Longer ranges are sent from the file. Below, copying costs less than a second system call.
const SENDFILE_BYTES_MIN: usize = 16 * 1024;

/// A fetch that waits for records.
struct DelayedFetch {
    call: Call,
    request: FetchRequest,
    /// In the order of the request.
    partitions: Vec<Wanted>,
    /// What the partitions wake.
    waker: Option<Waker>,
}

/// The partition that a row of a request names.
type Wanted = Result<Arc<Partition>, ErrorCode>;

/// What was found, before it is read.
struct Found {
    /// Refers to the files for all records, also for short ones.
    response: FetchResponse,
    bytes: usize,
    /// A partition cannot be read at this offset, which is answered at once.
    has_error: bool,
}

/// Reads the partitions of a request, or waits.
pub(super) fn fetch(broker: &Arc<Broker>, call: Call, request: FetchRequest) -> Step {
    if request.session_id != 0 {
        let error_code = ErrorCode::FETCH_SESSION_ID_NOT_FOUND;
        return call.respond(&FetchResponse { error_code, ..Default::default() });
    }
    let catalog = broker.topics.catalog();
    let partitions = request.topics.iter().flat_map(|topic| {
        let found = find_topic(&catalog, &topic.topic, topic.topic_id);
        topic.partitions.iter().map(move |it| find_partition(found, it.partition).cloned())
    });
    let partitions = partitions.collect();
    let mut waiting = DelayedFetch { call, request, partitions, waker: None };

    // A lookup in a sealed segment may wait for the disk: not here, where others would wait too.
    if waiting.is_about_old_records() {
        return Step::Blocking(Box::new(move || waiting.finish()));
    }
    let found = waiting.find();
    if waiting.is_enough(&found) || waiting.request.max_wait_ms <= 0 {
        return Step::Respond(found.into_frame(call));
    }
    Step::Delay(Box::new(waiting))
}

impl Delayed for DelayedFetch {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Frame> {
        // First the waker, then the look: an append between the two wakes us.
        let waker = self.waker.insert(context.waker().clone());
        self.partitions.iter().flatten().for_each(|it| it.wake_on_append(waker));
        let found = self.find();
        match self.is_enough(&found) {
            true => Poll::Ready(found.into_frame(self.call)),
            false => Poll::Pending,
        }
    }

    fn timeout(&self) -> Duration {
        Duration::from_millis(self.request.max_wait_ms.max(0) as u64)
    }

    /// What there is.
    fn finish(&mut self) -> Frame {
        self.find().into_frame(self.call)
    }
}

impl Drop for DelayedFetch {
    fn drop(&mut self) {
        if let Some(waker) = &self.waker {
            self.partitions.iter().flatten().for_each(|it| it.forget(waker));
        }
    }
}

impl DelayedFetch {
    /// A partition that does not exist is no reason to hurry, unless there are no others.
    fn is_enough(&self, found: &Found) -> bool {
        let bytes_min = self.request.min_bytes.min(self.request.max_bytes);
        let has_bytes = found.bytes as i64 >= i64::from(bytes_min);
        found.has_error || has_bytes || self.partitions.iter().all(Result::is_err)
    }

    /// Returns true if a partition is asked for an offset in a sealed segment.
    fn is_about_old_records(&self) -> bool {
        let wanted = self.request.topics.iter().flat_map(|it| &it.partitions);
        wanted.zip(&self.partitions).any(|(wanted, partition)| {
            partition.as_ref().is_ok_and(|it| it.with_log(|log| log.is_sealed(wanted.fetch_offset)))
        })
    }

    fn find(&self) -> Found {
        let response = FetchResponse::default();
        let mut found = Found { response, bytes: 0, has_error: false };
        let bytes_max = (self.request.max_bytes.max(0) as usize).min(FETCH_BYTES_MAX);
        let mut known = self.partitions.iter();
        for topic in &self.request.topics {
            let partitions = topic.partitions.iter().zip(known.by_ref());
            let partitions = partitions.map(|(wanted, it)| found.add(it, wanted, bytes_max));
            let partitions = partitions.collect();
            found.response.responses.push(FetchTopic {
                topic: topic.topic.clone(),
                topic_id: topic.topic_id,
                partitions,
            });
        }
        found
    }
}

impl Found {
    /// Looks into one partition.
    fn add(&mut self, known: &Wanted, wanted: &FetchPartition, bytes_max: usize) -> PartitionData {
        let left = bytes_max.saturating_sub(self.bytes);
        let limit = (wanted.partition_max_bytes.max(0) as usize).min(left);
        let mut data = PartitionData {
            partition_index: wanted.partition,
            high_watermark: -1,
            ..Default::default()
        };
        let read = known.as_ref().map_err(|error| *error).and_then(|it| {
            let read = it.read(wanted.fetch_offset, limit).map_err(|error| match error {
                ReadError::OffsetOutOfRange => ErrorCode::OFFSET_OUT_OF_RANGE,
                ReadError::Storage(error) => storage_error(&error),
            })?;
            check_epoch(read.1.leader_epoch, wanted.current_leader_epoch).map(|()| read)
        });
        let slice = match read {
            Ok((slice, offsets)) => {
                data.high_watermark = offsets.high_watermark;
                data.last_stable_offset = offsets.high_watermark;
                data.log_start_offset = offsets.log_start_offset;
                slice
            }
            Err(error_code) => {
                self.has_error |= known.is_ok();
                data.error_code = error_code;
                None
            }
        };

        // Only the first batch of the response may exceed the limit.
        let slice = slice.filter(|it| it.length <= limit || self.bytes == 0);
        self.bytes += slice.as_ref().map_or(0, |it| it.length);
        data.records = Some(slice.map(Records::File).unwrap_or_default());
        data
    }

    /// Reads what is short and encodes the response. A partition that cannot be read has an error.
    fn into_frame(mut self, call: Call) -> Frame {
        for partition in self.response.responses.iter_mut().flat_map(|it| &mut it.partitions) {
            let Some(Records::File(slice)) = &partition.records else { continue };
            let stays = slice.length >= SENDFILE_BYTES_MIN || !slice.is_active;
            if stays && slice.file.as_fd().is_some() {
                continue;
            }
            match slice.read() {
                Ok(bytes) => partition.records = Some(Records::Bytes(bytes.into())),
                Err(error) => {
                    partition.error_code = storage_error(&error);
                    partition.records = None;
                }
            }
        }
        call.encode(&self.response)
    }
}
