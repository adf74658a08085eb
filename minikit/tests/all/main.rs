//! minikit from the outside, as one program: each module is one subject.
#![cfg(not(loom))]

mod cli;
mod client;
mod engine;
mod server;
mod signals;
