//! A broker without sockets: its answers to requests, and the state that survives a crash.
//!
//! | module | what it tests |
//! |---|---|
//! | `requests` | answers that were compared with those of Kafka 4.3 |
//! | `groups` | consumer groups after a crash, and requests that wait in a group |
#![cfg(not(loom))]

mod groups;
mod requests;

use bytes::Bytes;
use minikit::storage::{Disk, SimulatedDisk};
use minilog::engine::group::coordinator::GroupConfig;
use minilog::engine::group::events::Now;
use minilog::engine::log::config::LogConfig;
use minilog::handlers::catalog::Topics;
use minilog::handlers::group::Groups;
use minilog::handlers::parameters::Overrides;
use minilog::handlers::producer_ids::ProducerIds;
use minilog::handlers::{Broker, Step, group_log, handle};
use minilog::wire::schema::Message;
use minilog::wire::{decode_response, encode_request};
use std::io;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

/// Distinct bytes in place of random ones.
fn random() -> [u8; 16] {
    static NEXT_ID: AtomicU8 = AtomicU8::new(1);
    [NEXT_ID.fetch_add(1, Ordering::Relaxed); 16]
}

/// Starts a broker on a disk, with the topic `orders`.
fn broker(disk: &SimulatedDisk, flush_messages: i64) -> io::Result<Arc<Broker>> {
    let config = LogConfig { flush_messages, ..LogConfig::default() };
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let (topics, _) = Topics::open(Arc::clone(&shared), config, random)?;
    if topics.catalog().by_name("orders").is_none() {
        let created = topics.create("orders", 1, Overrides::default());
        created.map_err(|error| io::Error::other(format!("{error:?}")))?;
    }
    let broker = Arc::new(Broker {
        topics,
        auto_create_topics: false,
        num_partitions: 1,
        data_dir: String::new(),
        producer_ids: ProducerIds::new(shared),
        groups: Groups::new(
            GroupConfig { initial_delay_ms: 0, ..Default::default() },
            Now::default,
        ),
        advertised: OnceLock::new(),
    });
    assert_eq!(group_log::load(&broker)?, 0);
    Ok(broker)
}

fn send<M: Message>(broker: &Arc<Broker>, version: i16, request: &M) -> Step {
    let frame = Bytes::from(encode_request(1, "test", version, request).to_vec());
    handle(broker, "/127.0.0.1", frame.slice(4..))
}

/// The response, after the flush that it may need.
fn call<M: Message, R: Message>(broker: &Arc<Broker>, version: i16, request: &M) -> R {
    let frame = match send(broker, version, request) {
        Step::Respond(frame) => frame,
        Step::Blocking(job) => job(),
        Step::Delay(mut waiting) => {
            assert!(waiting.needs_flush(), "it waits for another member");
            // If it fails, the response says so.
            let _ = broker.topics.flush(|_| true);
            match waiting.poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(frame) => frame,
                Poll::Pending => panic!("still waits after the flush"),
            }
        }
        _ => panic!("another step"),
    };
    decode_response(Bytes::from(frame.to_vec()).slice(4..), version).expect("a response").1
}
