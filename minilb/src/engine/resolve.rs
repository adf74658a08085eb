//! Servers whose names become addresses while the proxy runs: `server NAME resolve`.
//!
//! ```text
//! configuration      server app.test resolve weight=2;      server 192.0.2.1;
//!
//! no answer yet                                             192.0.2.1
//! .7 .8              192.0.2.7 and 192.0.2.8, weight=2      192.0.2.1
//! .9 .8              192.0.2.8 and 192.0.2.9, weight=2      192.0.2.1
//! no such name                                              192.0.2.1
//! ```
//!
//! In the third line 192.0.2.8 keeps its state, and its place in front of new addresses: name
//! servers rotate their answers, which says nothing about the servers.
//!
//! Addresses that are known stay if a name server fails. Only a name that is gone takes its servers
//! with it.
//!
//! NGINX counterpart: `ngx_http_upstream_zone_resolve_handler`
//! (`ngx_http_upstream_zone_module.c`), in NGINX Plus and since 1.27.3.

use super::upstream::{ServerConfig, UpstreamConfig};
use minilb_dns::NameServers;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is known of a name.
#[derive(Clone, Debug)]
struct Name {
    /// `IP:PORT`, those that have been known for longest first.
    addresses: Vec<Arc<str>>,
    /// When it is asked for next; `None` while an answer is awaited.
    due_ms: Option<u64>,
}

/// The servers of an upstream, and the addresses of those that are to be resolved.
#[derive(Debug)]
pub struct ResolvedServers {
    config: UpstreamConfig,
    /// By [`ServerConfig::address`], which is the name with its port.
    names: BTreeMap<Arc<str>, Name>,
}

impl ResolvedServers {
    /// No address is known.
    pub fn new(config: &UpstreamConfig) -> ResolvedServers {
        let (names, config_now) = (BTreeMap::new(), UpstreamConfig::default());
        let mut servers = ResolvedServers { config: config_now, names };
        servers.reconfigure(config);
        servers
    }

    /// Takes the servers of a new configuration. Names that stay keep their addresses, and are
    /// asked for at once: the name servers may be others.
    pub fn reconfigure(&mut self, config: &UpstreamConfig) {
        let old = std::mem::take(&mut self.names);
        for server in config.servers.iter().filter(|it| it.resolve) {
            let unknown = Name { addresses: Vec::new(), due_ms: Some(0) };
            let mut name = old.get(&server.address).cloned().unwrap_or(unknown);
            name.due_ms = name.due_ms.map(|_| 0);
            self.names.insert(Arc::clone(&server.address), name);
        }
        self.config.clone_from(config);
    }

    /// The names with their ports that are to be asked for now, and who is asked.
    pub fn due(&mut self, now_ms: u64) -> Vec<(Arc<str>, NameServers)> {
        let Some(name_servers) = &self.config.name_servers else { return Vec::new() };
        let due = self.names.iter_mut().filter_map(|(name, it)| {
            it.due_ms.take_if(|due_ms| *due_ms <= now_ms)?;
            Some((Arc::clone(name), name_servers.clone()))
        });
        due.collect()
    }

    /// Takes the addresses of a name; `None` if the name servers have failed. Returns true if the
    /// servers are others now.
    pub fn resolved(&mut self, name: &str, found: Option<Vec<Arc<str>>>, due_ms: u64) -> bool {
        // A reload may have removed it meanwhile.
        let Some(known) = self.names.get_mut(name) else { return false };
        known.due_ms = Some(due_ms);
        let Some(mut found) = found else { return false };

        let mut addresses = known.addresses.clone();
        addresses.retain(|it| found.contains(it));
        found.retain(|it| !addresses.contains(it));
        addresses.append(&mut found);
        let has_changed = addresses != known.addresses;
        known.addresses = addresses;
        has_changed
    }

    /// The configuration with a server for each address that is known.
    pub fn config(&self) -> UpstreamConfig {
        let servers = self.config.servers.iter().flat_map(|server| {
            let addresses = match self.names.get(&server.address) {
                Some(name) if server.resolve => name.addresses.clone(),
                _ => vec![Arc::clone(&server.address)],
            };
            addresses.into_iter().map(|address| ServerConfig { address, ..server.clone() })
        });
        UpstreamConfig { servers: servers.collect(), ..self.config.clone() }
    }
}
