//! The codec against `kafka-protocol`, which was generated from the files of Kafka 4.1.
//!
//! Both decode the same made-up bytes and encode what they decoded, and both must give back the
//! bytes. Every version that both know is tried; a version that only ours knows is tried with ours.

use crate::generate::{Choices, message};
use bytes::Bytes;
use kafka_protocol::messages as theirs;
use kafka_protocol::protocol::{Decodable, Encodable};
use minilog::wire::codec::{Decoder, Encoder};
use minilog::wire::schema::Message;
use minilog::wire::{api_versions, configs, fetch, group};
use minilog::wire::{list_offsets, metadata, offsets, produce, topics};
use proptest::collection::vec;
use proptest::prelude::*;

/// Decodes and encodes `bytes` with both codecs.
fn round_trip<Ours, Theirs>(version: i16, bytes: &[u8])
where
    Ours: Message + std::fmt::Debug,
    Theirs: Decodable + Encodable + kafka_protocol::protocol::Message,
{
    let is_flexible = Ours::is_flexible(version);
    let name = Ours::TABLE.name;

    let mut decoder = Decoder::new(Bytes::copy_from_slice(bytes), version, is_flexible);
    let decoded = Ours::decode(&mut decoder).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(decoder.remaining(), 0, "{name} {version}");
    let mut encoder = Encoder::new(version, is_flexible);
    decoded.encode(&mut encoder);
    assert_eq!(encoder.into_vec(), bytes, "{name} {version}: {decoded:?}");

    if (Theirs::VERSIONS.min..=Theirs::VERSIONS.max).contains(&version) {
        let mut rest = bytes;
        let decoded = Theirs::decode(&mut rest, version)
            .unwrap_or_else(|error| panic!("{name} {version}, theirs: {error}: {bytes:02x?}"));
        assert_eq!(rest, [0u8; 0], "{name} {version}, theirs");
        let mut encoded = Vec::new();
        decoded.encode(&mut encoded, version).unwrap();
        assert_eq!(encoded, bytes, "{name} {version}, theirs");
    }
}

macro_rules! oracles {
    ($( $module:ident::$name:ident )*) => { $(
        proptest! {
            #[test]
            #[allow(non_snake_case)]
            fn $name(choices in vec(any::<u8>(), 0..400)) {
                type Ours = $module::$name;
                for version in Ours::VERSIONS {
                    let is_flexible = Ours::is_flexible(version);
                    let mut choices = Choices::new(&choices);
                    let bytes = message(Ours::TABLE, version, is_flexible, &mut choices);
                    round_trip::<Ours, theirs::$name>(version, &bytes);
                }
            }
        }
    )* };
}

oracles! {
    produce::ProduceRequest produce::ProduceResponse
    fetch::FetchRequest fetch::FetchResponse
    list_offsets::ListOffsetsRequest list_offsets::ListOffsetsResponse
    list_offsets::OffsetForLeaderEpochRequest list_offsets::OffsetForLeaderEpochResponse
    metadata::MetadataRequest metadata::MetadataResponse
    offsets::OffsetCommitRequest offsets::OffsetCommitResponse
    offsets::OffsetFetchRequest offsets::OffsetFetchResponse
    offsets::OffsetDeleteRequest offsets::OffsetDeleteResponse
    group::FindCoordinatorRequest group::FindCoordinatorResponse
    group::JoinGroupRequest group::JoinGroupResponse
    group::HeartbeatRequest group::HeartbeatResponse
    group::LeaveGroupRequest group::LeaveGroupResponse
    group::SyncGroupRequest group::SyncGroupResponse
    group::DescribeGroupsRequest group::DescribeGroupsResponse
    group::ListGroupsRequest group::ListGroupsResponse
    group::DeleteGroupsRequest group::DeleteGroupsResponse
    api_versions::ApiVersionsRequest api_versions::ApiVersionsResponse
    topics::CreateTopicsRequest topics::CreateTopicsResponse
    topics::DeleteTopicsRequest topics::DeleteTopicsResponse
    topics::DeleteRecordsRequest topics::DeleteRecordsResponse
    topics::CreatePartitionsRequest topics::CreatePartitionsResponse
    produce::InitProducerIdRequest produce::InitProducerIdResponse
    configs::DescribeConfigsRequest configs::DescribeConfigsResponse
    configs::IncrementalAlterConfigsRequest configs::IncrementalAlterConfigsResponse
    topics::DescribeLogDirsRequest topics::DescribeLogDirsResponse
    metadata::DescribeClusterRequest metadata::DescribeClusterResponse
}
