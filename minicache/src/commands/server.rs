//! Stand-ins until the family is written.

use super::Call;
use crate::engine::error::{Answer, Error};

/// Stand-in.
pub fn acl_cat(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn acl_whoami(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn bgrewriteaof(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn bgsave(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn command(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn command_count(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn command_docs(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn command_getkeys(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn command_getkeysandflags(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn command_info(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn command_list(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn config_get(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn config_resetstat(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn config_rewrite(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn config_set(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn container(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn dbsize(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn debug(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn flushall(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn flushdb(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn function_flush(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn help(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn info(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn lastsave(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn latency_doctor(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn latency_graph(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn latency_histogram(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn latency_history(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn latency_latest(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn latency_reset(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn lolwut(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn memory_doctor(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn memory_malloc_stats(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn memory_purge(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn memory_stats(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn memory_usage(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn monitor(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn role(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn save(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn script_flush(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn shutdown(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn slowlog_get(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn slowlog_len(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn slowlog_reset(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn swapdb(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn time(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}
