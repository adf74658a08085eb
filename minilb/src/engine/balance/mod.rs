//! The balancers: algorithms that choose among the peers of an upstream, one a file.
//!
//! | module | chooses | directive |
//! |---|---|---|
//! | [`balancer`] | the trait | |
//! | [`round_robin`] | each in turn, by weight, smoothly | none: the default |
//! | [`least_conn`] | the one with the fewest connections per weight | `least_conn` |
//! | [`hash`] | by a key, evenly; a new server moves nearly all keys | `hash KEY` |
//! | [`ring`] | by a key, on a ring; a new server moves few keys | `hash KEY consistent` |
//! | [`bounded`] | the same, with a limit for each | `... balance_factor=125` |
//! | [`maglev`] | by a key, from a table; shares are equal | `hash KEY maglev` |
//! | [`ip_hash`] | by the client's address | `ip_hash` |
//! | [`random`] | at random, or the better one of two | `random`, `random two` |
//! | [`least_time`] | the one that should answer first | `least_time header` |

pub mod balancer;
pub mod bounded;
pub mod hash;
pub mod ip_hash;
pub mod least_conn;
pub mod least_time;
pub mod maglev;
pub mod random;
pub mod ring;
pub mod round_robin;
