//! An upstream that two cores share, in every order in which they can meet.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -r --no-default-features -p minilb --test loom_upstream`
#![cfg(loom)]

use loom::sync::{Arc, Mutex};
use loom::thread;
use minilb::engine::health::breaker::{BreakerParams, State};
use minilb::engine::peer::PeerParams;
use minilb::engine::upstream::{Attempts, Outcome, Picked, ServerConfig, Upstream, UpstreamConfig};

fn server(name: &str, params: PeerParams) -> ServerConfig {
    let (name, address) = (name.to_owned(), name.into());
    ServerConfig { name, address, params, backup: false, resolve: false }
}

fn shared(servers: Vec<ServerConfig>, breaker: Option<BreakerParams>) -> Arc<Mutex<Upstream>> {
    let config = UpstreamConfig { breaker, ..UpstreamConfig::new(servers) };
    Arc::new(Mutex::new(Upstream::new(&config)))
}

fn pick(upstream: &Mutex<Upstream>, now_ms: u64) -> Option<Picked> {
    upstream.lock().expect("no panic").pick(&mut Attempts::default(), now_ms)
}

fn release(upstream: &Mutex<Upstream>, mut picked: Picked, outcome: Outcome, now_ms: u64) {
    upstream.lock().expect("no panic").release(&mut picked, outcome, now_ms);
}

/// Runs `work` on another core and on this one.
fn twice<T: Send + 'static>(work: impl Fn() -> T + Clone + Send + 'static) -> [T; 2] {
    let other = thread::spawn(work.clone());
    let mine = work();
    [mine, other.join().expect("it does not panic")]
}

/// The sum of the current weights stays 0, and no connection is counted for ever.
#[test]
fn weights_and_connections_are_exact() {
    loom::model(|| {
        let heavy = PeerParams { weight: 2, ..PeerParams::default() };
        let upstream = shared(vec![server("a", heavy), server("b", PeerParams::default())], None);
        let other = Arc::clone(&upstream);
        twice(move || {
            let picked = pick(&other, 0).expect("two servers");
            release(&other, picked, Outcome::Finished, 0);
        });
        let state = upstream.lock().expect("no panic");
        assert_eq!(state.peers().map(|it| it.current_weight).sum::<i64>(), 0);
        assert_eq!(state.peers().map(|it| it.conns).sum::<u32>(), 0);
    });
}

/// `max_conns` is never exceeded.
#[test]
fn a_place_is_given_to_one() {
    loom::model(|| {
        let one = PeerParams { max_conns: 1, ..PeerParams::default() };
        let upstream = shared(vec![server("a", one)], None);
        let other = Arc::clone(&upstream);
        let picks = twice(move || pick(&other, 0));
        assert_eq!(picks.iter().flatten().count(), 1);
    });
}

/// When the time of a breaker is over, one of two requests is its probe, and the other one gets no
/// server. The probe's failure opens it again.
#[test]
fn a_breaker_sends_one_probe() {
    loom::model(|| {
        let params = BreakerParams { consecutive: 1, ..BreakerParams::default() };
        let open_ms = params.open_ms;
        let upstream = shared(vec![server("a", PeerParams::default())], Some(params));
        let picked = pick(&upstream, 0).expect("one server");
        release(&upstream, picked, Outcome::Failed, 0);

        let other = Arc::clone(&upstream);
        let picks = twice(move || pick(&other, open_ms));
        let mut probes = picks.into_iter().flatten();
        let probe = probes.next().expect("one of them");
        assert!(probe.is_probe && probes.next().is_none());
        release(&upstream, probe, Outcome::Failed, open_ms);
        let state = upstream.lock().expect("no panic");
        assert_eq!(state.peers().next().expect("a").breaker.state, State::Open(3 * open_ms));
    });
}

/// The last retry of a budget is given to one of two requests.
#[test]
fn a_retry_is_paid_for_once() {
    loom::model(|| {
        let params = BreakerParams { retries_percent: Some(0), ..BreakerParams::default() };
        let servers = vec![server("a", PeerParams::default()), server("b", PeerParams::default())];
        let upstream = shared(servers, Some(params));
        let attempts = Attempts::default();
        let spend = || upstream.lock().expect("no panic").begin_retry(&attempts).is_ok();
        assert_eq!((0..9).filter(|_| spend()).count(), 9, "one of ten is left");

        let other = Arc::clone(&upstream);
        let retries = twice(move || {
            other.lock().expect("no panic").begin_retry(&Attempts::default()).is_ok()
        });
        assert_eq!(retries.iter().filter(|it| **it).count(), 1);
    });
}
