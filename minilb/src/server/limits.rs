//! The zones of `limit_req` and `limit_conn`, which all cores share, and which a reload keeps.
//!
//! ```text
//! request ─> admit: each limit_req is checked, and counted if all of them let it pass
//!         ─> Counted: one place in each limit_conn, given back when it is dropped
//! ```
//!
//! A [`Counted`] belongs to its request. It is dropped at the end of the request, and also if the
//! task of the connection is cut off.
//!
//! NGINX counterpart: the shared memory zones of `ngx_http_limit_req_module.c` and
//! `ngx_http_limit_conn_module.c`.

use crate::conf::http::{LimitReq, ZoneConfig};
use crate::engine::limit::count::CountZone;
use crate::engine::limit::rate::RateZone;
use minikit::sync::{Arc, Mutex};
use std::collections::BTreeMap;

/// A zone. Its directive says which of the two states it uses; the other one stays empty.
#[derive(Debug)]
pub struct Zone {
    /// Its directive.
    pub config: ZoneConfig,
    rates: Mutex<RateZone>,
    counts: Mutex<CountZone>,
}

/// Zones by name.
pub type Zones = BTreeMap<String, Arc<Zone>>;

/// Makes the zones of a configuration. Those that were there before keep their state, unless their
/// directive has changed.
pub fn take_over(configs: &BTreeMap<String, ZoneConfig>, old: Option<&Zones>) -> Zones {
    let take_over = |(name, config): (&String, &ZoneConfig)| {
        let same = old.and_then(|it| it.get(name)).filter(|it| it.config == *config);
        let zone = same.map_or_else(|| Arc::new(Zone::new(config)), Arc::clone);
        (name.clone(), zone)
    };
    configs.iter().map(take_over).collect()
}

impl Zone {
    fn new(config: &ZoneConfig) -> Zone {
        Zone {
            config: config.clone(),
            rates: Mutex::new(RateZone::new(config.rate.unwrap_or_default(), config.size)),
            counts: Mutex::new(CountZone::new(config.size)),
        }
    }
}

/// Checks and counts a request in each of its limits, with the keys for them. Returns how many
/// milliseconds it has to wait, or `None` if it is refused.
pub fn admit(limits: &[(&LimitReq, &Zone, Vec<u8>)], now_ms: u64) -> Option<u64> {
    // The last one is checked and counted in one step. Those before are counted if all have let the
    // request pass, so that a refused request costs nothing anywhere.
    let Some((last, others)) = limits.split_last() else { return Some(0) };
    for (limit, zone, key) in others {
        zone.rates.lock().admit(key, limit.burst, now_ms, false)?;
    }
    let pour = |(limit, zone, key): &(&LimitReq, &Zone, Vec<u8>), burst| {
        let mut rates = zone.rates.lock();
        let excess = rates.admit(key, burst, now_ms, true)?;
        Some(rates.delay_ms(excess, limit.delay))
    };
    let delay_ms = pour(last, last.0.burst)?;
    let delays = others.iter().filter_map(|it| pour(it, u64::MAX));
    Some(delays.fold(delay_ms, u64::max))
}

/// A request that `limit_conn` counts until this is dropped.
#[derive(Debug)]
pub struct Counted {
    zone: Arc<Zone>,
    key: Vec<u8>,
}

impl Counted {
    /// Counts a request. Returns `None` if the key has `limit` of them already.
    pub fn acquire(zone: &Arc<Zone>, key: Vec<u8>, limit: u32) -> Option<Counted> {
        let is_free = zone.counts.lock().acquire(&key, limit);
        is_free.then(|| Counted { zone: Arc::clone(zone), key })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.zone.counts.lock().release(&self.key);
    }
}
