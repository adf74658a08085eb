//! The parameters as numbers, all read again whenever one text changes.
//!
//! ```text
//! maxmemory-clients       "5%", maxmemory "1073741824"  ->  maxmemory_clients: 53687091
//! list-max-listpack-size  "-2"                          ->  list_max_listpack_size: -2
//! maxmemory-policy        "allkeys-lru"                 ->  MaxmemoryPolicy::AllKeysLru
//! ```
//!
//! Reading all of them takes some microseconds; using a field is a load. Redis keeps the numbers in
//! `struct redisServer` (`server.h`) and a table of pointers to them. Here they are derived from
//! the texts, so that `CONFIG SET` can try a change on a copy.

use super::table::PARAMETERS;
use crate::engine::tuning::{MaxmemoryPolicy, Tuning};
use crate::engine::{events::Events, eviction::lfu::Lfu, values::Limits};
use minicache_aof::AppendFsync;

/// `maxmemory-clients` counts as at least this, or no client could send a command
/// (`networking.c`).
const CLIENTS_LEAST: u64 = 128 * 1024;

/// Unread bytes allowed to a client without a configured limit. Redis allows any number. Here a
/// client that already had unread replies is closed at this many, or one that sends commands and
/// never reads would take all memory.
pub const UNREAD_MAX: u64 = 256 << 20;

/// Which clients may do something dangerous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    Nobody,
    Everybody,
    /// Clients on this machine.
    Local,
}

impl Trust {
    /// Returns true if a client may; `local` says that it is on this machine.
    pub fn allows(self, local: bool) -> bool {
        self == Trust::Everybody || (self == Trust::Local && local)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    Debug,
    Verbose,
    Notice,
    Warning,
}

/// When a client that does not read its replies is closed. 0 bytes mean no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputLimit {
    /// Unread bytes that close it at once.
    pub hard_bytes: u64,
    /// Unread bytes that close it after `soft_seconds`.
    pub soft_bytes: u64,
    /// How long it may stay above `soft_bytes`.
    pub soft_seconds: u64,
}

/// Declares [`Settings`] and how it is read: a field, its type, and the method of [`Texts`] that
/// converts the text of its parameter.
macro_rules! settings {
    ($($field:ident: $type:ty = $convert:ident($($parameter:expr)?);)*) => {
        /// The parameters as numbers. Each field is the parameter of its name, with `_` for `-`.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs, reason = "each field has its line in the table of parameters")]
        pub struct Settings {
            $(pub $field: $type,)*
        }

        impl Settings {
            /// Reads the texts of all rows of the table.
            pub(super) fn read(texts: &[Vec<u8>]) -> Settings {
                let texts = Texts(texts);
                Settings { $($field: texts.$convert($($parameter)?),)* }
            }
        }
    };
}

settings! {
    bind: Vec<String> = words("bind");
    port: u16 = number("port");
    unixsocket: String = text("unixsocket");
    unixsocketperm: u32 = octal("unixsocketperm");
    tcp_backlog: u32 = number("tcp-backlog");
    tcp_keepalive: u32 = number("tcp-keepalive");
    timeout: u32 = number("timeout");
    maxclients: u32 = number("maxclients");
    protected_mode: bool = flag("protected-mode");
    requirepass: Vec<u8> = owned("requirepass");
    enable_protected_configs: Trust = trust("enable-protected-configs");
    enable_debug_command: Trust = trust("enable-debug-command");
    proto_max_bulk_len: u64 = number("proto-max-bulk-len");
    client_query_buffer_limit: u64 = number("client-query-buffer-limit");
    // The limits of `client-output-buffer-limit` for ordinary clients and for subscribers.
    output_limit_normal: OutputLimit = output_limit(0);
    output_limit_pubsub: OutputLimit = output_limit(2);
    // In bytes, percentages resolved; 0 for no limit.
    maxmemory_clients: u64 = clients_memory();
    tracking_table_max_keys: u64 = number("tracking-table-max-keys");
    databases: u32 = number("databases");
    maxmemory: u64 = number("maxmemory");
    maxmemory_policy: MaxmemoryPolicy = policy();
    maxmemory_samples: u32 = number("maxmemory-samples");
    lfu_log_factor: u32 = number("lfu-log-factor");
    lfu_decay_time: u32 = number("lfu-decay-time");
    list_max_listpack_size: i32 = number("list-max-listpack-size");
    hash_max_listpack_entries: usize = number("hash-max-listpack-entries");
    hash_max_listpack_value: usize = number("hash-max-listpack-value");
    set_max_intset_entries: usize = number("set-max-intset-entries");
    zset_max_listpack_entries: usize = number("zset-max-listpack-entries");
    zset_max_listpack_value: usize = number("zset-max-listpack-value");
    appendonly: bool = flag("appendonly");
    appendfilename: String = text("appendfilename");
    appenddirname: String = text("appenddirname");
    appendfsync: AppendFsync = append_fsync("appendfsync");
    auto_aof_rewrite_percentage: u32 = number("auto-aof-rewrite-percentage");
    auto_aof_rewrite_min_size: u64 = number("auto-aof-rewrite-min-size");
    aof_load_truncated: bool = flag("aof-load-truncated");
    // Pairs of a prefix and a table.
    write_behind: Vec<String> = words("write-behind");
    write_behind_url: String = text("write-behind-url");
    // True if `save` names any interval.
    saves: bool = is_set("save");
    lazyfree_lazy_eviction: bool = flag("lazyfree-lazy-eviction");
    lazyfree_lazy_expire: bool = flag("lazyfree-lazy-expire");
    lazyfree_lazy_server_del: bool = flag("lazyfree-lazy-server-del");
    lazyfree_lazy_user_del: bool = flag("lazyfree-lazy-user-del");
    lazyfree_lazy_user_flush: bool = flag("lazyfree-lazy-user-flush");
    // Shown by `INFO`, not obeyed.
    hz: u32 = number("hz");
    notify_keyspace_events: Events = events("notify-keyspace-events");
    slowlog_log_slower_than: i64 = number("slowlog-log-slower-than");
    busy_reply_threshold: u64 = number("busy-reply-threshold");
    slowlog_max_len: u64 = number("slowlog-max-len");
    latency_monitor_threshold: u64 = number("latency-monitor-threshold");
    latency_tracking: bool = flag("latency-tracking");
    latency_tracking_info_percentiles: Vec<f64> = numbers("latency-tracking-info-percentiles");
    loglevel: LogLevel = log_level();
    logfile: String = text("logfile");
    pidfile: String = text("pidfile");
    daemonize: bool = flag("daemonize");
    supervised: String = text("supervised");
    dir: String = text("dir");
    io_threads: u32 = number("io-threads");
}

impl Settings {
    /// The limit on a client's unread replies.
    pub fn output_limit(&self, subscriber: bool) -> OutputLimit {
        match subscriber {
            true => self.output_limit_pubsub,
            false => self.output_limit_normal,
        }
    }

    /// Bytes after which a command that could reply endlessly must stop.
    pub fn reply_bytes_max(&self) -> usize {
        match self.output_limit(false).hard_bytes {
            0 => UNREAD_MAX as usize,
            bytes => bytes as usize,
        }
    }

    /// The part the engine acts on.
    pub fn tuning(&self) -> Tuning {
        let lfu = Lfu { log_factor: self.lfu_log_factor, decay_minutes: self.lfu_decay_time };
        Tuning {
            databases: self.databases as usize,
            maxmemory: self.maxmemory,
            maxmemory_policy: self.maxmemory_policy,
            maxmemory_samples: self.maxmemory_samples as usize,
            policy: self.maxmemory_policy.ranking(lfu),
            lfu,
            limits: Limits {
                hash_max_listpack_entries: self.hash_max_listpack_entries,
                hash_max_listpack_value: self.hash_max_listpack_value,
                zset_max_listpack_entries: self.zset_max_listpack_entries,
                zset_max_listpack_value: self.zset_max_listpack_value,
                set_max_intset_entries: self.set_max_intset_entries,
                list_max_listpack_size: self.list_max_listpack_size,
            },
            lazyfree_lazy_eviction: self.lazyfree_lazy_eviction,
            lazyfree_lazy_expire: self.lazyfree_lazy_expire,
            lazyfree_lazy_server_del: self.lazyfree_lazy_server_del,
            notify_keyspace_events: self.notify_keyspace_events,
        }
    }
}

/// The texts of the table. The kinds of the rows have checked what the conversions assume.
struct Texts<'a>(&'a [Vec<u8>]);

impl Texts<'_> {
    fn bytes(&self, name: &str) -> &[u8] {
        let row = PARAMETERS.iter().position(|row| row.name == name);
        &self.0[row.expect("every field names a row of the table")]
    }

    fn owned(&self, name: &str) -> Vec<u8> {
        self.bytes(name).to_vec()
    }

    /// Paths and addresses that are not UTF-8 lose the bytes that are not.
    fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(self.bytes(name)).into_owned()
    }

    fn append_fsync(&self, name: &str) -> AppendFsync {
        AppendFsync::named(self.bytes(name))
    }

    fn words(&self, name: &str) -> Vec<String> {
        self.text(name).split_whitespace().map(str::to_string).collect()
    }

    fn number<N: std::str::FromStr>(&self, name: &str) -> N {
        let number = self.text(name).parse().ok();
        number.expect("the kind of the row checked the number and its range")
    }

    fn numbers(&self, name: &str) -> Vec<f64> {
        self.words(name).iter().filter_map(|word| word.parse().ok()).collect()
    }

    fn octal(&self, name: &str) -> u32 {
        u32::from_str_radix(&self.text(name), 8).expect("the kind of the row checked the digits")
    }

    fn flag(&self, name: &str) -> bool {
        self.bytes(name) == b"yes"
    }

    fn is_set(&self, name: &str) -> bool {
        !self.bytes(name).is_empty()
    }

    fn trust(&self, name: &str) -> Trust {
        match self.bytes(name) {
            b"yes" => Trust::Everybody,
            b"local" => Trust::Local,
            _ => Trust::Nobody,
        }
    }

    fn policy(&self) -> MaxmemoryPolicy {
        let name = self.text("maxmemory-policy");
        let policy = MaxmemoryPolicy::ALL.into_iter().find(|policy| policy.name() == name);
        policy.expect("the table of parameters names all policies and no other")
    }

    fn log_level(&self) -> LogLevel {
        match self.bytes("loglevel") {
            b"debug" => LogLevel::Debug,
            b"verbose" => LogLevel::Verbose,
            b"notice" => LogLevel::Notice,
            _ => LogLevel::Warning,
        }
    }

    fn events(&self, name: &str) -> Events {
        Events::parse(self.bytes(name)).expect("the kind of the row checked the letters")
    }

    /// The limits of a class: 0 is normal, 1 slave, 2 pubsub.
    fn output_limit(&self, class: usize) -> OutputLimit {
        let words = self.words("client-output-buffer-limit");
        let number = |index: usize| words[class * 4 + index].parse().unwrap_or(0);
        OutputLimit { hard_bytes: number(1), soft_bytes: number(2), soft_seconds: number(3) }
    }

    /// A percentage is one of `maxmemory`; without that there is no limit.
    fn clients_memory(&self) -> u64 {
        let bytes = match self.text("maxmemory-clients").strip_suffix('%') {
            Some(percent) => {
                let (all, percent): (u64, u64) =
                    (self.number("maxmemory"), percent.parse().unwrap_or(0));
                (u128::from(all) * u128::from(percent) / 100) as u64
            }
            None => self.number("maxmemory-clients"),
        };
        if bytes == 0 { 0 } else { bytes.max(CLIENTS_LEAST) }
    }
}
