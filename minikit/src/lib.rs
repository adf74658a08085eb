//! What every engine needs and none of them is about: threads, sockets, storage, metrics, tests.
//!
//! An engine provides a [`server::Service`], its clap arguments and a page of figures about itself.
//! This crate provides the threads, sockets, signals, command line and admin page around them.
//! `examples/echo.rs` is a complete server built on it.
//!
//! | module | what it is |
//! |---|---|
//! | [`sync`] | locks and atomics that become loom's under test |
//! | [`mod@layout`] | byte layouts as tables: struct, codec, documentation, hexdump |
//! | [`storage`] | files behind a trait: the real disk, a simulated one, every crash |
//! | [`connections`] | open connections, their limit, and the load of each core |
//! | [`idle`] | closing only the connections that wait for a request |
//! | [`gcra`] | rate limit arithmetic: a token bucket in one integer |
//! | [`value`] | numbers and texts |
//! | `golden` | scripts that are both test and transcript (feature `harness`) |
//! | [`wait`] | how tests wait for a condition |
//! | `harness` | starting, killing and restarting a program under test (feature `harness`) |
//! | [`process`] | what the operating system reports about this process |
//! | [`server`] | listeners, three shapes of threads, refusal, drain, signals, reload |
//! | `tls` | accepting TLS (feature `tls`) |
//! | [`admin`] | metrics, health and the state page |
//! | [`cli`] | the command line that every engine has |
//!
//! Without the feature `server` everything that needs tokio or clap is left out. The hearts of
//! the engines and the loom models build on the rest.

pub mod connections;
pub mod gcra;
pub mod idle;
pub mod layout;
pub mod process;
pub mod storage;
pub mod sync;

#[cfg(feature = "server")]
pub mod admin;
#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "harness")]
pub mod golden;
#[cfg(feature = "harness")]
pub mod harness;
#[cfg(feature = "harness")]
mod raw;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "tls")]
pub mod tls;
#[cfg(feature = "server")]
pub mod value;
pub mod wait;
