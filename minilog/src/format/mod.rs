//! The bytes of Kafka's files, one module per kind of file. No other module of the crate knows at
//! which byte a field is.
//!
//! The directory of partition 0 of the topic `orders` holds:
//!
//! | file | what | declared in |
//! |---|---|---|
//! | `00000000000000000000.log` | record batches | [`batch`], [`record`], [`compression`] |
//! | `00000000000000000000.index` | offset to position, every 4 KiB | [`index`] |
//! | `00000000000000000000.timeindex` | timestamp to offset, every 4 KiB | [`index`] |
//! | `00000000000000000005.snapshot` | state of idempotent producers at offset 5 | [`snapshot`] |
//! | `leader-epoch-checkpoint` | the first offset of each leader | [`checkpoint`] |
//! | `partition.metadata` | the id of the topic | [`properties`] |
//!
//! A segment is named after the offset of its first record ([`names`]). The data directory holds
//! `orders-0`, `meta.properties` ([`properties`]), and checkpoints of all partitions
//! ([`checkpoint`]).
//!
//! All numbers are big-endian: Kafka writes them with Java's `ByteBuffer`.

pub mod batch;
pub mod checkpoint;
pub mod compression;
pub mod index;
pub mod names;
pub mod properties;
pub mod record;
pub mod snapshot;
