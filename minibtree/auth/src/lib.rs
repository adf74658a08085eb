//! Passwords that clients prove before a session begins, and keys to cancel their statements.
//!
//! | module | what it is | PostgreSQL's |
//! |---|---|---|
//! | `passwords.rs` | the password file, and exchanges that prove a password | `auth.c` |
//! | `cancel.rs` | numbers with a secret, each of which stops a statement | `procsignal.c` |

mod cancel;
mod passwords;

pub use cancel::{CancelKey, CancelKeys};
pub use passwords::Passwords;
