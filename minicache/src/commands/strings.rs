//! Strings: `SET`, `GET` and what can be done to the bytes between (`t_string.c`).

use super::{Call, timeout_ms};
use crate::engine::config::events::Events;
use crate::engine::error::{Answer, Error};

/// `GET key`
pub fn get(c: &mut Call) -> Answer {
    match c.store.string(c.args.at(1))? {
        Some(text) => c.out.string(text),
        None => c.out.null(),
    }
    Ok(())
}

/// `SET key value [NX | XX] [GET] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]`
pub fn set(c: &mut Call) -> Answer {
    let key = c.arg(1);
    c.store.set_string(key, c.args.at(2), None);
    c.store.changed(Events::STRING, "set", key);
    c.out.ok();
    Ok(())
}

/// Stand-in.
pub fn append(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn decr(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn decrby(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn getdel(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn getex(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn getrange(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn getset(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn incr(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn incrby(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn incrbyfloat(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn lcs(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn mget(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn mset(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn msetnx(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn psetex(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn setex(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn setnx(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn setrange(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn strlen(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn substr(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}
