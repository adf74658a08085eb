//! Produce: appends batches, and answers when they are as safe as the topic promises.
//!
//! On a single node `acks=1` and `acks=all` are the same: there is no other replica to wait for.
//! With `--sync always` both wait until the batches are on the disk. With `acks=0` the client does
//! not want an answer; if something fails, closing the connection is the only way to say so.
//!
//! An error concerns one partition. The others of the request are appended.
//!
//! Kafka counterpart: `KafkaApis.handleProduceRequest`, `ReplicaManager.appendRecords`.

use super::{Broker, Call, Step, find_partition, find_topic};
use crate::engine::log::log::AppendError;
use crate::engine::log::partition::Partition;
use crate::engine::log::producers::SequenceError;
use crate::wire::ErrorCode;
use crate::wire::codec::Frame;
use crate::wire::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, ProduceResponse,
    TopicProduceResponse,
};
use std::sync::Arc;
use std::task::{Context, Poll};

/// A response that waits until what it acknowledges is durable.
pub struct WaitingProduce {
    frame: Option<Frame>,
    /// Partitions, each with the high watermark that covers the batch.
    needed: Vec<(Arc<Partition>, i64)>,
}

/// Appends the batches of a request.
pub(super) fn produce(broker: &Arc<Broker>, call: Call, request: ProduceRequest) -> Step {
    let catalog = broker.topics.catalog();
    let refused = match request.acks {
        _ if request.transactional_id.is_some() => {
            Some(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
        }
        -1..=1 => None,
        _ => Some(ErrorCode::INVALID_REQUIRED_ACKS),
    };

    let (mut response, mut needed) = (ProduceResponse::default(), Vec::new());
    for topic in request.topic_data {
        let found = find_topic(&catalog, &topic.name, topic.topic_id);
        let partitions = topic.partition_data.into_iter().map(|data| {
            let partition = refused.map_or(find_partition(found, data.index), Err);
            append(partition, &data, &mut needed)
        });
        response.responses.push(TopicProduceResponse {
            partition_responses: partitions.collect(),
            name: topic.name,
            topic_id: topic.topic_id,
        });
    }

    if request.acks == 0 {
        let results = response.responses.iter().flat_map(|it| &it.partition_responses);
        let error = results.map(|it| it.error_code).find(|it| it.is_error());
        return error.map_or(Step::Silent, |it| Step::Close(format!("{it} with acks=0")));
    }
    let frame = call.encode(&response);
    needed.retain(|(partition, offset)| partition.high_watermark() < *offset);
    match needed.is_empty() {
        true => Step::Respond(frame),
        false => Step::Produce(WaitingProduce { frame: Some(frame), needed }),
    }
}

fn append(
    partition: Result<&Arc<Partition>, ErrorCode>,
    data: &PartitionProduceData,
    needed: &mut Vec<(Arc<Partition>, i64)>,
) -> PartitionProduceResponse {
    let mut response = PartitionProduceResponse {
        index: data.index,
        base_offset: -1,
        ..PartitionProduceResponse::default()
    };
    let partition = match partition {
        Ok(partition) => partition,
        Err(error) => return PartitionProduceResponse { error_code: error, ..response },
    };

    match partition.append(data.records.as_deref().unwrap_or_default()) {
        Ok(appended) => {
            response.base_offset = appended.base_offset;
            response.log_start_offset = partition.log_start_offset();
            needed.push((Arc::clone(partition), appended.last_offset + 1));
        }
        Err(error) => {
            response.error_code = error_code(&error);
            response.error_message = Some(error.to_string());
        }
    }
    response
}

fn error_code(error: &AppendError) -> ErrorCode {
    match error {
        AppendError::Batch(_) => ErrorCode::CORRUPT_MESSAGE,
        AppendError::InvalidRecord(_) => ErrorCode::INVALID_RECORD,
        AppendError::TooLarge { .. } => ErrorCode::MESSAGE_TOO_LARGE,
        AppendError::Sequence(SequenceError::OutOfOrder { .. }) => {
            ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
        }
        AppendError::Sequence(SequenceError::OldEpoch { .. }) => ErrorCode::INVALID_PRODUCER_EPOCH,
        AppendError::Storage(_) => ErrorCode::KAFKA_STORAGE_ERROR,
    }
}

impl WaitingProduce {
    /// The partitions that must be flushed.
    pub fn partitions(&self) -> impl Iterator<Item = &Arc<Partition>> {
        self.needed.iter().map(|(partition, _)| partition)
    }

    /// Ready with the response once everything is durable.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<Frame> {
        self.needed.retain(|(partition, offset)| {
            partition.wake_on_append(context.waker());
            partition.high_watermark() < *offset
        });
        match self.needed.is_empty() {
            true => Poll::Ready(self.frame.take().expect("polled again after it was ready")),
            false => Poll::Pending,
        }
    }
}
