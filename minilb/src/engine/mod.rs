//! The idea: which server gets the next connection, and which servers are left out for a while.
//!
//! | module | what it is |
//! |---|---|
//! | [`peer`] | one server of an upstream: its weights, its connections, its failures |
//! | [`balance`] | the algorithms that choose among peers |
//! | [`upstream`] | primary and backup servers, retries, and what survives a reload |
//! | [`resolve`] | servers whose addresses change while the proxy runs |
//! | [`pool`] | idle connections to the servers of an upstream |
//! | [`latency`] | how long a server takes to answer |
//! | [`health`] | checks, breakers, slow start, retry budget |
//! | [`limit`] | how often and how many at a time |
//!
//! Nothing here opens a socket or reads a clock: the time is handed in, in milliseconds, and an
//! address is text. The same code runs in the server and in the golden scripts.

pub mod balance;
pub mod health;
pub mod latency;
pub mod limit;
pub mod peer;
pub mod pool;
pub mod resolve;
pub mod upstream;
