//! Stand-ins until the family is written.

use super::Call;
use crate::engine::error::{Answer, Error};

/// Stand-in.
pub fn sadd(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn scard(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn sdiff(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn sdiffstore(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn sinter(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn sintercard(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn sinterstore(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn sismember(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn smembers(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn smismember(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn smove(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn spop(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn srandmember(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn srem(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn sscan(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn sunion(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn sunionstore(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}
