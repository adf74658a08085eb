//! minikit from the outside, as one program: each module is one subject.
#![cfg(not(loom))]

mod admin;
mod cli;
mod client;
mod engine;
mod gcra;
mod server;
mod signals;
mod tls;
