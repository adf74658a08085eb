//! The admin endpoint: metrics, and the servers of each upstream with their health.
//!
//! ```text
//! upstream  server          weight  effective  conns  fails
//! app       127.0.0.1:8081  5       5          3      0
//! app       127.0.0.1:8082  1       0          0      1      disabled
//! ```
//!
//! NGINX counterpart: `stub_status`; the table is in NGINX Plus only (`ngx_http_api_module`).

use super::start::LoadBalancer;
use crate::engine::health::breaker::State;
use crate::engine::peer::Peer;
use minikit::admin::{Exposition, Inspect, StatePage};
use minikit::server::Hooks;

impl Inspect for LoadBalancer {
    fn metrics(&self, out: &mut Exposition) {
        let counts = self.connections();
        out.gauge("minilb_clients", "Clients connected.", counts.current());
        out.counter("minilb_clients_accepted_total", "Clients let in.", counts.accepted());
        out.counter("minilb_clients_refused_total", "Clients turned away.", counts.refused());

        let mut fails = Vec::new();
        let mut conns = out.gauges("minilb_peer_connections", "Connections to a server.");
        self.each_peer(|upstream, peer, _| {
            let labels = [("upstream", upstream), ("server", &*peer.address)];
            conns.sample(&labels, u64::from(peer.conns));
            fails.push((upstream.to_owned(), peer.clone()));
        });
        let mut gauges = out.gauges("minilb_peer_fails", "Failures that still count.");
        for (upstream, peer) in &fails {
            let labels = [("upstream", upstream.as_str()), ("server", &*peer.address)];
            gauges.sample(&labels, u64::from(peer.fails));
        }
    }

    fn state_page(&self) -> StatePage {
        let mut page = StatePage::new("minilb");
        let counts = self.connections();
        page.list("Clients", "Each takes two of worker_connections.")
            .row(["connected".into(), counts.current().into()])
            .row(["limit".into(), self.max_connections().into()]);
        let columns = ["upstream", "server", "weight", "effective", "conns", "fails", "state"];
        let table = page.table("Servers", "Primary servers first.", &columns);
        self.each_peer(|upstream, peer, now_ms| {
            table.row([
                upstream.to_owned().into(),
                peer.address.to_string().into(),
                (peer.params.weight as u64).into(),
                (peer.effective_weight as u64).into(),
                u64::from(peer.conns).into(),
                u64::from(peer.fails).into(),
                state(peer, now_ms).to_owned().into(),
            ]);
        });
        page
    }

    /// Healthy as long as it runs: a load balancer without live servers still answers, with 502.
    fn healthy(&self) -> Result<(), String> {
        Ok(())
    }
}

fn state(peer: &Peer, now_ms: u64) -> &'static str {
    match peer {
        _ if peer.params.down => "down",
        _ if peer.is_disabled(now_ms) => "disabled",
        _ if peer.is_full() => "full",
        _ if peer.check.is_unhealthy => "unhealthy",
        _ => match peer.breaker.state {
            State::Open(_) => "breaker open",
            State::HalfOpen => "breaker half-open",
            State::Closed if peer.slow_start.share(peer.params.slow_start_ms, now_ms) < 1000 => {
                "slow start"
            }
            State::Closed => "up",
        },
    }
}
