//! The table, `CONFIG GET`, `CONFIG SET` and files, against what a Redis 7.0.15 answers.

use super::file::{self, LoadError};
use super::settings::{OutputLimit, Trust};
use super::*;
use crate::engine::{events::Events, tuning::MaxmemoryPolicy};

fn set(config: &mut Config, pairs: &[(&str, &str)]) -> Result<Vec<&'static str>, String> {
    let pairs: Vec<(&[u8], &[u8])> =
        pairs.iter().map(|(name, text)| (name.as_bytes(), text.as_bytes())).collect();
    let changed = config.set_many(&pairs, true);
    changed.map_err(|error| String::from_utf8(error.reply()).unwrap())
}

fn get(config: &Config, name: &str) -> String {
    let found = config.get(&[name.as_bytes()]);
    assert_eq!(found.len(), 1, "{name}");
    String::from_utf8(found[0].1.to_vec()).unwrap()
}

fn load(text: &str, args: &[&str]) -> Result<Config, LoadError> {
    let mut config = Config::default();
    let args: Vec<&[u8]> = args.iter().map(|arg| arg.as_bytes()).collect();
    file::load(&mut config, text.as_bytes(), &args, &mut |_| Err("no such file".into()))?;
    Ok(config)
}

/// What `CONFIG GET *` of Redis 7.0.15 answers, a name and a text a line.
const REDIS: &str = include_str!("redis_7_0_15.txt");

#[test]
fn names_and_defaults_are_those_of_redis() {
    let config = Config::default();
    let ours: Vec<String> = config
        .get(&[b"*"])
        .into_iter()
        .map(|(name, text)| format!("{} {}", name.escape_ascii(), text.escape_ascii()))
        .map(|line| line.trim_end().to_string())
        .collect();
    let theirs: Vec<&str> = REDIS.lines().collect();
    let only_theirs: Vec<_> =
        theirs.iter().filter(|line| !ours.iter().any(|l| l == *line)).collect();
    let only_ours: Vec<_> = ours.iter().filter(|line| !theirs.contains(&line.as_str())).collect();
    assert_eq!(only_theirs, [&"dir /"]);
    assert_eq!(only_ours, ["dir ."]);
    assert_eq!(ours.len(), theirs.len());
}

#[test]
fn every_text_may_be_set_to_itself() {
    let mut config = Config::default();
    for (row, default) in Config::default().iter() {
        if row.name == "replicaof" {
            // Immutable, and its text for "none" is not one of those it takes: as in Redis.
            continue;
        }
        let words = if row.kind.takes_words() { at_spaces(default) } else { vec![default] };
        assert_eq!(row.read(default, &words).as_deref(), Ok(default), "{}", row.name);
        if row.change == Change::AtStart {
            continue;
        }
        let text = String::from_utf8(default.to_vec()).unwrap();
        assert_eq!(set(&mut config, &[(row.name, &text)]), Ok(vec![]), "{}", row.name);
    }
}

/// A parameter that is declared as obeyed has a field of [`Settings`] that some code reads.
#[test]
fn every_parameter_declared_as_obeyed_is_read() {
    fn read_below(folder: &std::path::Path, text: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match entry.is_dir() {
                true => read_below(&entry, text),
                false => *text += &std::fs::read_to_string(&entry).unwrap(),
            }
        }
    }
    let src = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut all, mut conf) = (String::new(), String::new());
    read_below(&src, &mut all);
    read_below(&src.join("conf"), &mut conf);
    for row in PARAMETERS.iter().filter(|row| row.used) {
        let field = match row.name {
            "client-output-buffer-limit" => "output_limit_normal".to_string(),
            name => name.replace('-', "_"),
        };
        let reads = |text: &str| text.matches(&format!(".{field}")).count();
        // In conf itself only what the engine and the output limits read counts as a use.
        let derived = conf.contains(&format!("self.{field}"));
        assert!(derived || reads(&all) > reads(&conf), "nothing reads {}", row.name);
    }
}

#[test]
fn the_table_names_every_policy_of_the_engine() {
    for policy in MaxmemoryPolicy::ALL {
        let mut config = Config::default();
        set(&mut config, &[("maxmemory-policy", policy.name())]).unwrap();
        assert_eq!(config.settings().maxmemory_policy, policy);
    }
}

#[test]
fn no_name_stands_for_two_parameters() {
    let mut all: Vec<&str> = names().map(|name| name.text).collect();
    assert!(all.iter().all(|name| *name == name.to_ascii_lowercase()));
    all.sort_unstable();
    let before = all.len();
    all.dedup();
    assert_eq!(all.len(), before);
}

#[test]
fn get_takes_names_and_patterns() {
    let config = Config::default();
    let found =
        config.get(&[b"MaxMemory", b"maxmemory*", b"bind", b"*of", b"maxmemory", b"no-such"]);
    let found: Vec<String> =
        found.iter().map(|(name, _)| name.escape_ascii().to_string()).collect();
    assert_eq!(
        found,
        [
            "MaxMemory",
            "maxmemory-clients",
            "maxmemory-policy",
            "maxmemory-samples",
            "maxmemory-eviction-tenacity",
            "bind",
            "replicaof",
            "slaveof"
        ]
    );
    assert_eq!(get(&config, "key-load-delay"), "0");
    assert!(!config.get(&[b"*"]).iter().any(|(name, _)| *name == b"key-load-delay"));
}

#[test]
fn set_answers_in_the_words_of_redis() {
    let failed = "ERR CONFIG SET failed (possibly related to argument";
    let rows: [(&[(&str, &str)], String); 14] = [
        (
            &[("foo", "1")],
            "ERR Unknown option or number of arguments for CONFIG SET - 'foo'".into(),
        ),
        (&[("Daemonize", "yes")], format!("{failed} 'Daemonize') - can't set immutable config")),
        (
            &[("maxmemory", "1"), ("MaxMemory", "2")],
            format!("{failed} 'MaxMemory') - duplicate parameter"),
        ),
        (&[("maxmemory", "x")], format!("{failed} 'maxmemory') - argument must be a memory value")),
        (
            &[("maxmemory-clients", "200%")],
            format!(
                "{failed} 'maxmemory-clients') - percentage argument must be less or equal to 100"
            ),
        ),
        (
            &[("Hash-Max-Ziplist-Entries", "-1")],
            format!(
                "{failed} 'hash-max-ziplist-entries') - \
                 argument must be between 0 and 9223372036854775807 inclusive"
            ),
        ),
        (
            &[("lfu-decay-time", "007")],
            format!("{failed} 'lfu-decay-time') - argument couldn't be parsed into an integer"),
        ),
        (
            &[("port", "70000")],
            format!("{failed} 'port') - argument must be between 0 and 65535 inclusive"),
        ),
        (
            &[("loglevel", "loud")],
            format!(
                "{failed} 'loglevel') - \
                 argument(s) must be one of the following: debug, verbose, notice, warning"
            ),
        ),
        (
            &[("appendonly", "perhaps")],
            format!("{failed} 'appendonly') - argument must be 'yes' or 'no'"),
        ),
        (&[("bind", "a b\"c")], format!("{failed} 'bind') - Invalid host name 'b\\\"c'")),
        (&[("bind", "a b\u{c}")], format!("{failed} 'bind') - Invalid host name 'b\\x0c'")),
        (&[("save", "1 2 3")], format!("{failed} 'save') - Invalid save parameters")),
        (
            &[("notify-keyspace-events", "Q")],
            format!(
                "{failed} 'notify-keyspace-events') - \
                 Invalid event class character. Use 'Ag$lshzxeKEtmdn'."
            ),
        ),
    ];
    for (pairs, reply) in rows {
        assert_eq!(set(&mut Config::default(), pairs), Err(reply));
    }
}

#[test]
fn set_takes_all_or_nothing() {
    let mut config = Config::default();
    let pairs = [("maxmemory", "1gb"), ("hz", "1000"), ("save", "3000 5"), ("timeout", "0")];
    assert_eq!(set(&mut config, &pairs), Ok(vec!["maxmemory", "hz", "save"]));
    assert_eq!(get(&config, "hz"), "500");
    assert_eq!((config.settings().maxmemory, config.settings().hz), (1 << 30, 500));
    set(&mut config, &[("maxmemory", "5"), ("proto-max-bulk-len", "1")]).unwrap_err();
    assert_eq!(get(&config, "maxmemory"), "1073741824");
    assert_eq!(config.settings().maxmemory, 1 << 30);
}

#[test]
fn the_later_of_two_names_for_one_parameter_wins() {
    let mut config = Config::default();
    let pairs = [("hash-max-ziplist-entries", "5"), ("hash-max-listpack-entries", "6")];
    assert_eq!(set(&mut config, &pairs), Ok(vec!["hash-max-listpack-entries"]));
    assert_eq!(config.settings().hash_max_listpack_entries, 6);
}

#[test]
fn protected_parameters_want_trust() {
    let mut config = Config::default();
    let refused = config.set_many(&[(b"dir", b"/tmp")], false).unwrap_err().reply();
    assert!(refused.ends_with(b"'dir') - can't set protected config"));
    assert_eq!(config.set_many(&[(b"dir", b"/tmp")], true), Ok(vec!["dir"]));
    assert!(Trust::Local.allows(true) && !Trust::Local.allows(false));
    assert!(Trust::Everybody.allows(false) && !Trust::Nobody.allows(true));
}

#[test]
fn settings_follow_the_texts() {
    let mut config = Config::default();
    let pairs = [
        ("maxmemory", "100mb"),
        ("maxmemory-policy", "ALLKEYS-LFU"),
        ("maxmemory-clients", "5%"),
        ("client-output-buffer-limit", "normal 1kb 2 3 pubsub 4 5 6"),
        ("notify-keyspace-events", "Ex"),
        ("bind", "127.0.0.1 ::1"),
        ("requirepass", "s3cret"),
    ];
    set(&mut config, &pairs).unwrap();
    let settings = config.settings();
    assert_eq!(settings.maxmemory_policy, MaxmemoryPolicy::AllKeysLfu);
    assert_eq!(settings.maxmemory_policy.name(), "allkeys-lfu");
    assert!(settings.maxmemory_policy.is_lfu() && !settings.maxmemory_policy.is_volatile());
    assert_eq!(settings.maxmemory_clients, 5 << 20);
    let limit = OutputLimit { hard_bytes: 1024, soft_bytes: 2, soft_seconds: 3 };
    assert_eq!(settings.output_limit_normal, limit);
    let limit = OutputLimit { hard_bytes: 4, soft_bytes: 5, soft_seconds: 6 };
    assert_eq!(settings.output_limit_pubsub, limit);
    assert!(settings.notify_keyspace_events.contains(Events::EXPIRED));
    assert_eq!(settings.bind, ["127.0.0.1", "::1"]);
    assert_eq!(settings.requirepass, b"s3cret");
    assert!(is_secret(b"RequirePass") && !is_secret(b"bind"));
    set(&mut config, &[("maxmemory-clients", "1")]).unwrap();
    assert_eq!(config.settings().maxmemory_clients, 128 * 1024);
}

#[test]
fn what_the_server_finds_out_is_put_in() {
    let mut config = Config::default();
    config.put("unixsocket", &[b"/tmp/s"]).unwrap();
    assert_eq!(config.settings().unixsocket, "/tmp/s");
    assert!(config.put("no-such", &[b""]).is_err());
    config.put("rdbcompression", &[b"no"]).unwrap();
    assert_eq!(config.without_effect().collect::<Vec<_>>(), ["rdbcompression"]);
}

#[test]
fn the_first_save_replaces_the_default_and_later_ones_add() {
    // The cases of "CONFIG save params special case handled properly" in introspection.tcl.
    let saved = |text: &str, args: &[&str]| get(&load(text, args).unwrap(), "save");
    assert_eq!(saved("", &[]), "3600 1 300 100 60 10000");
    assert_eq!(saved("save 100 100", &[]), "100 100");
    assert_eq!(saved("save 900 1", &["--save", "100", "100"]), "900 1 100 100");
    assert_eq!(saved("save 900 1", &["--save", "100 100"]), "900 1 100 100");
    assert_eq!(saved("save 900 1", &["--save", ""]), "");
    assert_eq!(saved("save 900 1", &["--save"]), "");
    assert_eq!(saved("save 900 1", &["--save", "--loglevel", "verbose"]), "");
    assert_eq!(saved("save \"\"\nsave 5 6", &[]), "5 6");
}

#[test]
fn arguments_are_lines_of_the_file() {
    // The cases of "redis-server command line arguments" in introspection.tcl.
    let config = load("", &["--maxmemory 700mb", "--maxmemory-policy volatile-lru"]).unwrap();
    assert_eq!(get(&config, "maxmemory"), "734003200");
    assert_eq!(config.settings().maxmemory_policy, MaxmemoryPolicy::VolatileLru);
    let config = load("port 1", &["loglevel", "verbose", "--maxmemory '700mb'"]).unwrap();
    assert_eq!(get(&config, "loglevel"), "verbose");
    let template = "--my--title--template";
    let config = load("", &["--proc-title-template", template, "--loglevel", "verbose"]).unwrap();
    assert_eq!(get(&config, "proc-title-template"), template);
    let args = ["--shutdown-on-sigint", "nosave", "force", "now", "--shutdown-on-sigterm"];
    let config = load("", &[&args[..], &["nosave force"]].concat()).unwrap();
    assert_eq!(get(&config, "shutdown-on-sigint"), "nosave now force");
    assert_eq!(get(&config, "shutdown-on-sigterm"), "nosave force");
}

#[test]
fn mistakes_on_the_command_line_are_shown_as_lines() {
    let rows: [(&[&str], &str, &str); 8] = [
        (&["--port"], "'port'", "wrong number of arguments"),
        (&["--port", "6380", "--loglevel"], "'loglevel'", "wrong number of arguments"),
        (&["--port", "6379", "6380"], "'port \"6379\" \"6380\"'", "wrong number of arguments"),
        (
            &["--port", "--loglevel", "verbose"],
            "'port \"--loglevel\" \"verbose\"'",
            "wrong number of arguments",
        ),
        (&["--port", "--bla", "--loglevel", "verbose"], "'port \"--bla\"'", "into an integer"),
        (&["--logfile", "--my", "--loglevel", "--bla"], "'loglevel \"--bla\"'", "must be one of"),
        (&["--shutdown-on-sigint"], "'shutdown-on-sigint'", "must be one of"),
        (
            &["--replicaof", "127.0.0.1", "abc"],
            "'replicaof \"127.0.0.1\" \"abc\"'",
            "Invalid master port",
        ),
    ];
    for (args, line, reason) in rows {
        let shown = load("", args).err().unwrap().to_string();
        assert!(shown.contains(&format!(">>> {line}\n")), "{shown}");
        assert!(shown.contains(reason), "{shown}");
    }
}

#[test]
fn mistakes_in_a_file_name_their_line() {
    let error = load("# fine\n\nport 1\n  maxmemory lots \t\r\nport 2", &[]).err().unwrap();
    assert_eq!(
        error.to_string(),
        format!(
            "*** FATAL CONFIG FILE ERROR (minicache {}) ***\n\
             Reading the configuration file, at line 4\n\
             >>> 'maxmemory lots'\n\
             argument must be a memory value",
            env!("CARGO_PKG_VERSION")
        )
    );
    for (line, reason) in [
        ("no-such-thing 1", "Bad directive or wrong number of arguments"),
        ("include", "Bad directive or wrong number of arguments"),
        ("include other.conf", "no such file"),
        ("dir \"a", "Unbalanced quotes in configuration line"),
        ("save '\"900'", "Unbalanced quotes in configuration line"),
        ("port 1 2", "wrong number of arguments"),
        ("rename-command FLUSHALL \"\"", "rename-command is not supported"),
        ("user default on", "user is not supported"),
        ("tls-port 6380", "not supported: There is no TLS."),
        ("aclfile a", "not supported: There are no access lists; the one user is `default`."),
        ("cluster-enabled yes", "not supported: There is no cluster."),
        ("slaveof 127.0.0.1 6380", "not supported: There is no replication."),
        ("min-slaves-to-write 1", "not supported: There is no replication."),
        ("socket-mark-id 1", "not supported: Sockets are not marked."),
    ] {
        assert_eq!(load(line, &[]).err().unwrap().reason, reason, "{line}");
    }
    assert!(load("lua-replicate-commands yes\nlist-max-ziplist-value 5", &[]).is_ok());
}

#[test]
fn files_include_files() {
    let mut config = Config::default();
    let mut asked = Vec::new();
    let mut include = |path: &[u8]| {
        asked.push(path.to_vec());
        Ok(if path == b"a b" { b"port 7\ninclude c".to_vec() } else { b"timeout x".to_vec() })
    };
    let error = file::load(&mut config, b"\ninclude 'a b'", &[], &mut include).unwrap_err();
    assert_eq!((error.line, error.text.as_slice()), (1, b"timeout x".as_slice()));
    assert_eq!(asked, [b"a b".to_vec(), b"c".to_vec()]);
    assert_eq!(get(&config, "port"), "7");
    let error = file::load(&mut config, b"include me", &[], &mut |_| Ok(b"include me".to_vec()))
        .unwrap_err();
    assert_eq!(error.reason, "Files include each other without end");
}

/// The file every test of Redis's own suite starts with, and what its `server.tcl` adds.
#[test]
fn the_file_of_the_redis_suite_loads() {
    let text = "always-show-logo yes\nnotify-keyspace-events KEA\ndaemonize no\n\
        pidfile /var/run/redis.pid\nport 6379\ntimeout 0\nbind 127.0.0.1\nloglevel verbose\n\
        logfile ''\ndatabases 16\nlatency-monitor-threshold 1\nrepl-diskless-sync-delay 0\n\
        save 900 1\nrdbcompression yes\ndbfilename dump.rdb\ndir ./\n\
        slave-serve-stale-data yes\nappendonly no\nappendfsync everysec\n\
        no-appendfsync-on-rewrite no\nactiverehashing yes\nenable-protected-configs yes\n\
        enable-debug-command yes\nenable-module-command yes\npropagation-error-behavior panic\n\
        unixsocket /tmp/s\nio-threads 2\nio-threads-do-reads yes\nkey-load-delay 50\n\
        client-output-buffer-limit normal 0 0 0\nsave ''\nhash-max-ziplist-entries 20";
    let config = load(text, &[]).unwrap();
    let settings = config.settings();
    assert_eq!(settings.enable_debug_command, Trust::Everybody);
    assert_eq!((settings.dir.as_str(), settings.logfile.as_str()), ("./", ""));
    assert_eq!(get(&config, "notify-keyspace-events"), "AKE");
    assert_eq!(settings.output_limit_normal, OutputLimit::default());
    assert_eq!(settings.hash_max_listpack_entries, 20);
}
