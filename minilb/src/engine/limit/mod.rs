//! Limits of a client, or of whatever else a key names.
//!
//! | module | directive |
//! |---|---|
//! | [`rate`] | `limit_req`: requests per second |
//! | [`count`] | `limit_conn`: requests at a time |
//!
//! Both are tables by key whose size is fixed, for clients choose the keys.

pub mod count;
pub mod rate;
