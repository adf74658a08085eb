//! The handler of every command.
//!
//! [`catalogue`](super::catalogue) says what a command is; this file says which function executes
//! it. Both list the commands in the same order, and the compiler compares the names, so a handler
//! cannot end up under another command's row:
//!
//! ```text
//! row 209  config             container   -> server::container, because it has subcommands
//! row 210  config|get         config_get  -> server::config_get
//! row 211  config|help        help        -> server::help, the same for every container
//! ```
//!
//! A handler is named after its command with `_` for `|` and `-`, and with a final `_` where the
//! name is a Rust keyword. Dispatch is one indexed load. In Redis a row of `redisCommandTable`
//! holds the function itself (`proc`), which ties the table to all the code below it.

use super::catalogue::{COMMANDS, COUNT};
use super::transactions;
use super::zsets;
use super::{Command, Handler};
use super::{bits, connection, hashes, keys, lists, pubsub, scripts, server, sets, strings};

pub fn of(command: &Command) -> Handler {
    HANDLERS[command.id()]
}

macro_rules! named {
    ($($family:ident: $($name:ident)*;)*) => {
        &[$($((stringify!($name), $family::$name as Handler),)*)*]
    };
}

/// Defines handlers that are one function with different arguments, a line each, with the usage of
/// the command as a comment. `lpush = push(End::Left);` defines
/// `fn lpush(c: &mut Call) -> Answer { push(c, End::Left) }`.
macro_rules! variants {
    ($($name:ident = $function:ident $(<$type:ty>)? ($($argument:expr),*);)*) => {
        $(pub fn $name(c: &mut Call) -> Answer {
            $function $(::<$type>)? (c, $($argument),*)
        })*
    };
}
pub(super) use variants;

/// The handlers in the order of the catalogue, except `HELP` and containers that do nothing by
/// themselves.
#[rustfmt::skip]
const NAMED: &[(&str, Handler)] = named! {
    strings: append decr decrby get getdel getex getrange getset incr incrby incrbyfloat lcs
        mget mset msetnx psetex set setex setnx setrange strlen substr;
    bits: bitcount bitop bitpos getbit setbit;
    lists: blmove blmpop blpop brpop brpoplpush lindex linsert llen lmove lmpop lpop lpos
        lpush lpushx lrange lrem lset ltrim rpop rpoplpush rpush rpushx;
    hashes: hdel hexists hget hgetall hincrby hincrbyfloat hkeys hlen hmget hmset hrandfield
        hscan hset hsetnx hstrlen hvals;
    sets: sadd scard sdiff sdiffstore sinter sintercard sinterstore sismember smembers
        smismember smove spop srandmember srem sscan sunion sunionstore;
    zsets: bzmpop bzpopmax bzpopmin zadd zcard zcount zdiff zdiffstore zincrby zinter
        zintercard zinterstore zlexcount zmpop zmscore zpopmax zpopmin zrandmember zrange
        zrangebylex zrangebyscore zrangestore zrank zrem zremrangebylex zremrangebyrank
        zremrangebyscore zrevrange zrevrangebylex zrevrangebyscore zrevrank zscan zscore
        zunion zunionstore;
    keys: copy del exists expire expireat expiretime keys move_ object_encoding object_freq
        object_idletime object_refcount persist pexpire pexpireat pexpiretime pttl randomkey
        rename renamenx scan sort sort_ro touch ttl type_ unlink wait;
    pubsub: psubscribe publish pubsub_channels pubsub_numpat pubsub_numsub
        punsubscribe subscribe unsubscribe;
    transactions: discard exec multi unwatch watch;
    connection: auth client_caching client_getname client_getredir client_id client_info
        client_kill client_list client_no_evict client_pause client_reply client_setinfo
        client_setname client_tracking client_trackinginfo client_unblock client_unpause echo
        hello ping quit reset select;
    server: acl_cat acl_users acl_whoami bgrewriteaof bgsave cache_advise command command_count
        command_docs command_getkeys command_info command_list config_get config_resetstat
        config_rewrite config_set dbsize debug flushall flushdb info lastsave
        latency_history latency_latest latency_reset memory_purge memory_stats memory_usage
        module_list monitor replicaof role save shutdown slaveof slowlog_get slowlog_len
        slowlog_reset swapdb time;
    scripts: eval eval_ro evalsha evalsha_ro;
    server: function_flush function_list;
    scripts: script_exists script_flush script_kill script_load;
    server: asking cluster readonly readwrite;
};

/// The handlers by the numbers of their rows. A mismatch with the catalogue does not compile.
static HANDLERS: [Handler; COUNT] = {
    let mut handlers = [server::container as Handler; COUNT];
    let (mut row, mut next) = (0, 0);
    while row < COUNT {
        let name = COMMANDS[row].name.as_bytes();
        let named = next < NAMED.len() && is_named_after(NAMED[next].0.as_bytes(), name);
        if named {
            handlers[row] = NAMED[next].1;
            next += 1;
        } else if is_help(name) {
            handlers[row] = server::help;
        } else {
            assert!(COMMANDS[row].subcommands > 0, "a row of the catalogue has no handler here");
        }
        row += 1;
    }
    assert!(next == NAMED.len(), "a handler has no row in the catalogue");
    handlers
};

const fn is_help(name: &[u8]) -> bool {
    matches!(name, [.., b'|', b'h', b'e', b'l', b'p'])
}

/// True if `handler` is the command's name with `_` for `|` and `-`, or that with a final `_`.
const fn is_named_after(handler: &[u8], name: &[u8]) -> bool {
    let mut index = 0;
    while index < name.len() {
        let expected = if matches!(name[index], b'|' | b'-') { b'_' } else { name[index] };
        if index >= handler.len() || handler[index] != expected {
            return false;
        }
        index += 1;
    }
    handler.len() == name.len() || (handler.len() == name.len() + 1 && handler[index] == b'_')
}
