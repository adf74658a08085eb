//! Stand-ins until the family is written.

use super::Call;
use crate::engine::error::{Answer, Error};

/// Stand-in.
pub fn hdel(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn hexists(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn hget(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn hgetall(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn hincrby(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn hincrbyfloat(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn hkeys(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn hlen(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn hmget(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn hmset(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn hrandfield(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn hscan(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn hset(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn hsetnx(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn hstrlen(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn hvals(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}
