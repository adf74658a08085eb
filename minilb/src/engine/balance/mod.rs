//! The balancers: algorithms that choose among the peers of an upstream, one a file.
//!
//! | module | chooses | directive |
//! |---|---|---|
//! | [`balancer`] | the trait | |
//! | [`round_robin`] | each in turn, by weight, smoothly | none: the default |
//! | [`least_conn`] | the one with the fewest connections per weight | `least_conn` |

pub mod balancer;
pub mod least_conn;
pub mod round_robin;
