//! A waiting join, in every interleaving with the other member's join and its own disconnect.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -r --no-default-features -p minilog --test loom_group`
#![cfg(loom)]

use bytes::Bytes;
use loom::thread;
use minikit::storage::{Disk, SimulatedDisk};
use minilog::engine::group::coordinator::GroupConfig;
use minilog::engine::group::events::Now;
use minilog::engine::group::group::Member;
use minilog::engine::log::config::LogConfig;
use minilog::handlers::catalog::Topics;
use minilog::handlers::group::Groups;
use minilog::handlers::producer_ids::ProducerIds;
use minilog::handlers::{Broker, Delayed, Step, handle};
use minilog::wire::encode_request;
use minilog::wire::group::{FindCoordinatorRequest, JoinGroupRequest, JoinGroupRequestProtocol};
use minilog::wire::schema::Message;
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Wake, Waker};

/// Counts its wake-ups.
#[derive(Default)]
struct Alarm(AtomicUsize);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

thread_local! {
    /// Of one model: they run beside each other, and all threads of one are a thread of the system.
    static NEXT_ID: Cell<u8> = const { Cell::new(0) };
}

/// A broker with a group of one member, whose id is known.
fn broker() -> Arc<Broker> {
    let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new(1));
    let random = || NEXT_ID.with(|it| [it.replace(it.get() + 1); 16]);
    let topics = Topics::open(Arc::clone(&disk), LogConfig::default(), random);
    NEXT_ID.set(0);
    let broker = Arc::new(Broker {
        topics: topics.expect("the disk is whole").0,
        auto_create_topics: false,
        num_partitions: 1,
        data_dir: String::new(),
        producer_ids: ProducerIds::new(disk),
        groups: Groups::new(
            GroupConfig { initial_delay_ms: 0, ..Default::default() },
            Now::default,
        ),
        advertised: OnceLock::new(),
    });
    let find = FindCoordinatorRequest { key: "g".into(), ..Default::default() };
    match send(&broker, 2, &find) {
        Step::Blocking(job) => drop(job()),
        _ => panic!("the topic exists"),
    }
    let Step::Respond(_) = join(&broker, "") else { panic!("the first member waits") };
    broker
}

fn send<M: Message>(broker: &Arc<Broker>, version: i16, request: &M) -> Step {
    let frame = Bytes::from(encode_request(1, "c", version, request).to_vec());
    handle(broker, "/127.0.0.1", frame.slice(4..))
}

fn join(broker: &Arc<Broker>, member_id: &str) -> Step {
    let protocol = JoinGroupRequestProtocol { name: "range".into(), metadata: vec![] };
    let request = JoinGroupRequest {
        group_id: "g".into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 60_000,
        member_id: member_id.into(),
        protocol_type: "consumer".into(),
        protocols: vec![protocol],
        ..JoinGroupRequest::default()
    };
    send(broker, 3, &request)
}

/// Returns the id of the first member, and the join of a second one, which waits for the first.
fn waiting(broker: &Arc<Broker>) -> (String, Box<dyn Delayed>) {
    let first = broker.groups.with(|it| it.group("g").and_then(|it| it.leader.clone()));
    let Step::Delay(waiting) = join(broker, "") else { panic!("the second member does not wait") };
    (first.expect("there is a leader"), waiting)
}

#[test]
fn no_join_sleeps_through_its_reply() {
    loom::model(|| {
        let broker = broker();
        let (first, mut waiting) = waiting(&broker);
        let other = thread::spawn(move || drop(join(&broker, &first)));

        let alarm = Arc::new(Alarm::default());
        let waker = Waker::from(Arc::clone(&alarm));
        let is_ready = waiting.poll(&mut Context::from_waker(&waker)).is_ready();
        other.join().expect("the other member does not panic");
        assert!(is_ready || alarm.0.load(Ordering::SeqCst) > 0, "the connection is not woken");
        assert!(is_ready || waiting.poll(&mut Context::from_waker(&waker)).is_ready());
    });
}

#[test]
fn a_disconnect_during_the_reply_leaves_no_waiting_member() {
    loom::model(|| {
        let broker = broker();
        let (first, waiting) = waiting(&broker);
        let own = Arc::clone(&broker);
        let other = thread::spawn(move || drop(join(&own, &first)));
        drop(waiting);
        other.join().expect("the other member does not panic");

        // The other connection has ended too, so no member waits, in any interleaving.
        broker.groups.with(|it| {
            let group = it.group("g").expect("it has members");
            assert!(group.members.values().all(|it: &Member| it.waiting.is_none()));
        });
    });
}
