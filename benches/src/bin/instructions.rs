//! Instructions per operation of the hot paths, counted by valgrind and compared with a baseline.
//!
//! ```text
//! benches/gate             counts; fails if a path takes 3 % more than the committed baseline
//! benches/gate --update    counts, and rewrites the baseline
//! benches/gate get set     only these paths
//! ```
//!
//! A path runs N operations in one process and 5N in another. The difference divided by 4N is the
//! cost of one operation, the same to the digit in every run: hashes are fixed, nothing reads a
//! clock, and start-up is in both counts. Another compiler, C library or processor (`memcpy` picks
//! its code by the processor) changes it a little, so the baseline names what it was counted with.
//!
//! The allocator is the server's, which counts bytes. Redis has no counterpart in its tree; this is
//! `perf stat -e instructions`, made repeatable.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::{Command, ExitCode};

use benches::engine::Engine;
use benches::keys::key;
use minicache::engine::hashing;
use minicache::raw::Counting;
use minicache::wire::request::{Found, Limits, Parser};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Operations of the shorter run.
const OPERATIONS: u64 = 2000;
/// How much more than its baseline a path may take, in percent.
const TOLERANCE_PERCENT: f64 = 3.0;
/// Where the baseline is.
const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.baseline");
/// Keys that exist before a path begins.
const KEYS: u64 = 10_000;

/// The request of operation number `n`, and the start of its reply.
type Request = fn(n: u64) -> (Vec<u8>, &'static [u8]);

/// The paths. Each operation is one read of a socket: parse, execute, reply.
const PATHS: [(&str, Request); 9] = [
    ("get", |n| (words(&[b"GET", &key(n % KEYS)]), b"$32\r\n")),
    ("set", |n| (words(&[b"SET", &key(n % KEYS), &[b'v'; 32]]), b"+OK\r\n")),
    ("set_ttl", |n| (words(&[b"SET", &key(n % KEYS), &[b'v'; 32], b"EX", b"100"]), b"+OK\r\n")),
    ("incr", |n| (words(&[b"INCR", &numbered("counter", n % 100)]), b":")),
    ("lpush", |n| (words(&[b"LPUSH", &numbered("list", n % 100), b"element"]), b":")),
    ("hset", |n| {
        let field = numbered("field", n / 100 % 50);
        (words(&[b"HSET", &numbered("hash", n % 100), &field, b"value"]), b":")
    }),
    ("zadd", |n| {
        let (score, member) = (numbered("", n * 7919 % 1000), numbered("member", n / 10 % 200));
        (words(&[b"ZADD", &numbered("zset", n % 10), &score, &member]), b":")
    }),
    ("mget_10", |n| {
        let keys: Vec<_> = (0..10).map(|more| key((n * 10 + more) % KEYS)).collect();
        let keys = keys.iter().map(|key| &key[..]);
        (words(&[&b"MGET"[..]].into_iter().chain(keys).collect::<Vec<_>>()), b"*10\r\n")
    }),
    ("pipeline_16", |n| {
        let start = 16 * n;
        let all = (start..start + 16).flat_map(|n| match n % 4 {
            0 => words(&[b"SET", &key(n % KEYS), &[b'v'; 32]]),
            1 => words(&[b"INCR", &numbered("counter", n % 100)]),
            2 => words(&[b"HGET", b"hash", b"field"]),
            _ => words(&[b"GET", &key(n % KEYS)]),
        });
        (all.collect(), b"+OK\r\n")
    }),
];

/// The path that stops behind the parser.
const PARSE: &str = "parse_16";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [first, path, operations] = &args[..]
        && first == "run"
    {
        let operations = operations.parse().expect("a number of operations");
        if path == PARSE {
            parse(operations)
        } else {
            run(path, operations)
        }
        return ExitCode::SUCCESS;
    }
    match gate(&args) {
        Ok(code) => code,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn words(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

fn numbered(name: &str, number: u64) -> Vec<u8> {
    format!("{name}{number}").into_bytes()
}

/// Carries out a path.
fn run(path: &str, operations: u64) {
    assert!(hashing::fix(), "nothing has been hashed yet");
    let (_, request) = PATHS.iter().find(|(name, _)| *name == path).expect("a path by that name");
    let engine = Engine::new(1);
    let mut client = engine.client();
    for n in 0..KEYS {
        client.send(&words(&[b"SET", &key(n), &[b'v'; 32]]));
    }
    client.send(b"HSET hash field value\r\n");
    // Requests are made for all 5N, so that making them is in both counts.
    let requests: Vec<_> = (0..5 * OPERATIONS).map(request).collect();
    for (bytes, beginning) in requests.iter().take(operations as usize) {
        let reply = client.send(bytes);
        assert!(reply.starts_with(beginning), "{}", reply.escape_ascii());
    }
}

/// Finds the requests of pipelines of sixteen, and nothing more.
fn parse(operations: u64) {
    let limits = Limits { bulk_max: 512 << 20, authenticated: true };
    let pipeline = [words(&[b"SET", &key(1), &[b'v'; 32]]), words(&[b"GET", &key(1)])];
    let pipeline = pipeline.concat().repeat(8);
    let mut parser = Parser::default();
    for _ in 0..operations {
        let (mut rest, mut requests) = (&pipeline[..], 0);
        while let Found::Request { length } = parser.next(rest, limits) {
            assert!(parser.args(rest).len() >= 2);
            rest = &rest[length..];
            requests += 1;
        }
        assert_eq!(requests, 16);
    }
}

/// Counts the paths that are asked for, or all, and compares.
fn gate(args: &[String]) -> Result<ExitCode, String> {
    let update = args.iter().any(|arg| arg == "--update");
    let wanted: Vec<&String> = args.iter().filter(|arg| *arg != "--update").collect();
    let all: Vec<&str> = PATHS.iter().map(|(name, _)| *name).chain([PARSE]).collect();
    if wanted.iter().any(|name| !all.contains(&name.as_str())) || (update && !wanted.is_empty()) {
        return Err(format!("usage: benches/gate [--update | PATH...], of {}", all.join(", ")));
    }
    let is_chosen = |name: &&str| wanted.is_empty() || wanted.iter().any(|it| it == name);
    let chosen: Vec<&str> = all.into_iter().filter(is_chosen).collect();
    let valgrind = version(Command::new("valgrind"))
        .map_err(|error| format!("{error}. Install it: apt-get install valgrind"))?;
    let baseline = std::fs::read_to_string(BASELINE).unwrap_or_default();
    let before = read(&baseline);
    let mut counted = String::new();
    let mut slower = 0;
    println!("{:<12} {:>12} {:>12} {:>8}", "path", "instructions", "baseline", "change");
    for path in chosen {
        let count = per_operation(path)?;
        writeln!(counted, "{path} {count:.1}").expect("writing to a string cannot fail");
        let Some(was) = before.get(path) else {
            println!("{path:<12} {count:>12.1} {:>12} {:>8}", "none", "");
            slower += usize::from(!update);
            continue;
        };
        let change = (count / was - 1.0) * 100.0;
        let verdict = if change > TOLERANCE_PERCENT { "  too much" } else { "" };
        println!("{path:<12} {count:>12.1} {was:>12.1} {change:>+7.1}%{verdict}");
        slower += usize::from(!update && change > TOLERANCE_PERCENT);
    }
    if update {
        let rustc = version(Command::new("rustc"))?;
        let text = format!("# Instructions per operation, by {valgrind} and {rustc}.\n{counted}");
        std::fs::write(BASELINE, text).map_err(|error| format!("{BASELINE}: {error}"))?;
    }
    if slower > 0 {
        let about = "more than 3 % above benches/instructions.baseline, or without a line in it";
        return Err(format!("{slower} paths {about}; on purpose? then: benches/gate --update"));
    }
    Ok(ExitCode::SUCCESS)
}

fn read(baseline: &str) -> BTreeMap<&str, f64> {
    let lines = baseline.lines().filter_map(|line| line.split_once(' '));
    lines.filter_map(|(path, count)| Some((path, count.parse().ok()?))).collect()
}

fn version(mut program: Command) -> Result<String, String> {
    let output = program.arg("--version").output();
    let output = output.map_err(|error| format!("cannot run {program:?}: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_string())
}

/// What one operation of a path costs.
fn per_operation(path: &str) -> Result<f64, String> {
    let few = collected(path, OPERATIONS)?;
    let many = collected(path, 5 * OPERATIONS)?;
    Ok((many - few) as f64 / (4 * OPERATIONS) as f64)
}

/// Instructions of a whole process that carries out a path.
fn collected(path: &str, operations: u64) -> Result<u64, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(this);
    command.args(["run", path, &operations.to_string()]);
    let output = command.output().map_err(|error| format!("valgrind: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let count = said.lines().find_map(|line| line.split("Collected :").nth(1));
    let count = count.and_then(|count| count.trim().parse().ok());
    count.filter(|_| output.status.success()).ok_or(said)
}
