//! The addresses of a name: questions to name servers and their answers as bytes, and with the
//! feature `client` a client that asks them and keeps what they say.

#[cfg(feature = "client")]
pub mod client;
pub mod message;

use std::net::SocketAddr;
use std::time::Duration;

/// Which name servers are asked, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameServers {
    /// Asked in turn.
    pub servers: Vec<SocketAddr>,
    /// How long an answer holds, in place of what it says.
    pub valid: Option<Duration>,
    /// Ask for IPv6 addresses as well.
    pub ipv6: bool,
    /// How long all of it may take.
    pub timeout: Duration,
}
