//! The server's commands against what Redis 7.0.15 answers.

use crate::commands::testing::Fixture;

/// The rows of a section of `INFO`, or of all, that begin like this.
fn info(server: &mut Fixture, section: &str, start: &str) -> Vec<String> {
    let text = server.run(&format!("INFO {section}"));
    let rows = text.trim_matches('"').split("\\r\\n");
    rows.filter(|row| row.starts_with(start)).map(str::to_string).collect()
}

#[test]
fn arguments_are_checked_in_the_words_of_redis() {
    Fixture::new().check(
        r#"
        > CONFIG SET maxmemory
        (error) ERR wrong number of arguments for 'config|set' command
        > CONFIG SET maxmemory 1 hz
        (error) ERR syntax error
        > SLOWLOG GET 1 2
        (error) ERR unknown subcommand or wrong number of arguments for 'GET'. Try SLOWLOG HELP.
        > MEMORY USAGE k SAMPLES -1
        (error) ERR syntax error
        > MEMORY USAGE k SAMPLES x
        (error) ERR value is not an integer or out of range
        > SELECT 99999999999
        (error) ERR value is out of range, value must between -2147483648 and 2147483647
        > CLIENT UNBLOCK x y z
        (error) ERR unknown subcommand or wrong number of arguments for 'UNBLOCK'. \
            Try CLIENT HELP.
        > CLIENT PAUSE 1 all x
        (error) ERR unknown subcommand or wrong number of arguments for 'PAUSE'. Try CLIENT HELP.
        > CLIENT PAUSE 9223372036854775807
        OK
        > COMMAND INFO nosuch
        1) (nil)
        > SCRIPT FLUSH maybe
        (error) ERR SCRIPT FLUSH only support SYNC|ASYNC option
        > FUNCTION FLUSH maybe
        (error) ERR FUNCTION FLUSH only supports SYNC|ASYNC option
        > FUNCTION FLUSH
        OK
        > SCRIPT EXISTS abc
        1) (integer) 0
        > REPLICAOF NO ONE
        OK
        > DEBUG PROTOCOL push
        (error) ERR DEBUG command not allowed. If the enable-debug-command option is set to \
            "local", you can run it from a local connection, otherwise you need to set this \
            option in the configuration file, and then restart the server.
        "#,
    );
}

#[test]
fn a_shutdown_that_contradicts_itself_is_none() {
    let mut server = Fixture::new();
    server.check(
        r#"
        > SHUTDOWN SAVE NOSAVE
        (error) ERR syntax error
        > SHUTDOWN NOW ABORT
        (error) ERR syntax error
        > SHUTDOWN ABORT
        (error) ERR No shutdown in progress.
        > SHUTDOWN SOON
        (error) ERR syntax error
        "#,
    );
    assert!(!server.cache.stop.load(std::sync::atomic::Ordering::Relaxed));
    server.run("SHUTDOWN NOSAVE NOW FORCE");
    assert!(server.cache.stop.load(std::sync::atomic::Ordering::Relaxed));
}

#[test]
fn every_help_ends_with_itself() {
    let mut server = Fixture::new();
    let all =
        "ACL CLIENT COMMAND CONFIG FUNCTION LATENCY MEMORY MODULE OBJECT PUBSUB SCRIPT SLOWLOG";
    for name in all.split(' ') {
        let help = server.run(&format!("{name} HELP"));
        let title = format!(" {name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\n");
        assert!(help.contains(&title), "{help}");
        assert!(help.ends_with("    Prints this help."), "{help}");
        assert_eq!(help.matches(" HELP\n").count(), 1, "{help}");
    }
}

#[test]
fn calls_failures_and_rejections_are_told_apart() {
    let mut server = Fixture::new();
    for line in ["SET k v", "SET k", "INCR k", "AUTH x", "NOSUCH", "CLIENT ID", "CLIENT ID x"] {
        server.run(line);
    }
    let rows = [
        ("set", "calls=1", "rejected_calls=1,failed_calls=0"),
        ("incr", "calls=1", "rejected_calls=0,failed_calls=1"),
        ("auth", "calls=1", "rejected_calls=0,failed_calls=1"),
        ("client|id", "calls=1", "rejected_calls=1,failed_calls=0"),
    ];
    for (name, calls, rest) in rows {
        let row = info(&mut server, "commandstats", &format!("cmdstat_{name}:")).concat();
        assert!(row.contains(calls) && row.ends_with(rest), "{row}");
    }
    assert_eq!(info(&mut server, "errorstats", "errorstat_"), ["errorstat_ERR:count=5"]);
    server.run("CONFIG RESETSTAT");
    assert!(info(&mut server, "errorstats", "errorstat_").is_empty());
    let own = info(&mut server, "commandstats", "cmdstat_config|resetstat:");
    assert!(own.concat().contains(":calls=1,"), "{own:?}");
}

#[test]
fn latencies_are_shown_while_they_are_tracked() {
    let mut server = Fixture::new();
    server.run("CONFIG SET latency-tracking no");
    server.run("SET k v");
    assert!(info(&mut server, "latencystats", "latency_percentiles_usec_set:").is_empty());
    server.run("CONFIG SET latency-tracking yes latency-tracking-info-percentiles \"50 99.9\"");
    server.run("SET k v");
    let shown = info(&mut server, "latencystats", "latency_percentiles_usec_set:");
    assert_eq!(shown, ["latency_percentiles_usec_set:p50=0.000,p99.9=0.000"]);
    server.check(
        r#"
        > LATENCY LATEST
        (empty array)
        > LATENCY HISTORY command
        (empty array)
        > LATENCY RESET
        (integer) 0
        "#,
    );
}

#[test]
fn changes_count_until_a_snapshot_would_be_written() {
    let mut server = Fixture::new();
    let changes = |server: &mut Fixture| {
        info(server, "persistence", "rdb_changes_since_last_save:").concat().split_off(28)
    };
    server.run("SET a 1");
    server.run("SET b 1");
    assert_eq!(changes(&mut server), "2");
    server.run("BGSAVE");
    assert_eq!(changes(&mut server), "0");
    server.run("SET c 1");
    server.run("FLUSHALL");
    assert_eq!(changes(&mut server), "0", "FLUSHALL writes an empty snapshot");
    server.run("CONFIG SET save ''");
    server.run("SET a 1");
    server.run("FLUSHALL");
    assert_eq!(changes(&mut server), "2", "without `save` it does not");
    assert_eq!(info(&mut server, "persistence", "rdb_saves:"), ["rdb_saves:1"]);
}

#[test]
fn what_does_not_change_anything_passes_a_pause_of_writes() {
    let mut server = Fixture::new();
    server.run("MULTI");
    server.run("GET k");
    server.run_as("b", "MULTI");
    server.run_as("b", "SET k v");
    server.run_as("c", "CLIENT PAUSE 1000 WRITE");
    let held = |server: &mut Fixture, client: &str, line: &[&[u8]]| {
        let config = server.cache.config.snapshot();
        let args = crate::commands::testing::words(line);
        server.session(client);
        let (cache, now) = (&server.cache, server.now);
        let executor =
            crate::commands::Executor::new(cache, &cache.stats.counters[0], &config, now, || 0);
        executor.paused_until(&server.sessions[client], args.as_args()).is_some()
    };
    assert!(!held(&mut server, "", &[b"EXEC"]));
    assert!(held(&mut server, "b", &[b"EXEC"]));
    assert!(held(&mut server, "c", &[b"SET", b"k", b"v"]));
    assert!(!held(&mut server, "c", &[b"SET", b"k"]), "it would be refused");
    assert!(!held(&mut server, "c", &[b"GET", b"k"]));
    server.run_as("c", "CLIENT PAUSE 1000 ALL");
    assert!(held(&mut server, "c", &[b"GET", b"k"]));
    assert!(!held(&mut server, "c", &[b"NOSUCH"]));
}

#[test]
fn clients_that_take_most_leave_first() {
    let mut server = Fixture::new();
    server.session("small");
    server.run_as("large", "MULTI");
    server.run_as("large", &format!("SET k {}", "v".repeat(300_000)));
    server.run_as("kept", "CLIENT NO-EVICT ON");
    server.run_as("kept", "MULTI");
    server.run_as("kept", &format!("SET k {}", "v".repeat(90_000)));
    for name in ["small", "large", "kept"] {
        server.session(name).publish_figures();
    }
    assert!(server.cache.registry.clients.memory() > 390_000);
    let large = server.session("large").client.id;
    server.check(
        "
        > CONFIG SET maxmemory-clients 200kb
        OK
        large< leave
        ",
    );
    assert_eq!(info(&mut server, "stats", "evicted_clients:"), ["evicted_clients:1"]);
    assert!(server.cache.registry.clients.get(large).is_none(), "nobody sees it any more");
    assert_eq!(server.cache.registry.clients.len(), 3);
}

#[test]
fn large_values_are_freed_later_where_that_is_wanted() {
    let members: Vec<String> = (0..100).map(|member| format!("m{member}")).collect();
    let fill = format!("SADD large {}", members.join(" "));
    for (parameter, commands, freed) in [
        ("", &["DEL large small"][..], 0),
        ("", &["UNLINK large small"], 1),
        ("user-del", &["DEL large small"], 1),
        ("", &["SET large x"], 0),
        ("server-del", &["SET large x"], 1),
        ("server-del", &["RENAME small large"], 1),
        ("server-del", &["SUNIONSTORE large small"], 1),
        ("", &["PEXPIREAT large 1"], 0),
        ("expire", &["PEXPIREAT large 1"], 1),
        ("eviction", &["CONFIG SET maxmemory-policy allkeys-lru maxmemory 1", "SET k v"], 1),
        ("", &["FLUSHALL"], 0),
        ("", &["FLUSHALL ASYNC"], 2),
        ("", &["FLUSHDB ASYNC"], 2),
        ("", &["SELECT 1", "SET k v", "SELECT 0", "FLUSHDB ASYNC"], 2),
        ("user-flush", &["FLUSHALL"], 2),
        ("user-flush", &["FLUSHALL SYNC"], 0),
    ] {
        let mut server = Fixture::new();
        server.run(&fill);
        server.run("SADD small m");
        if !parameter.is_empty() {
            server.run(&format!("CONFIG SET lazyfree-lazy-{parameter} yes"));
        }
        commands.iter().for_each(|command| drop(server.run(command)));
        let counted = info(&mut server, "memory", "lazyfree").join(" ");
        let expected = format!("lazyfree_pending_objects:0 lazyfreed_objects:{freed}");
        assert_eq!(counted, expected, "{parameter} {commands:?}");
        server.run("CONFIG RESETSTAT");
        let reset = info(&mut server, "memory", "lazyfreed").concat();
        assert_eq!(reset, "lazyfreed_objects:0");
    }
}

#[test]
fn the_slow_log_begins_with_the_command_that_opens_it() {
    let mut server = Fixture::with(&[("slowlog-log-slower-than", "-1")]);
    server.check(
        r#"
        > PING
        PONG
        > CONFIG SET slowlog-log-slower-than 0
        OK
        > CONFIG SET slowlog-log-slower-than -1
        OK
        > SLOWLOG LEN
        (integer) 1
        "#,
    );
}
