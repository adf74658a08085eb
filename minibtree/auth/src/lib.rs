//! Authentication: passwords that clients prove before a session begins, and keys with which they
//! cancel statements.
//!
//! | module | what it is | PostgreSQL's |
//! |---|---|---|
//! | `passwords.rs` | the password file, and exchanges that prove a password | `auth.c` |
//! | `cancel.rs` | a session's number and secret, which cancel its statement | `procsignal.c` |

mod cancel;
mod passwords;

pub use cancel::{CancelKey, CancelKeys};
pub use passwords::Passwords;
