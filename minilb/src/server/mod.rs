//! The server: sockets, signals and the files of the process.
//!
//! | module | what it is |
//! |---|---|
//! | [`files`] | the system's files and names, for the configuration |
//! | [`session`] | one client from its first attempt at a server to its last byte |
//! | [`forward`] | bytes in both directions, with half-close |
//! | [`start`] | from a configuration to a running server, and reload |

pub mod files;
pub mod forward;
pub mod session;
pub mod start;
