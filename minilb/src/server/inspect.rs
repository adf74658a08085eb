//! The admin endpoint: metrics, the servers of each upstream with their health and times, and the
//! rings that keys are hashed to.
//!
//! ```text
//! upstream  server          weight  effective  conns  fails  state                       times
//! app       127.0.0.1:8081       5          5      3      0  up                          ░▃█▂▁░░░░
//! app       127.0.0.1:8082       1          0      0      1  1 fails, out for 8.1 s more ░░░░░░░░░
//!
//! server          share   pieces of the ring
//! 127.0.0.1:8081  48.1 %  ██░░█░░░████░██░░░██
//! 127.0.0.1:8082  51.9 %  ░░██░███░░░░█░░███░░
//! ```
//!
//! NGINX counterpart: `stub_status`; the table is in NGINX Plus only (`ngx_http_api_module`).

use super::start::LoadBalancer;
use crate::engine::balance::ring::Ring;
use crate::engine::peer::Peer;
use crate::engine::upstream::{Attempts, Method};
use crate::handlers::explain::reason;
use minikit::admin::{Exposition, Inspect, StatePage};
use minikit::server::Hooks;

impl Inspect for LoadBalancer {
    fn metrics(&self, out: &mut Exposition) {
        let counts = self.connections();
        out.gauge("minilb_clients", "Clients connected.", counts.current());
        out.counter("minilb_clients_accepted_total", "Clients let in.", counts.accepted());
        out.counter("minilb_clients_refused_total", "Clients turned away.", counts.refused());

        let upstreams = self.look().0;
        let peers = || {
            upstreams.iter().flat_map(|(name, _, peers)| {
                peers.iter().map(move |it| ([("upstream", &**name), ("server", &*it.address)], it))
            })
        };
        let mut conns = out.gauges("minilb_peer_connections", "Connections to a server.");
        peers().for_each(|(labels, it)| _ = conns.sample(&labels, u64::from(it.conns)));
        let mut fails = out.gauges("minilb_peer_fails", "Failures that still count.");
        peers().for_each(|(labels, it)| _ = fails.sample(&labels, u64::from(it.fails)));

        // A histogram of Prometheus in all but its name: `histogram_quantile` goes by `le`.
        let help = "Responses, or sessions of `stream`, that took less than `le` seconds.";
        let mut times = out.counters("minilb_peer_responses_total", help);
        for ([upstream, server], peer) in peers() {
            for (end_us, count) in peer.times.cumulative() {
                let le = (end_us / 1e6).to_string().replace("inf", "+Inf");
                times.sample(&[upstream, server, ("le", &le)], count);
            }
        }
    }

    fn state_page(&self) -> StatePage {
        let mut page = StatePage::new("minilb");
        let counts = self.connections();
        page.list("Clients", "Each takes two of worker_connections.")
            .row(["connected".into(), counts.current().into()])
            .row(["limit".into(), self.max_connections().into()]);

        let (upstreams, now_ms) = self.look();
        let note = "Primary servers first. Columns of `times` are buckets of a histogram: under \
                    64 µs, 128 µs, ..., 16 s, and more, from the pick to the response's end.";
        let columns =
            ["upstream", "server", "weight", "effective", "conns", "fails", "state", "times"];
        let table = page.table("Servers", note, &columns);
        for (name, _, peers) in &upstreams {
            for peer in peers {
                let is_slow = peer.slow_start.share(peer.params.slow_start_ms, now_ms) < 1000;
                let state = reason(peer, is_slow, &Attempts::default(), now_ms);
                table.row([
                    name.clone().into(),
                    peer.address.to_string().into(),
                    (peer.params.weight as u64).into(),
                    (peer.effective_weight as u64).into(),
                    u64::from(peer.conns).into(),
                    u64::from(peer.fails).into(),
                    state.unwrap_or_else(|| "up".to_owned()).into(),
                    peer.times.draw().into(),
                ]);
            }
        }

        for (name, method, peers) in &upstreams {
            if matches!(method, Method::ConsistentHash | Method::BoundedHash(_)) {
                draw_ring(&mut page, name, peers);
            }
        }
        page
    }

    /// Healthy as long as it runs: a load balancer without live servers still answers, with 502.
    fn healthy(&self) -> Result<(), String> {
        Ok(())
    }
}

/// Adds the ring of an upstream: a line for each server.
fn draw_ring(page: &mut StatePage, upstream: &str, peers: &[Peer]) {
    let note = "Cut open at 0, in 32 pieces: each is drawn for the server of its first place.";
    let table = page.table(&format!("Ring of {upstream}"), note, &["server", "share", "pieces"]);
    let ring = Ring::new(peers);
    let points = ring.points().collect::<Vec<_>>();
    for peer in peers {
        let is_its = |place: u32| {
            let after = points.partition_point(|(point, _)| *point < place);
            points.get(after).or(points.first()).is_some_and(|(_, name)| *name == &*peer.name)
        };
        // A point has the places after the one before it; the first one, those after the last.
        let before = points.iter().cycle().skip(points.len() - 1);
        let arcs = points.iter().zip(before).filter(|((_, name), _)| *name == &*peer.name);
        let places = arcs.map(|((point, _), (before, _))| u64::from(point.wrapping_sub(*before)));
        let share = places.sum::<u64>() as f64 * 100.0 / (1_u64 << 32) as f64;
        let pieces = (0..32).map(|it| if is_its(it << 27) { '█' } else { '░' });
        table.row([
            peer.name.to_string().into(),
            format!("{share:.1} %").into(),
            pieces.collect::<String>().into(),
        ]);
    }
}
