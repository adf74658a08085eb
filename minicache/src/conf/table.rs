//! Every parameter of Redis 7.0.15, one row each.
//!
//! A row says under which name it is read and written, how its text is checked ([`Kind`]), what it
//! is when nobody says anything, and what it does *here*. Two verbs start a row:
//!
//! ```text
//! used("maxmemory", Memory(0, u64::MAX), "0", "…")   this engine obeys it
//! kept("appendonly", Bool, "no", "…")                checked, kept and answered, no more
//! ```
//!
//! and more may follow: `.alias("…")` an older name with the same value, `.at_start()` not to
//! be changed while running, `.protected()` changed only where `enable-protected-configs` allows
//! it, `.secret()` not to appear in logs, `.hidden()` shown only when asked for by its full name.
//! Names, ranges and defaults are those of Redis, with one exception that its row explains. The
//! counterpart in Redis is `static_configs` in `config.c`.

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
    /// The text nobody had to write, in the form in which it is shown.
    pub default: &'static str,
    /// What it is for.
    pub doc: &'static str,
    /// Whether anything here depends on it.
    pub used: bool,
    /// When it may change.
    pub change: Change,
    /// Whether logs, `MONITOR` and `SLOWLOG` must not show the value.
    pub secret: bool,
    /// Whether patterns in `CONFIG GET` pass it over.
    pub hidden: bool,
}

/// When a parameter may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// At any time.
    Live,
    /// At any time, by those whom `enable-protected-configs` trusts.
    Protected,
    /// Only by file or command line.
    AtStart,
}

const fn used(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    doc: &'static str,
) -> Parameter {
    Parameter {
        name,
        alias: "",
        kind,
        default,
        doc,
        used: true,
        change: Change::Live,
        secret: false,
        hidden: false,
    }
}

const fn kept(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    doc: &'static str,
) -> Parameter {
    Parameter { used: false, ..used(name, kind, default, doc) }
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

/// What a C `int` holds from zero on.
const COUNT: Kind = Integer(0, i32::MAX as i64);
/// The same without zero.
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
/// Who may do something delicate.
pub(super) const WHO: Names = &[("no", 0), ("yes", 1), ("local", 2)];
/// How much is logged.
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

/// The whole table.
#[rustfmt::skip]
pub static PARAMETERS: &[Parameter] = &[
    // Where it listens, and to whom.
    used("bind", Words(special::addresses), "* -::*",
        "Addresses to listen on; a leading - may be missing."),
    used("port", PORT, "6379", "TCP port; 0 for none."),
    used("unixsocket", Text, "", "Path of a Unix socket to listen on as well.").at_start(),
    used("unixsocketperm", Octal(0, 0o777), "0", "Its mode; 0 leaves what umask gives.").at_start(),
    used("tcp-backlog", COUNT, "511",
        "Connections the kernel may hold until they are accepted.").at_start(),
    used("tcp-keepalive", COUNT, "300",
        "Seconds of silence before the kernel probes a client; 0 never."),
    used("timeout", COUNT, "0", "Seconds of silence before a client is cut off; 0 never."),
    used("maxclients", Integer(1, u32::MAX as i64), "10000",
        "Clients at once; more are turned away."),
    used("protected-mode", Bool, "yes",
        "Turn strangers away while there is no password and no bind."),
    used("requirepass", Text, "", "The password of AUTH; empty for none.").secret(),
    used("enable-protected-configs", OneOf(WHO), "no",
        "Who may change dir and dbfilename.").at_start(),
    used("enable-debug-command", OneOf(WHO), "no", "Who may use DEBUG.").at_start(),
    kept("enable-module-command", OneOf(WHO), "no", "There are no modules.").at_start(),
    kept("bind-source-addr", Text, "", "Nothing connects outwards."),
    kept("socket-mark-id", Integer(0, u32::MAX as i64), "0", "Sockets are not marked.").at_start(),
    // What one client may take.
    used("proto-max-bulk-len", Memory(1 << 20, i64::MAX as u64), "536870912",
        "Bytes of one argument at most."),
    used("client-query-buffer-limit", Memory(1 << 20, i64::MAX as u64), "1073741824",
        "Bytes a client may send ahead of what has been carried out."),
    used("client-output-buffer-limit", Words(special::output_limits), OUTPUT_LIMITS,
        "Bytes of unread replies that cut a client off: hard at once, soft after its seconds."),
    used("maxmemory-clients", MemoryOrPercent, "0",
        "Bytes of all client buffers together; 0 no limit."),
    used("tracking-table-max-keys", LONG, "1000000", "Keys remembered for client-side caches."),
    // Data and memory.
    used("databases", POSITIVE, "16", "How many keyspaces SELECT knows.").at_start(),
    used("maxmemory", Memory(0, u64::MAX), "0",
        "Bytes at which room is made or writes are refused; 0 never."),
    used("maxmemory-policy", OneOf(POLICIES), "noeviction", "Which keys make room."),
    used("maxmemory-samples", POSITIVE, "5", "Keys looked at for each one that goes."),
    used("maxmemory-eviction-tenacity", Integer(0, 100), "10",
        "How long making room may hold up others."),
    used("lfu-log-factor", COUNT, "10", "How slowly the access counter climbs."),
    used("lfu-decay-time", COUNT, "1", "Minutes until an idle counter loses one."),
    used("list-max-listpack-size", Integer(i32::MIN as i64, i32::MAX as i64), "-2",
        "Elements in a list node, or -1 to -5 for 4 to 64 KiB.").alias("list-max-ziplist-size"),
    kept("list-compress-depth", COUNT, "0", "List nodes are never compressed."),
    used("hash-max-listpack-entries", LONG, "512",
        "Fields up to which a hash is one packed sequence.")
        .alias("hash-max-ziplist-entries"),
    used("hash-max-listpack-value", BYTES, "64",
        "Bytes of a field or value up to which it stays packed.")
        .alias("hash-max-ziplist-value"),
    used("set-max-intset-entries", LONG, "512",
        "Members up to which a set of integers is a sorted array."),
    used("zset-max-listpack-entries", LONG, "128", "Members up to which a sorted set is packed.")
        .alias("zset-max-ziplist-entries"),
    used("zset-max-listpack-value", BYTES, "64", "Bytes of a member up to which it stays packed.")
        .alias("zset-max-ziplist-value"),
    kept("hll-sparse-max-bytes", BYTES, "3000", "There are no HyperLogLogs."),
    kept("stream-node-max-bytes", BYTES, "4096", "There are no streams."),
    kept("stream-node-max-entries", LONG, "100", "There are no streams."),
    kept("activerehashing", Bool, "yes", "The index grows bucket by bucket and never rehashes."),
    // Frees in the background.
    used("lazyfree-lazy-eviction", Bool, "no", "Whether evicted values are freed after the reply."),
    used("lazyfree-lazy-expire", Bool, "no", "Whether expired values are freed after the reply."),
    used("lazyfree-lazy-server-del", Bool, "no",
        "Whether overwritten values are freed after the reply."),
    used("lazyfree-lazy-user-del", Bool, "no", "Whether DEL works as UNLINK."),
    used("lazyfree-lazy-user-flush", Bool, "no",
        "Whether FLUSHALL and FLUSHDB are ASYNC unless SYNC is said."),
    // Time.
    used("hz", Word(special::hz), "10", "How often per second background work runs, 1 to 500."),
    kept("dynamic-hz", Bool, "yes", "Background work does not depend on the number of clients."),
    used("active-expire-effort", Integer(1, 10), "1",
        "How much expired data one round may remove."),
    used("busy-reply-threshold", LONG, "5000",
        "Milliseconds after which a long command counts as busy.")
        .alias("lua-time-limit"),
    used("shutdown-timeout", COUNT, "10", "Seconds given to clients on the way out."),
    kept("shutdown-on-sigint", Words(special::shutdown_flags), "default",
        "There is nothing to save."),
    kept("shutdown-on-sigterm", Words(special::shutdown_flags), "default",
        "There is nothing to save."),
    // What can be seen from outside.
    used("notify-keyspace-events", Word(special::event_classes), "",
        "Which events are published; none if empty."),
    used("slowlog-log-slower-than", Integer(-1, i64::MAX), "10000",
        "Microseconds; -1 logs nothing, 0 all."),
    used("slowlog-max-len", LONG, "128", "Entries kept."),
    used("latency-monitor-threshold", LONG, "0",
        "Milliseconds from which events are kept; 0 none."),
    used("latency-tracking", Bool, "yes", "Whether each command has a histogram."),
    used("latency-tracking-info-percentiles", Words(special::percentiles), "50 99 99.9",
        "Shown by INFO."),
    used("loglevel", OneOf(LOG_LEVELS), "notice", "How much is logged."),
    used("logfile", Text, "", "Where to; empty for standard output.").at_start(),
    used("pidfile", Text, "", "Where the process id is written.").at_start(),
    used("dir", Text, ".", "The working folder.").protected(),
    used("io-threads", Integer(1, 128), "1",
        "Cores that serve, each with an event loop of its own.").at_start(),
    kept("io-threads-do-reads", Bool, "no", "Every core reads for its own connections.").at_start(),
    kept("always-show-logo", Bool, "no", "There is no logo.").at_start(),
    kept("syslog-enabled", Bool, "no", "Logs go to a file or standard output.").at_start(),
    kept("syslog-ident", Text, "redis", "See syslog-enabled.").at_start(),
    kept("syslog-facility", OneOf(FACILITIES), "local0", "See syslog-enabled.").at_start(),
    kept("crash-log-enabled", Bool, "yes", "A panic prints its own trace."),
    kept("crash-memcheck-enabled", Bool, "yes", "Memory is not tested."),
    kept("use-exit-on-panic", Bool, "no", "A panic ends the process.").hidden(),
    kept("watchdog-period", COUNT, "0", "There is no watchdog.").hidden(),
    kept("ignore-warnings", Text, "", "Nothing is checked that could warn."),
    // The process.
    kept("daemonize", Bool, "no", "It stays in the foreground.").at_start(),
    kept("supervised", OneOf(SUPERVISORS), "no", "No supervisor is told.").at_start(),
    kept("set-proc-title", Bool, "yes", "The title of the process is not changed.").at_start(),
    kept("proc-title-template", Word(special::title_template),
        "{title} {listen-addr} {server-mode}",
        "See set-proc-title."),
    used("oom-score-adj", OneOf(OOM_SCORES), "no", "Tells the kernel whom to kill first."),
    used("oom-score-adj-values", Words(special::oom_scores), "0 200 800", "See oom-score-adj."),
    kept("disable-thp", Bool, "yes", "Huge pages are left as they are.").at_start(),
    kept("server_cpulist", Text, "", "Threads are not pinned.").at_start(),
    kept("bio_cpulist", Text, "", "Threads are not pinned.").at_start(),
    kept("aof_rewrite_cpulist", Text, "", "Threads are not pinned.").at_start(),
    kept("bgsave_cpulist", Text, "", "Threads are not pinned.").at_start(),
    kept("jemalloc-bg-thread", Bool, "yes", "The allocator has no thread."),
    kept("activedefrag", Word(special::never_defragments), "no", "The slabs need none."),
    kept("active-defrag-cycle-min", Integer(1, 99), "1", "See activedefrag."),
    kept("active-defrag-cycle-max", Integer(1, 99), "25", "See activedefrag."),
    kept("active-defrag-threshold-lower", Integer(0, 1000), "10", "See activedefrag."),
    kept("active-defrag-threshold-upper", Integer(0, 1000), "100", "See activedefrag."),
    kept("active-defrag-max-scan-fields", Integer(1, i64::MAX), "1000", "See activedefrag."),
    kept("active-defrag-ignore-bytes", Memory(1, i64::MAX as u64), "104857600",
        "See activedefrag."),
    // Persistence, of which there is none.
    kept("save", Words(special::save), "3600 1 300 100 60 10000",
        "When a snapshot would be written."),
    kept("dbfilename", Word(special::rdb_file_name), "dump.rdb", "Where to.").protected(),
    kept("rdbcompression", Bool, "yes", "There are no snapshots."),
    kept("rdbchecksum", Bool, "yes", "There are no snapshots.").at_start(),
    kept("rdb-del-sync-files", Bool, "no", "There are no snapshots."),
    kept("rdb-save-incremental-fsync", Bool, "yes", "There are no snapshots."),
    kept("rdb-key-save-delay", Integer(i32::MIN as i64, i32::MAX as i64), "0",
        "Likewise.").hidden(),
    kept("key-load-delay", Integer(i32::MIN as i64, i32::MAX as i64), "0", "Likewise.").hidden(),
    kept("loading-process-events-interval-bytes", Integer(1024, i32::MAX as i64), "2097152",
        "Likewise.").hidden(),
    kept("stop-writes-on-bgsave-error", Bool, "yes", "There are no snapshots."),
    kept("sanitize-dump-payload", OneOf(SANITISING), "no", "There is no RESTORE."),
    kept("appendonly", Bool, "no", "Writes are not logged: data ends with the process."),
    kept("appendfilename", Word(special::aof_file_name), "appendonly.aof",
        "See appendonly.").at_start(),
    kept("appenddirname", Word(special::aof_folder_name), "appendonlydir",
        "See appendonly.").at_start(),
    kept("appendfsync", OneOf(FSYNCS), "everysec", "See appendonly."),
    kept("no-appendfsync-on-rewrite", Bool, "no", "See appendonly."),
    kept("auto-aof-rewrite-percentage", COUNT, "100", "See appendonly."),
    kept("auto-aof-rewrite-min-size", BYTES, "67108864", "See appendonly."),
    kept("aof-rewrite-incremental-fsync", Bool, "yes", "See appendonly."),
    kept("aof-load-truncated", Bool, "yes", "See appendonly."),
    kept("aof-use-rdb-preamble", Bool, "yes", "See appendonly."),
    kept("aof-timestamp-enabled", Bool, "no", "See appendonly."),
    kept("aof-disable-auto-gc", Bool, "no", "See appendonly."),
    // Replication, of which there is none.
    kept("replicaof", Words(special::replica_of), "",
        "It stays a primary.").alias("slaveof").at_start(),
    kept("masterauth", Text, "", "There is no replication.").secret(),
    kept("masteruser", Text, "", "There is no replication.").secret(),
    kept("repl-timeout", POSITIVE, "60", "There is no replication."),
    kept("repl-ping-replica-period", POSITIVE, "10", "Likewise.").alias("repl-ping-slave-period"),
    kept("repl-backlog-size", Word(special::backlog_bytes), "1048576", "There is no replication."),
    kept("repl-backlog-ttl", LONG, "3600", "There is no replication."),
    kept("repl-disable-tcp-nodelay", Bool, "no", "There is no replication."),
    kept("repl-diskless-sync", Bool, "yes", "There is no replication."),
    kept("repl-diskless-sync-delay", COUNT, "5", "There is no replication."),
    kept("repl-diskless-sync-max-replicas", COUNT, "0", "There is no replication."),
    kept("repl-diskless-load", OneOf(DISKLESS_LOADS), "disabled", "There is no replication."),
    kept("replica-announce-ip", Text, "", "Likewise.").alias("slave-announce-ip"),
    kept("replica-announce-port", PORT, "0", "Likewise.").alias("slave-announce-port"),
    kept("replica-announced", Bool, "yes", "There is no replication."),
    kept("replica-ignore-disk-write-errors", Bool, "no", "There is no replication."),
    kept("replica-ignore-maxmemory", Bool, "yes", "Likewise.").alias("slave-ignore-maxmemory"),
    kept("replica-lazy-flush", Bool, "no", "Likewise.").alias("slave-lazy-flush"),
    kept("replica-priority", COUNT, "100", "Likewise.").alias("slave-priority"),
    kept("replica-read-only", Bool, "yes", "Likewise.").alias("slave-read-only"),
    kept("replica-serve-stale-data", Bool, "yes", "Likewise.").alias("slave-serve-stale-data"),
    kept("min-replicas-to-write", COUNT, "0", "Likewise.").alias("min-slaves-to-write"),
    kept("min-replicas-max-lag", COUNT, "10", "Likewise.").alias("min-slaves-max-lag"),
    kept("propagation-error-behavior", OneOf(PROPAGATION), "ignore", "There is no replication."),
    // Access lists, of which there are none.
    kept("aclfile", Text, "", "There is one user, `default`.").at_start(),
    kept("acllog-max-len", LONG, "128", "There is one user, `default`."),
    kept("acl-pubsub-default", OneOf(CHANNEL_DEFAULTS), "resetchannels",
        "There is one user, `default`."),
    // The cluster, of which there is none.
    kept("cluster-enabled", Bool, "no", "It stays a single node.").at_start(),
    kept("cluster-config-file", Text, "nodes.conf", "There is no cluster.").at_start(),
    kept("cluster-port", PORT, "0", "There is no cluster.").at_start(),
    kept("cluster-node-timeout", LONG, "15000", "There is no cluster."),
    kept("cluster-migration-barrier", COUNT, "1", "There is no cluster."),
    kept("cluster-replica-validity-factor", COUNT, "10",
        "Likewise.").alias("cluster-slave-validity-factor"),
    kept("cluster-replica-no-failover", Bool, "no", "Likewise.").alias("cluster-slave-no-failover"),
    kept("cluster-require-full-coverage", Bool, "yes", "There is no cluster."),
    kept("cluster-allow-reads-when-down", Bool, "no", "There is no cluster."),
    kept("cluster-allow-pubsubshard-when-down", Bool, "yes", "There is no cluster."),
    kept("cluster-allow-replica-migration", Bool, "yes", "There is no cluster."),
    kept("cluster-announce-ip", Text, "", "There is no cluster."),
    kept("cluster-announce-hostname", Word(special::host_name), "", "There is no cluster."),
    kept("cluster-announce-port", PORT, "0", "There is no cluster."),
    kept("cluster-announce-bus-port", PORT, "0", "There is no cluster."),
    kept("cluster-announce-tls-port", PORT, "0", "There is no cluster."),
    kept("cluster-link-sendbuf-limit", Memory(0, u64::MAX), "0", "There is no cluster."),
    kept("cluster-preferred-endpoint-type", OneOf(ENDPOINTS), "ip", "There is no cluster."),
    // TLS, of which there is none: what would switch it on is refused, the rest is kept.
    kept("tls-port", Word(special::no_tls_port), "0", "There is no TLS."),
    kept("tls-cluster", Word(special::never_tls), "no", "There is no TLS."),
    kept("tls-replication", Word(special::never_tls), "no", "There is no TLS."),
    kept("tls-auth-clients", OneOf(TLS_CLIENTS), "yes", "There is no TLS."),
    kept("tls-prefer-server-ciphers", Bool, "no", "There is no TLS."),
    kept("tls-session-caching", Bool, "yes", "There is no TLS."),
    kept("tls-session-cache-size", COUNT, "20480", "There is no TLS."),
    kept("tls-session-cache-timeout", COUNT, "300", "There is no TLS."),
    kept("tls-cert-file", Text, "", "There is no TLS."),
    kept("tls-key-file", Text, "", "There is no TLS."),
    kept("tls-key-file-pass", Text, "", "There is no TLS.").secret(),
    kept("tls-client-cert-file", Text, "", "There is no TLS."),
    kept("tls-client-key-file", Text, "", "There is no TLS."),
    kept("tls-client-key-file-pass", Text, "", "There is no TLS.").secret(),
    kept("tls-dh-params-file", Text, "", "There is no TLS."),
    kept("tls-ca-cert-file", Text, "", "There is no TLS."),
    kept("tls-ca-cert-dir", Text, "", "There is no TLS."),
    kept("tls-protocols", Text, "", "There is no TLS."),
    kept("tls-ciphers", Text, "", "There is no TLS."),
    kept("tls-ciphersuites", Text, "", "There is no TLS."),
];
