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
