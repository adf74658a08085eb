//! What a configuration means, checked and with NGINX's defaults.
//!
//! ```text
//! stream {
//!     upstream db { server 192.0.2.1:5432; }              upstreams["db"]
//!     server { listen 5432; proxy_pass db; }              servers[0].target = "db"
//!     server { listen 6379; proxy_pass 192.0.2.2:6379; }  servers[1].target = "192.0.2.2:6379"
//! }
//! ```
//!
//! An address in `proxy_pass` is an upstream of one server that is called like the address.

use super::http::{HttpConfig, Settings};
use super::listen::Listen;
use super::template::{Definition, Template};
use crate::engine::upstream::UpstreamConfig;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// A whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// `worker_processes`: core threads; 0 stands for `auto`.
    pub worker_processes: usize,
    /// `worker_shutdown_timeout`, if it is set.
    pub worker_shutdown_timeout: Option<Duration>,
    /// `worker_connections`: of clients and servers together, for each worker.
    pub worker_connections: usize,
    /// `pid`, if it is set.
    pub pid: Option<PathBuf>,
    /// `error_log`, if it is set.
    pub error_log: Option<ErrorLog>,
    /// By name.
    pub upstreams: BTreeMap<String, UpstreamConfig>,
    /// In the order of the file.
    pub servers: Vec<ServerBlock>,
    /// Variables that `stream` defines, by slot.
    pub stream_variables: Vec<Definition>,
    /// `http { }`
    pub http: HttpConfig,
    /// `user`: a user and a group.
    pub user: Option<(String, Option<String>)>,
}

/// `error_log`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorLog {
    /// The file; `None` for standard error.
    pub file: Option<PathBuf>,
    /// NGINX's name of the level: `error`, `warn`, `notice`, ...
    pub level: String,
}

/// `server { }` in `stream`.
#[derive(Clone, Debug)]
pub struct ServerBlock {
    /// `listen`
    pub listen: Vec<Listen>,
    /// `proxy_pass`
    pub target: Target,
    /// All other directives, with what is inherited.
    pub settings: Settings,
}

/// `proxy_pass` in `stream`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A name in [`Config::upstreams`].
    Upstream(String),
    /// With variables: the name of an upstream, or an address with its port.
    Dynamic(Template),
}
