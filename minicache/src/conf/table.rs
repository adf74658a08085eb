//! Every parameter of Redis 7.0.15, one row each.
//!
//! A row is data: the name, how the text is checked ([`Kind`]), the default. Two verbs start a row:
//!
//! ```text
//! used("maxmemory", Memory(0, u64::MAX), "0")   this server obeys it
//! kept("appendonly", Bool, "no")                checked, kept and shown, without effect
//! ```
//!
//! Marks may follow: `.alias("…")` an older name for the same value, `.at_start()` cannot change
//! while running, `.protected()` changes only for clients that `enable-protected-configs` allows,
//! `.secret()` is kept out of logs, `.hidden()` is shown only for its full name. Names, ranges and
//! defaults are those of Redis, whose table is `static_configs` in `config.c`. A `kept` parameter
//! that a file sets to something else is named in a warning at start.

use super::kind::Kind::{self, *};
use super::kind::Names;
use super::special;
use crate::engine::tuning::MaxmemoryPolicy;

/// One row of [`PARAMETERS`].
pub struct Parameter {
    /// The name, in lower case.
    pub name: &'static str,
    /// An older name for the same value, or nothing.
    pub alias: &'static str,
    /// How the text is checked.
    pub kind: Kind,
    /// The text if no one sets it, in the form in which it is shown.
    pub default: &'static str,
    /// True if this server obeys it.
    pub used: bool,
    /// When it may change.
    pub change: Change,
    /// True if logs, `MONITOR` and `SLOWLOG` must not show the value.
    pub secret: bool,
    /// True if patterns in `CONFIG GET` skip it.
    pub hidden: bool,
}

/// When a parameter may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// At any time.
    Live,
    /// At any time, by clients that `enable-protected-configs` allows.
    Protected,
    /// Only by file or command line.
    AtStart,
}

/// A parameter that this server obeys.
const fn used(name: &'static str, kind: Kind, default: &'static str) -> Parameter {
    Parameter {
        name,
        alias: "",
        kind,
        default,
        used: true,
        change: Change::Live,
        secret: false,
        hidden: false,
    }
}

/// A parameter that is checked, kept and shown, and has no effect.
const fn kept(name: &'static str, kind: Kind, default: &'static str) -> Parameter {
    Parameter { used: false, ..used(name, kind, default) }
}

impl Parameter {
    const fn alias(self, alias: &'static str) -> Parameter {
        Parameter { alias, ..self }
    }

    const fn at_start(self) -> Parameter {
        Parameter { change: Change::AtStart, ..self }
    }

    const fn protected(self) -> Parameter {
        Parameter { change: Change::Protected, ..self }
    }

    const fn secret(self) -> Parameter {
        Parameter { secret: true, ..self }
    }

    const fn hidden(self) -> Parameter {
        Parameter { hidden: true, ..self }
    }
}

/// What a C `int` holds.
const INT: Kind = Integer(i32::MIN as i64, i32::MAX as i64);
/// The same from zero on.
const COUNT: Kind = Integer(0, i32::MAX as i64);
/// The same from one on.
const POSITIVE: Kind = Integer(1, i32::MAX as i64);
/// What a C `long` holds from zero on.
const LONG: Kind = Integer(0, i64::MAX);
/// A TCP port, 0 for none.
const PORT: Kind = Integer(0, 65535);
/// Bytes, as far as a C `long` goes.
const BYTES: Kind = Memory(0, i64::MAX as u64);

/// The eviction policies, in Redis's order.
pub(super) const POLICIES: Names = &{
    let mut names = [("", 0); MaxmemoryPolicy::ALL.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = (MaxmemoryPolicy::ALL[index].name(), index as u32);
        index += 1;
    }
    names
};
/// Which clients may do something dangerous.
pub(super) const WHO: Names = &[("no", 0), ("yes", 1), ("local", 2)];
/// Obeyed by `minicache FILE.conf`; `serve` has RUST_LOG.
pub(super) const LOG_LEVELS: Names = &[("debug", 0), ("verbose", 1), ("notice", 2), ("warning", 3)];
const OOM_SCORES: Names = &[("no", 0), ("yes", 1), ("relative", 1), ("absolute", 2)];
const SUPERVISORS: Names = &[("upstart", 0), ("systemd", 1), ("auto", 2), ("no", 3)];
const FACILITIES: Names = &[
    ("user", 0),
    ("local0", 1),
    ("local1", 2),
    ("local2", 3),
    ("local3", 4),
    ("local4", 5),
    ("local5", 6),
    ("local6", 7),
    ("local7", 8),
];
const FSYNCS: Names = &[("everysec", 0), ("always", 1), ("no", 2)];
const DISKLESS_LOADS: Names = &[("disabled", 0), ("on-empty-db", 1), ("swapdb", 2)];
const CHANNEL_DEFAULTS: Names = &[("allchannels", 0), ("resetchannels", 1)];
const SANITISING: Names = &[("no", 0), ("yes", 1), ("clients", 2)];
const ENDPOINTS: Names = &[("ip", 0), ("hostname", 1), ("unknown-endpoint", 2)];
const PROPAGATION: Names = &[("ignore", 0), ("panic", 1), ("panic-on-replicas", 2)];
const TLS_CLIENTS: Names = &[("no", 0), ("yes", 1), ("optional", 2)];

/// The limits of unread replies.
const OUTPUT_LIMITS: &str = "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60";

const PROCESS_TITLE: &str = "{title} {listen-addr} {server-mode}";

/// The whole table.
#[rustfmt::skip]
pub static PARAMETERS: &[Parameter] = &[
    // ---- Addresses and access ----

    // Addresses to listen on; a leading - may be missing.
    used("bind", Words(special::addresses), "* -::*"),
    used("port", PORT, "6379"), // TCP port; 0 for none.
    used("unixsocket", Text, "").at_start(), // Path of a Unix socket to listen on as well.
    used("unixsocketperm", Octal(0, 0o777), "0").at_start(), // Its mode; 0 leaves what umask gives.
    // Connections the kernel may hold until they are accepted.
    used("tcp-backlog", COUNT, "511").at_start(),
    // Seconds of silence before the kernel probes a client; 0 never.
    used("tcp-keepalive", COUNT, "300"),
    used("timeout", COUNT, "0"), // Seconds of silence before a client is closed; 0 never.
    // Clients at once; further ones are refused.
    used("maxclients", Integer(1, u32::MAX as i64), "10000"),
    // Accepts local clients only while there is no password.
    used("protected-mode", Bool, "yes"),
    used("requirepass", Text, "").secret(), // The password of AUTH; empty for none.
    // Which clients may change dir and dbfilename.
    used("enable-protected-configs", OneOf(WHO), "no").at_start(),
    used("enable-debug-command", OneOf(WHO), "no").at_start(), // Which clients may use DEBUG.
    kept("enable-module-command", OneOf(WHO), "no").at_start(), // There are no modules.
    kept("bind-source-addr", Text, ""), // Nothing connects outwards.
    kept("socket-mark-id", Integer(0, u32::MAX as i64), "0").at_start(), // Sockets are not marked.

    // ---- Limits of clients ----

    // Bytes of one argument at most.
    used("proto-max-bulk-len", Memory(1 << 20, i64::MAX as u64), "536870912"),
    // Bytes of an unfinished request.
    used("client-query-buffer-limit", Memory(1 << 20, i64::MAX as u64), "1073741824"),
    // Unread bytes that close a client: the hard limit at once, the soft one after its seconds.
    used("client-output-buffer-limit", Words(special::output_limits), OUTPUT_LIMITS),
    // Bytes of all client buffers together; 0 no limit.
    used("maxmemory-clients", MemoryOrPercent, "0"),
    used("tracking-table-max-keys", LONG, "1000000"), // Keys remembered for client-side caches.

    // ---- Data and memory ----

    used("databases", POSITIVE, "16").at_start(), // How many keyspaces SELECT knows.
    // Bytes at which keys are evicted or writes refused; 0 for no limit.
    used("maxmemory", Memory(0, u64::MAX), "0"),
    used("maxmemory-policy", OneOf(POLICIES), "noeviction"), // Which keys are evicted.
    used("maxmemory-samples", POSITIVE, "5"), // Keys sampled per eviction.
    kept("maxmemory-eviction-tenacity", Integer(0, 100), "10"), // Eviction runs until it is done.
    used("lfu-log-factor", COUNT, "10"), // How slowly the access counter climbs.
    used("lfu-decay-time", COUNT, "1"), // Minutes until an idle counter loses one.
    // Elements in a list node, or -1 to -5 for 4 to 64 KiB.
    used("list-max-listpack-size", INT, "-2").alias("list-max-ziplist-size"),
    kept("list-compress-depth", COUNT, "0"), // List nodes are never compressed.
    // Fields up to which a hash is one listpack.
    used("hash-max-listpack-entries", LONG, "512").alias("hash-max-ziplist-entries"),
    // Bytes of a field or value up to which the hash stays a listpack.
    used("hash-max-listpack-value", BYTES, "64").alias("hash-max-ziplist-value"),
    // Members up to which a set of integers is a sorted array.
    used("set-max-intset-entries", LONG, "512"),
    // Members up to which a sorted set is one listpack.
    used("zset-max-listpack-entries", LONG, "128").alias("zset-max-ziplist-entries"),
    // Bytes of a member up to which the sorted set stays a listpack.
    used("zset-max-listpack-value", BYTES, "64").alias("zset-max-ziplist-value"),
    kept("hll-sparse-max-bytes", BYTES, "3000"), // There are no HyperLogLogs.
    kept("stream-node-max-bytes", BYTES, "4096"),
    kept("stream-node-max-entries", LONG, "100"),
    kept("activerehashing", Bool, "yes"), // The index grows bucket by bucket and never rehashes.

    // ---- Freeing on another thread ----

    used("lazyfree-lazy-eviction", Bool, "no"), // Evicted values.
    used("lazyfree-lazy-expire", Bool, "no"), // Expired values.
    used("lazyfree-lazy-server-del", Bool, "no"), // Overwritten values.
    used("lazyfree-lazy-user-del", Bool, "no"), // DEL works as UNLINK.
    // FLUSHALL and FLUSHDB without a word mean ASYNC.
    used("lazyfree-lazy-user-flush", Bool, "no"),

    // ---- Time ----

    kept("hz", Word(special::hz), "10"), // Background work has its own pace; INFO shows it.
    kept("dynamic-hz", Bool, "yes"), // Background work does not depend on the number of clients.
    kept("active-expire-effort", Integer(1, 10), "1"), // Every due key is removed.
    kept("busy-reply-threshold", LONG, "5000").alias("lua-time-limit"), // There are no scripts.
    kept("shutdown-timeout", COUNT, "10"), // There are no replicas to wait for.
    kept("shutdown-on-sigint", Words(special::shutdown_flags), "default"),
    kept("shutdown-on-sigterm", Words(special::shutdown_flags), "default"),

    // ---- Events, logs and statistics ----

    // Which events are published; none if empty.
    used("notify-keyspace-events", Word(special::event_classes), ""),
    // Microseconds; -1 logs nothing, 0 all.
    used("slowlog-log-slower-than", Integer(-1, i64::MAX), "10000"),
    used("slowlog-max-len", LONG, "128"), // Entries kept.
    // Milliseconds from which events are kept; 0 none.
    used("latency-monitor-threshold", LONG, "0"),
    used("latency-tracking", Bool, "yes"), // A histogram per command.
    // Shown by INFO.
    used("latency-tracking-info-percentiles", Words(special::percentiles), "50 99 99.9"),
    // Obeyed by `minicache FILE.conf`; `minicache serve` obeys RUST_LOG instead.
    used("loglevel", OneOf(LOG_LEVELS), "notice"),
    used("logfile", Text, "").at_start(), // Where to; empty for standard output.
    used("pidfile", Text, "").at_start(), // Where the process id is written.
    used("dir", Text, ".").protected(), // The working folder.
    // Cores that serve, each with an event loop of its own.
    used("io-threads", Integer(1, 128), "1").at_start(),
    kept("io-threads-do-reads", Bool, "no").at_start(), // Every core reads for its own connections.
    kept("always-show-logo", Bool, "no").at_start(), // There is no logo.
    kept("syslog-enabled", Bool, "no").at_start(), // Logs go to a file or standard output.
    kept("syslog-ident", Text, "redis").at_start(),
    kept("syslog-facility", OneOf(FACILITIES), "local0").at_start(),
    kept("crash-log-enabled", Bool, "yes"), // A panic prints its own trace.
    kept("crash-memcheck-enabled", Bool, "yes"), // Memory is not tested.
    kept("use-exit-on-panic", Bool, "no").hidden(), // A panic ends the process.
    kept("watchdog-period", COUNT, "0").hidden(), // There is no watchdog.
    kept("ignore-warnings", Text, ""), // Nothing is checked that could warn.

    // ---- The process ----

    kept("daemonize", Bool, "no").at_start(), // It stays in the foreground.
    kept("supervised", OneOf(SUPERVISORS), "no").at_start(), // No supervisor is told.
    kept("set-proc-title", Bool, "yes").at_start(), // The title of the process is not changed.
    kept("proc-title-template", Word(special::title_template), PROCESS_TITLE),
    used("oom-score-adj", OneOf(OOM_SCORES), "no"), // Written to /proc/self/oom_score_adj.
    // The first of the three is used; the others are for replicas and child processes.
    used("oom-score-adj-values", Words(special::oom_scores), "0 200 800"),
    kept("disable-thp", Bool, "yes").at_start(), // Huge pages are left as they are.
    kept("server_cpulist", Text, "").at_start(),
    kept("bio_cpulist", Text, "").at_start(),
    kept("aof_rewrite_cpulist", Text, "").at_start(),
    kept("bgsave_cpulist", Text, "").at_start(),
    kept("jemalloc-bg-thread", Bool, "yes"), // The allocator has no thread.
    kept("activedefrag", Word(special::never_defragments), "no"), // The slabs need none.
    kept("active-defrag-cycle-min", Integer(1, 99), "1"),
    kept("active-defrag-cycle-max", Integer(1, 99), "25"),
    kept("active-defrag-threshold-lower", Integer(0, 1000), "10"),
    kept("active-defrag-threshold-upper", Integer(0, 1000), "100"),
    kept("active-defrag-max-scan-fields", Integer(1, i64::MAX), "1000"),
   
    kept("active-defrag-ignore-bytes", Memory(1, i64::MAX as u64), "104857600"),

    // ---- Persistence: not supported ----

    // When a snapshot would be written.
    kept("save", Words(special::save), "3600 1 300 100 60 10000"),
    kept("dbfilename", Word(special::rdb_file_name), "dump.rdb").protected(), // Where to.
    kept("rdbcompression", Bool, "yes"),
    kept("rdbchecksum", Bool, "yes").at_start(),
    kept("rdb-del-sync-files", Bool, "no"),
    kept("rdb-save-incremental-fsync", Bool, "yes"),
    kept("rdb-key-save-delay", INT, "0").hidden(),
    kept("key-load-delay", INT, "0").hidden(),
    kept("loading-process-events-interval-bytes", Integer(1024, i32::MAX as i64), "2097152")
        .hidden(),
    kept("stop-writes-on-bgsave-error", Bool, "yes"),
    kept("sanitize-dump-payload", OneOf(SANITISING), "no"), // There is no RESTORE.
    kept("appendonly", Bool, "no"), // Writes are not logged: data ends with the process.
    kept("appendfilename", Word(special::aof_file_name), "appendonly.aof").at_start(),
    kept("appenddirname", Word(special::aof_folder_name), "appendonlydir").at_start(),
    kept("appendfsync", OneOf(FSYNCS), "everysec"),
    kept("no-appendfsync-on-rewrite", Bool, "no"),
    kept("auto-aof-rewrite-percentage", COUNT, "100"),
    kept("auto-aof-rewrite-min-size", BYTES, "67108864"),
    kept("aof-rewrite-incremental-fsync", Bool, "yes"),
    kept("aof-load-truncated", Bool, "yes"),
    kept("aof-use-rdb-preamble", Bool, "yes"),
    kept("aof-timestamp-enabled", Bool, "no"),
    kept("aof-disable-auto-gc", Bool, "no"),

    // ---- Replication: not supported ----

    // It stays a primary.
    kept("replicaof", Words(special::replica_of), "").alias("slaveof").at_start(),
    kept("masterauth", Text, "").secret(),
    kept("masteruser", Text, "").secret(),
    kept("repl-timeout", POSITIVE, "60"),
    kept("repl-ping-replica-period", POSITIVE, "10").alias("repl-ping-slave-period"),
    kept("repl-backlog-size", Word(special::backlog_bytes), "1048576"),
    kept("repl-backlog-ttl", LONG, "3600"),
    kept("repl-disable-tcp-nodelay", Bool, "no"),
    kept("repl-diskless-sync", Bool, "yes"),
    kept("repl-diskless-sync-delay", COUNT, "5"),
    kept("repl-diskless-sync-max-replicas", COUNT, "0"),
    kept("repl-diskless-load", OneOf(DISKLESS_LOADS), "disabled"),
    kept("replica-announce-ip", Text, "").alias("slave-announce-ip"),
    kept("replica-announce-port", PORT, "0").alias("slave-announce-port"),
    kept("replica-announced", Bool, "yes"),
    kept("replica-ignore-disk-write-errors", Bool, "no"),
    kept("replica-ignore-maxmemory", Bool, "yes").alias("slave-ignore-maxmemory"),
    kept("replica-lazy-flush", Bool, "no").alias("slave-lazy-flush"),
    kept("replica-priority", COUNT, "100").alias("slave-priority"),
    kept("replica-read-only", Bool, "yes").alias("slave-read-only"),
    kept("replica-serve-stale-data", Bool, "yes").alias("slave-serve-stale-data"),
    kept("min-replicas-to-write", COUNT, "0").alias("min-slaves-to-write"),
    kept("min-replicas-max-lag", COUNT, "10").alias("min-slaves-max-lag"),
    kept("propagation-error-behavior", OneOf(PROPAGATION), "ignore"),

    // ---- Access lists: not supported, there is one user, `default` ----

    kept("aclfile", Text, "").at_start(),
    kept("acllog-max-len", LONG, "128"),
    kept("acl-pubsub-default", OneOf(CHANNEL_DEFAULTS), "resetchannels"),

    // ---- Cluster: not supported ----

    kept("cluster-enabled", Bool, "no").at_start(), // It stays a single node.
    kept("cluster-config-file", Text, "nodes.conf").at_start(),
    kept("cluster-port", PORT, "0").at_start(),
    kept("cluster-node-timeout", LONG, "15000"),
    kept("cluster-migration-barrier", COUNT, "1"),
    kept("cluster-replica-validity-factor", COUNT, "10").alias("cluster-slave-validity-factor"),
    kept("cluster-replica-no-failover", Bool, "no").alias("cluster-slave-no-failover"),
    kept("cluster-require-full-coverage", Bool, "yes"),
    kept("cluster-allow-reads-when-down", Bool, "no"),
    kept("cluster-allow-pubsubshard-when-down", Bool, "yes"),
    kept("cluster-allow-replica-migration", Bool, "yes"),
    kept("cluster-announce-ip", Text, ""),
    kept("cluster-announce-hostname", Word(special::host_name), ""),
    kept("cluster-announce-port", PORT, "0"),
    kept("cluster-announce-bus-port", PORT, "0"),
    kept("cluster-announce-tls-port", PORT, "0"),
    kept("cluster-link-sendbuf-limit", Memory(0, u64::MAX), "0"),
    kept("cluster-preferred-endpoint-type", OneOf(ENDPOINTS), "ip"),

    // ---- TLS: not supported. What would enable it is refused, the rest is kept. ----

    kept("tls-port", Word(special::no_tls_port), "0"),
    kept("tls-cluster", Word(special::never_tls), "no"),
    kept("tls-replication", Word(special::never_tls), "no"),
    kept("tls-auth-clients", OneOf(TLS_CLIENTS), "yes"),
    kept("tls-prefer-server-ciphers", Bool, "no"),
    kept("tls-session-caching", Bool, "yes"),
    kept("tls-session-cache-size", COUNT, "20480"),
    kept("tls-session-cache-timeout", COUNT, "300"),
    kept("tls-cert-file", Text, ""),
    kept("tls-key-file", Text, ""),
    kept("tls-key-file-pass", Text, "").secret(),
    kept("tls-client-cert-file", Text, ""),
    kept("tls-client-key-file", Text, ""),
    kept("tls-client-key-file-pass", Text, "").secret(),
    kept("tls-dh-params-file", Text, ""),
    kept("tls-ca-cert-file", Text, ""),
    kept("tls-ca-cert-dir", Text, ""),
    kept("tls-protocols", Text, ""),
    kept("tls-ciphers", Text, ""),
    kept("tls-ciphersuites", Text, ""),
];
