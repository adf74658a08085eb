//! The parameters as numbers, all read again whenever one text changes.
//!
//! ```text
//! maxmemory-clients       "5%", maxmemory "1073741824"  ->  maxmemory_clients: 53687091
//! list-max-listpack-size  "-2"                          ->  list_max_listpack_size: -2
//! maxmemory-policy        "allkeys-lru"                 ->  MaxmemoryPolicy::AllKeysLru
//! ```
//!
//! Reading all of them takes some microseconds; using a field is a load. Redis keeps the same
//! numbers in `struct redisServer` (`server.h`), and its table holds pointers to them. Here the
//! numbers are derived from the texts, so that `CONFIG SET` can try a change on a copy.

use super::kind::number_of;
use super::table::{LOG_LEVELS, PARAMETERS, POLICIES, WHO};
use crate::engine::events::Events;
use crate::engine::eviction::lfu::Lfu;
use crate::engine::tuning::{MaxmemoryPolicy, Tuning};
use crate::engine::values::Limits;

/// `maxmemory-clients` counts as at least this, or no client could send a command
/// (`networking.c`).
const CLIENTS_LEAST: u64 = 128 * 1024;

/// Unread bytes allowed to a client without a limit of its own. Redis allows any number. Here a
/// client that already had unread replies is closed at this many, because one that sends commands
/// and never reads must not take the memory of all the others.
pub const UNREAD_MAX: u64 = 256 << 20;

/// Which clients may do something dangerous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// None.
    Nobody,
    /// All.
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

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// A little less.
    Verbose,
    /// What an operator wants to know.
    Notice,
    /// What an operator must know.
    Warning,
}

/// What the kernel is told about killing this process when memory runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OomScore {
    /// Nothing: the score stays as it was at start.
    Kept,
    /// This much above the score at start.
    Relative(i32),
    /// This.
    Absolute(i32),
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

/// The numbers; each field is the parameter of the same name, with `_` for `-`.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "each field has its line in the table of parameters")]
pub struct Settings {
    pub bind: Vec<String>,
    pub port: u16,
    pub unixsocket: String,
    pub unixsocketperm: u32,
    pub tcp_backlog: u32,
    pub tcp_keepalive: u32,
    pub timeout: u32,
    pub maxclients: u32,
    pub protected_mode: bool,
    pub requirepass: Vec<u8>,
    pub enable_protected_configs: Trust,
    pub enable_debug_command: Trust,
    pub proto_max_bulk_len: u64,
    pub client_query_buffer_limit: u64,
    /// Of ordinary clients.
    pub output_limit_normal: OutputLimit,
    /// Of clients in a subscription.
    pub output_limit_pubsub: OutputLimit,
    /// In bytes, percentages resolved; 0 for no limit.
    pub maxmemory_clients: u64,
    pub tracking_table_max_keys: u64,
    pub databases: u32,
    pub maxmemory: u64,
    pub maxmemory_policy: MaxmemoryPolicy,
    pub maxmemory_samples: u32,
    pub lfu_log_factor: u32,
    pub lfu_decay_time: u32,
    pub list_max_listpack_size: i32,
    pub hash_max_listpack_entries: u64,
    pub hash_max_listpack_value: u64,
    pub set_max_intset_entries: u64,
    pub zset_max_listpack_entries: u64,
    pub zset_max_listpack_value: u64,
    /// True if `save` names any interval.
    pub saves: bool,
    pub lazyfree_lazy_eviction: bool,
    pub lazyfree_lazy_expire: bool,
    pub lazyfree_lazy_server_del: bool,
    pub lazyfree_lazy_user_del: bool,
    pub lazyfree_lazy_user_flush: bool,
    /// Shown by `INFO`, not obeyed.
    pub hz: u32,
    pub notify_keyspace_events: Events,
    pub slowlog_log_slower_than: i64,
    pub slowlog_max_len: u64,
    pub latency_monitor_threshold: u64,
    pub latency_tracking: bool,
    pub latency_tracking_info_percentiles: Vec<f64>,
    pub loglevel: LogLevel,
    pub logfile: String,
    pub pidfile: String,
    pub dir: String,
    pub io_threads: u32,
    /// `oom-score-adj` and the value for a server without a primary.
    pub oom_score: OomScore,
}

impl Settings {
    /// Reads the texts of all rows of the table.
    pub(super) fn read(texts: &[Vec<u8>]) -> Settings {
        let of = Texts(texts);
        Settings {
            bind: of.text("bind").split_whitespace().map(str::to_string).collect(),
            port: of.number("port"),
            unixsocket: of.text("unixsocket"),
            unixsocketperm: of.octal("unixsocketperm"),
            tcp_backlog: of.number("tcp-backlog"),
            tcp_keepalive: of.number("tcp-keepalive"),
            timeout: of.number("timeout"),
            maxclients: of.number("maxclients"),
            protected_mode: of.flag("protected-mode"),
            requirepass: of.bytes("requirepass").to_vec(),
            enable_protected_configs: of.trust("enable-protected-configs"),
            enable_debug_command: of.trust("enable-debug-command"),
            proto_max_bulk_len: of.number("proto-max-bulk-len"),
            client_query_buffer_limit: of.number("client-query-buffer-limit"),
            output_limit_normal: of.output_limit(0),
            output_limit_pubsub: of.output_limit(2),
            maxmemory_clients: of.clients_memory(),
            tracking_table_max_keys: of.number("tracking-table-max-keys"),
            databases: of.number("databases"),
            maxmemory: of.number("maxmemory"),
            maxmemory_policy: of.policy(),
            maxmemory_samples: of.number("maxmemory-samples"),
            lfu_log_factor: of.number("lfu-log-factor"),
            lfu_decay_time: of.number("lfu-decay-time"),
            list_max_listpack_size: of.number("list-max-listpack-size"),
            hash_max_listpack_entries: of.number("hash-max-listpack-entries"),
            hash_max_listpack_value: of.number("hash-max-listpack-value"),
            set_max_intset_entries: of.number("set-max-intset-entries"),
            zset_max_listpack_entries: of.number("zset-max-listpack-entries"),
            zset_max_listpack_value: of.number("zset-max-listpack-value"),
            saves: !of.bytes("save").is_empty(),
            lazyfree_lazy_eviction: of.flag("lazyfree-lazy-eviction"),
            lazyfree_lazy_expire: of.flag("lazyfree-lazy-expire"),
            lazyfree_lazy_server_del: of.flag("lazyfree-lazy-server-del"),
            lazyfree_lazy_user_del: of.flag("lazyfree-lazy-user-del"),
            lazyfree_lazy_user_flush: of.flag("lazyfree-lazy-user-flush"),
            hz: of.number("hz"),
            notify_keyspace_events: of.events(),
            slowlog_log_slower_than: of.number("slowlog-log-slower-than"),
            slowlog_max_len: of.number("slowlog-max-len"),
            latency_monitor_threshold: of.number("latency-monitor-threshold"),
            latency_tracking: of.flag("latency-tracking"),
            latency_tracking_info_percentiles: of.percentiles(),
            loglevel: of.log_level(),
            logfile: of.text("logfile"),
            pidfile: of.text("pidfile"),
            dir: of.text("dir"),
            io_threads: of.number("io-threads"),
            oom_score: of.oom_score(),
        }
    }
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
                hash_max_listpack_entries: self.hash_max_listpack_entries as usize,
                hash_max_listpack_value: self.hash_max_listpack_value as usize,
                zset_max_listpack_entries: self.zset_max_listpack_entries as usize,
                zset_max_listpack_value: self.zset_max_listpack_value as usize,
                set_max_intset_entries: self.set_max_intset_entries as usize,
                list_max_listpack_size: self.list_max_listpack_size,
            },
            lazyfree_lazy_eviction: self.lazyfree_lazy_eviction,
            lazyfree_lazy_expire: self.lazyfree_lazy_expire,
            lazyfree_lazy_server_del: self.lazyfree_lazy_server_del,
            notify_keyspace_events: self.notify_keyspace_events,
        }
    }
}

/// The texts of the table with the conversions that their kinds have made safe.
struct Texts<'a>(&'a [Vec<u8>]);

impl Texts<'_> {
    fn bytes(&self, name: &str) -> &[u8] {
        let row = PARAMETERS.iter().position(|row| row.name == name);
        &self.0[row.expect("every field names a row of the table")]
    }

    /// Paths and addresses that are not UTF-8 lose the bytes that are not.
    fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(self.bytes(name)).into_owned()
    }

    fn number<N: std::str::FromStr>(&self, name: &str) -> N {
        let number = self.text(name).parse().ok();
        number.expect("the kind of the row checked the number and its range")
    }

    fn octal(&self, name: &str) -> u32 {
        u32::from_str_radix(&self.text(name), 8).expect("the kind of the row checked the digits")
    }

    fn flag(&self, name: &str) -> bool {
        self.bytes(name) == b"yes"
    }

    fn trust(&self, name: &str) -> Trust {
        match number_of(WHO, self.bytes(name)) {
            Some(1) => Trust::Everybody,
            Some(2) => Trust::Local,
            _ => Trust::Nobody,
        }
    }

    fn policy(&self) -> MaxmemoryPolicy {
        let number = number_of(POLICIES, self.bytes("maxmemory-policy"));
        number.map_or(MaxmemoryPolicy::NoEviction, |number| MaxmemoryPolicy::ALL[number as usize])
    }

    fn log_level(&self) -> LogLevel {
        match number_of(LOG_LEVELS, self.bytes("loglevel")) {
            Some(0) => LogLevel::Debug,
            Some(1) => LogLevel::Verbose,
            Some(2) => LogLevel::Notice,
            _ => LogLevel::Warning,
        }
    }

    fn events(&self) -> Events {
        Events::parse(self.bytes("notify-keyspace-events")).unwrap_or_default()
    }

    fn oom_score(&self) -> OomScore {
        let text = self.text("oom-score-adj-values");
        let score = text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0);
        match self.bytes("oom-score-adj") {
            b"absolute" => OomScore::Absolute(score),
            b"no" => OomScore::Kept,
            _ => OomScore::Relative(score),
        }
    }

    fn percentiles(&self) -> Vec<f64> {
        let text = self.text("latency-tracking-info-percentiles");
        text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
    }

    /// The limits of a class: `class` counts normal, slave, pubsub.
    fn output_limit(&self, class: usize) -> OutputLimit {
        let text = self.text("client-output-buffer-limit");
        let mut numbers = text.split(' ').skip(class * 4 + 1).map(|word| word.parse().unwrap_or(0));
        let mut next = || numbers.next().unwrap_or(0);
        OutputLimit { hard_bytes: next(), soft_bytes: next(), soft_seconds: next() }
    }

    /// A share needs a `maxmemory` to be a share of; without one there is no limit.
    fn clients_memory(&self) -> u64 {
        let text = self.text("maxmemory-clients");
        let bytes: u64 = match text.strip_suffix('%') {
            Some(percent) => {
                let whole: u64 = self.number("maxmemory");
                let percent: u64 = percent.parse().unwrap_or(0);
                (u128::from(whole) * u128::from(percent) / 100) as u64
            }
            None => self.number("maxmemory-clients"),
        };
        if bytes == 0 { 0 } else { bytes.max(CLIENTS_LEAST) }
    }
}
