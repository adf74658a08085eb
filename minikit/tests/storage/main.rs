//! The storage floor from outside: the simulated disk against the real one, its faults, the lock on
//! a data directory, and engines that lose data.

mod crashes;
mod data_dir;
mod faults;
mod model;
#[allow(dead_code, missing_docs)]
mod toy_log;
