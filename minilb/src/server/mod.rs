//! The server: sockets, signals and the files of the process.
//!
//! | module | what it is |
//! |---|---|
//! | [`files`] | the system's files and names, for the configuration |
//! | [`clock`] | milliseconds since the start |
//! | [`checks`] | active health checks |
//! | [`upstream`] | an upstream that all cores share, and the leases of its servers |
//! | [`session`] | one client from its first attempt at a server to its last byte |
//! | [`resolver`] | addresses of names at run time |
//! | [`preread`] | what comes ahead of a client's first byte |
//! | [`forward`] | bytes in both directions, with half-close; bulk data without a copy |
//! | [`tls`] | TLS with clients and with servers |
//! | [`http`] | HTTP connections: requests, attempts, answers |
//! | [`nginx`] | what an `http` block decides about requests |
//! | [`phases`] | from a request to a decision |
//! | [`limits`] | the zones of its limits |
//! | [`statistics`] | what `stub_status` shows |
//! | [`access_log`] | its log files |
//! | [`user`] | giving up root |
//! | [`inspect`] | the admin endpoint |
//! | [`retirement`] | the end of what a replaced configuration has begun |
//! | [`start`] | from a configuration to a running server, and reload |

pub mod access_log;
pub mod checks;
pub mod clock;
pub mod files;
pub mod http;
pub mod inspect;
pub mod limits;
pub mod nginx;
pub mod phases;
pub mod preread;
pub mod resolver;
pub mod retirement;
pub mod session;
pub mod start;
pub mod statistics;
pub mod tls;
pub mod upstream;
pub mod user;

pub use minilb_forward as forward;
