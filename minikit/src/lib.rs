//! The common ground of the engines: what each of them needs and none of them is about.
//!
//! An engine brings a [`server::Service`], a list of clap arguments and a page of numbers about
//! itself; from here come the threads, the sockets, the signals, the command line and the admin
//! page around it. `examples/echo.rs` is a whole server on this ground in a few dozen lines.
//!
//! | module | what it is |
//! |---|---|
//! | [`sync`] | locks and atomics that become loom's under test |
//! | [`mod@layout`] | byte layouts as tables: struct, codec, documentation, hexdump |
//! | [`storage`] | files behind a trait: the real disk, a simulated one, every crash |
//! | [`connections`] | how many connections are open, the limit, and the load of each core |
//! | [`idle`] | closing the connections that wait for a request, and no other |
//! | [`value`] | numbers and texts |
//! | `golden` | scripts that are test and transcript in one (feature `harness`) |
//! | [`wait`] | how tests wait for others |
//! | `harness` | starting, killing and restarting a program under test (feature `harness`) |
//! | [`process`] | what the system knows about this process |
//! | [`server`] | listeners, three shapes of threads, refusal, drain, signals, reload |
//! | [`admin`] | metrics, health and the x-ray page |
//! | [`cli`] | the command line that every engine has |
//!
//! Built with `--cfg loom` only [`sync`], [`mod@layout`], [`storage`], [`connections`], [`idle`]
//! and [`process`] exist: what the models check and what the engines' cores use. Under loom, tokio
//! has no sockets.

pub mod connections;
pub mod idle;
pub mod layout;
pub mod process;
pub mod storage;
pub mod sync;

#[cfg(not(loom))]
pub mod admin;
#[cfg(not(loom))]
pub mod cli;
#[cfg(all(not(loom), feature = "harness"))]
pub mod golden;
#[cfg(all(not(loom), feature = "harness"))]
pub mod harness;
#[cfg(all(not(loom), feature = "harness"))]
mod raw;
#[cfg(not(loom))]
pub mod server;
#[cfg(not(loom))]
pub mod value;
#[cfg(not(loom))]
pub mod wait;
