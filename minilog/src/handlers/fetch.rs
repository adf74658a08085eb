//! Fetch: reading batches, and waiting for records if there are none.
//!
//! # Example
//!
//! A consumer at the end of a partition sends a fetch with `min_bytes` 1 and `max_wait_ms` 500:
//!
//! ```text
//! 0 ms     read: no records. Register a waker with the partition, wait for at most 500 ms
//! 120 ms   a producer appends and wakes us: read again, 85 bytes, respond
//! ```
//!
//! Without the append, the response after 500 ms has no records, and the consumer fetches again. An
//! idle consumer costs two requests a second and no thread: the connection's own task waits.
//!
//! # How much is read
//!
//! At most `partition_max_bytes` per partition and `max_bytes` in total. The first batch of the
//! response is the exception: it is always complete, so that a consumer can get past a batch that
//! is larger than the limit (KIP-74). Partitions that do not fit get no records. Consumers rotate
//! the order of their partitions, so each of them comes first at some time.
//!
//! # Without copying
//!
//! A response refers to a range of the segment's file, which the server sends with `sendfile`.
//! Short ranges of the active segment are copied into the response. Older segments may not be in
//! memory: they are searched on a helper thread, and read into the page cache before they are sent.
//!
//! Kafka counterpart: `ReplicaManager.fetchMessages` and `DelayedFetch.scala`. Fetch sessions
//! ([`crate::wire::fetch`]) are not supported.

use super::{Broker, Call, Delayed, Step, check_epoch, find_partition, find_topic, storage_error};
use crate::engine::log::log::ReadError;
use crate::engine::log::partition::Partition;
use crate::wire::ErrorCode;
use crate::wire::codec::{Frame, Records};
use crate::wire::fetch::*;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// The maximum size of a response, even if the client allows more (`fetch.max.bytes`).
const FETCH_BYTES_MAX: usize = 55 * 1024 * 1024;

/// Longer ranges are sent with `sendfile`. Copying shorter ones costs less than a system call.
const SENDFILE_BYTES_MIN: usize = 16 * 1024;

/// A fetch that waits for records.
struct DelayedFetch {
    call: Call,
    request: FetchRequest,
    /// The partitions, in the order of the request.
    partitions: Vec<Wanted>,
    /// The waker that is registered with the partitions.
    waker: Option<Waker>,
}

/// A partition of the request, or an error if it does not exist.
type Wanted = Result<Arc<Partition>, ErrorCode>;

/// The ranges of files that were found, before they are read.
struct Found {
    /// The response. At this point all records are ranges of files, even the short ones.
    response: FetchResponse,
    bytes: usize,
    /// True if a partition cannot be read at its offset: the response must not wait.
    has_error: bool,
}

/// Handles a fetch: reads the partitions, or waits for records.
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

    // A lookup in a sealed segment may wait for the disk, which must not delay other clients.
    if waiting.reads_sealed_segment() {
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
        // Register before the check: then an append between the two wakes us.
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

    /// The records found so far, possibly none.
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
    /// Returns true if the response must not wait. A missing partition ends the wait only if all
    /// partitions of the request are missing.
    fn is_enough(&self, found: &Found) -> bool {
        let bytes_min = self.request.min_bytes.min(self.request.max_bytes);
        let has_bytes = found.bytes as i64 >= i64::from(bytes_min);
        found.has_error || has_bytes || self.partitions.iter().all(Result::is_err)
    }

    /// Returns true if a partition is fetched from an offset in a sealed segment.
    fn reads_sealed_segment(&self) -> bool {
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
    /// Looks up the records of one partition.
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

    /// Reads the short ranges, and encodes the response. Unreadable partitions get an error.
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
