//! Clients that send invalid requests, send too much, or never read.
//!
//! In every case the server replies with Redis's error text, uses a bounded amount of memory, and
//! keeps serving other clients. `REDIS_SERVER=/usr/bin/redis-server` in the environment runs the
//! same tests against Redis, except for memory bounds that Redis does not have.
#![cfg(feature = "server")]

#[path = "common/server.rs"]
mod server;

use minikit::harness::wait_until;
use server::{Client, Server, bulk, request};
use std::process::Command;

const MIB: u64 = 1 << 20;

/// Asserts that the server still serves other clients.
#[track_caller]
fn lives(server: &Server) {
    assert_eq!(server.connect().ask(&["PING"]), "+PONG");
}

/// Sends bytes on a connection of their own; all that comes back until the server closes, as text
/// of one character for every byte.
fn answer(server: &Server, bytes: &[u8]) -> String {
    let mut client = server.connect();
    client.send(bytes);
    client.rest().into_iter().map(char::from).collect()
}

fn closing(why: &str) -> String {
    format!("-ERR Protocol error: {why}\r\n")
}

#[test]
fn what_is_not_the_protocol_is_refused_and_the_connection_ends() {
    let server = Server::start();
    let long = "x".repeat(64 * 1024 + 1);
    for (bytes, why) in [
        (b"*x\r\n".to_vec(), "invalid multibulk length"),
        (b"*2147483648\r\n".to_vec(), "invalid multibulk length"),
        (b"*9223372036854775808\r\n".to_vec(), "invalid multibulk length"),
        (b"* 1\r\n".to_vec(), "invalid multibulk length"),
        (b"*1\r\n$-1\r\n".to_vec(), "invalid bulk length"),
        (b"*1\r\n$x\r\n".to_vec(), "invalid bulk length"),
        (b"*1\r\n$\r\n".to_vec(), "invalid bulk length"),
        (b"*1\r\n$536870913\r\n".to_vec(), "invalid bulk length"),
        (b"*1\r\n$600000000\r\n".to_vec(), "invalid bulk length"),
        (b"*1\r\n$9223372036854775808\r\n".to_vec(), "invalid bulk length"),
        (b"*1\r\n:4\r\n".to_vec(), "expected '$', got ':'"),
        (b"*1\r\n\xff\r\n".to_vec(), "expected '$', got '\u{ff}'"),
        (b"SET \"k\r\n".to_vec(), "unbalanced quotes in request"),
        (b"SET 'k'v\r\n".to_vec(), "unbalanced quotes in request"),
        (long.clone().into_bytes(), "too big inline request"),
        (format!("*{long}").into_bytes(), "too big mbulk count string"),
        (format!("*1\r\n${long}").into_bytes(), "too big bulk count string"),
    ] {
        let start = bytes[..bytes.len().min(20)].escape_ascii().to_string();
        assert_eq!(answer(&server, &bytes), closing(why), "{start}");
    }
    lives(&server);
}

/// Redis 7.0 raised its limit from a million arguments to two thousand million.
#[test]
fn a_million_arguments_are_the_limit() {
    let server = Server::start();
    if !Server::is_redis() {
        assert_eq!(answer(&server, b"*2147483648\r\n"), closing("invalid multibulk length"));
    }
    lives(&server);
}

#[test]
fn what_came_before_it_is_answered() {
    let server = Server::start();
    let replies = answer(&server, b"PING\r\n*-1\r\n*0\r\n\r\nPING\r\n*1\r\n$-1\r\nPING\r\n");
    assert_eq!(replies, format!("+PONG\r\n+PONG\r\n{}", closing("invalid bulk length")));
}

/// A browser that is made to post to this port must not have its form executed.
#[test]
fn http_is_not_answered() {
    let server = Server::start();
    let post = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nSET stolen 1\r\n";
    assert_eq!(answer(&server, post), "");
    assert_eq!(server.connect().ask(&["GET", "stolen"]), "$-1");
}

#[test]
fn bytes_that_are_no_text() {
    let server = Server::start();
    let mut client = server.connect();
    let odd = b"\x00\xff\xfe\r\n\xc3\x28";
    client.send(&[&b"*3\r\n"[..], &bulk(b"SET"), &bulk(odd), &bulk(odd)].concat());
    client.expect(b"+OK\r\n");
    client.send(&[&b"*2\r\n"[..], &bulk(b"GET"), &bulk(odd)].concat());
    client.expect(&bulk(odd));
    client.send(&[&b"*2\r\n"[..], &bulk(b"\xff\xc3\xbc"), &bulk(b"\xfe\n")].concat());
    let error = b"-ERR unknown command '\xff\xc3\xbc', with args beginning with: '\xfe ' \r\n";
    client.expect(error);
}

#[test]
fn requests_cut_anywhere_change_nothing() {
    let server = Server::start();
    let whole = request(&["SET", "cut", "value"]);
    for length in 0..whole.len() {
        let mut client = server.connect();
        client.send(&whole[..length]);
        client.finish();
        assert_eq!(client.rest(), b"", "cut at {length}");
    }
    assert_eq!(server.connect().ask(&["GET", "cut"]), "$-1");
}

#[test]
fn one_byte_at_a_time() {
    let server = Server::start();
    let mut client = server.connect();
    let requests = [request(&["SET", "slow", "a b"]), b"GET 'slow'\r\n".to_vec()].concat();
    requests.iter().for_each(|byte| client.send(&[*byte]));
    client.expect(b"+OK\r\n$3\r\na b\r\n");
}

#[test]
fn a_hundred_thousand_commands_before_the_first_reply_is_read() {
    const COMMANDS: usize = 100_000;
    let server = Server::start();
    let mut client = server.connect();
    client.send(&b"PING\r\n".repeat(COMMANDS));
    lives(&server);
    client.expect(&b"+PONG\r\n".repeat(COMMANDS));
}

#[test]
fn a_million_arguments() {
    let server = Server::start();
    let mut client = server.connect();
    let mut bytes = b"*1048576\r\n$4\r\nNONE\r\n".to_vec();
    bytes.extend(b"$1\r\na\r\n".repeat((1 << 20) - 1));
    client.send(&bytes);
    let arguments = "'a' ".repeat(32);
    let error = format!("-ERR unknown command 'NONE', with args beginning with: {arguments}\r\n");
    client.expect(error.as_bytes());
    client.send(&request(&["PING"]));
    client.expect(b"+PONG\r\n");
    drop(client);
    if !Server::is_redis() {
        wait_until("the memory is given back", || server.info("used_memory") < 8 * MIB);
    }
}

/// A connection on which a request has begun, and the server knows it: the PING came with it.
fn begun(server: &Server, half: &[u8]) -> Client {
    let mut client = server.connect();
    client.send(&[b"PING\r\n", half].concat());
    client.expect(b"+PONG\r\n");
    client
}

/// Promises of the largest request there can be, and of the longest argument, cost nothing.
#[test]
fn memory_is_taken_for_bytes_not_for_announcements() {
    let server = Server::start();
    lives(&server);
    let before = server.resident();
    let promises = [&b"*1048576\r\n"[..], b"*2\r\n$3\r\nGET\r\n$536870912\r\n"].repeat(100);
    let promises: Vec<Client> = promises.into_iter().map(|half| begun(&server, half)).collect();
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 8 * MIB, "{grown} bytes for {} promises", promises.len());
}

/// Ten thousand clients (or as many as the limit on files allows) that stop in the middle of
/// a request.
#[test]
fn ten_thousand_half_requests() {
    const NAME: &str = "ten_thousand_half_requests";
    const RAISED: &str = "MINICACHE_TEST_FILES_RAISED";
    if std::env::var_os(RAISED).is_none() {
        // Both ends of a connection count against a limit, and only a shell can raise its own.
        let script = "ulimit -n 20000 || ulimit -n $(ulimit -H -n); exec \"$0\" --exact \"$1\"";
        let this = std::env::current_exe().unwrap();
        let mut again = Command::new("sh");
        again.args(["-c", script]).arg(this).arg(NAME).env(RAISED, "yes");
        assert!(again.status().unwrap().success());
        return;
    }
    let server = Server::start();
    server.set("maxclients", "15000");
    let before = server.resident();
    let limit = open_files_max().saturating_sub(200).min(10_000);
    assert!(limit > 500, "`ulimit -n` allows {limit} connections, which proves nothing");
    let half = b"*3\r\n$3\r\nSET\r\n$8\r\nhalf";
    let clients: Vec<Client> = (0..limit).map(|_| begun(&server, half)).collect();
    wait_until("only they are inside", || server.info("connected_clients") == limit as u64 + 1);
    lives(&server);
    let each = server.resident().saturating_sub(before) / limit as u64;
    println!("{limit} connections of {each} bytes");
    assert!(each < 8 * 1024 || Server::is_redis(), "{each} bytes for one connection");
    drop(clients);
    wait_until("all have left", || server.info("connected_clients") == 1);
}

/// How many files this process may have open.
fn open_files_max() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    line.split_whitespace().next().and_then(|soft| soft.parse().ok()).unwrap()
}

/// 200 commands of a few bytes ask for 200 MiB. The kernel takes some, the limit the rest.
#[test]
fn a_client_that_never_reads() {
    let server = Server::start();
    server.set("client-output-buffer-limit", "normal 8mb 0 0");
    let mut client = server.connect();
    client.send(&[&b"*3\r\n"[..], &bulk(b"SET"), &bulk(b"k"), &bulk(&[b'v'; 1 << 20])].concat());
    client.expect(b"+OK\r\n");
    let before = server.resident_peak();
    client.send(&b"GET k\r\n".repeat(200));
    wait_until("the server has closed", || server.info("connected_clients") == 1);
    let grown = server.resident_peak() - before;
    assert!(grown < 40 * MIB, "{grown} bytes for a limit of 8 MiB");
    assert!(client.rest().len() < 200 << 20);
    lives(&server);
}

#[test]
fn a_subscriber_that_never_reads() {
    let server = Server::start();
    server.set("client-output-buffer-limit", "pubsub 8mb 0 0");
    let mut subscriber = server.connect();
    assert_eq!(subscriber.ask(&["SUBSCRIBE", "news"]), "*3");
    let mut publisher = server.connect();
    let publish = [&b"*3\r\n"[..], &bulk(b"PUBLISH"), &bulk(b"news"), &bulk(&[b'v'; 1 << 20])];
    let publish = publish.concat();
    let before = server.resident_peak();
    wait_until("the subscriber is cut off", || {
        publisher.send(&publish);
        publisher.take(4) == b":0\r\n"
    });
    let grown = server.resident_peak() - before;
    assert!(grown < 48 * MIB, "{grown} bytes for a limit of 8 MiB");
    lives(&server);
}

/// A request longer than the limit is not collected to its end.
#[test]
fn a_request_beyond_the_query_buffer_limit() {
    let server = Server::start();
    server.set("client-query-buffer-limit", "1mb");
    let before = server.resident_peak();
    let mut client = server.connect();
    client.send(b"*2\r\n$3\r\nGET\r\n$268435456\r\n");
    let piece = [b'x'; 64 * 1024];
    let taken = (0..4096).take_while(|_| client.try_send(&piece)).count();
    assert!(taken < 4096, "256 MiB were taken");
    assert_eq!(client.rest(), b"");
    let grown = server.resident_peak() - before;
    assert!(grown < 8 * MIB || Server::is_redis(), "{grown} bytes for a limit of 1 MiB");
    lives(&server);
}

#[test]
fn unauthenticated_clients_get_ten_arguments_of_sixteen_kilobytes() {
    let server = Server::start();
    server.set("requirepass", "secret");
    let most = bulk(&[b'x'; 16 * 1024]);
    let mut client = server.connect();
    client.send(&[&b"*10\r\n$4\r\nMGET\r\n"[..], &most.repeat(9)].concat());
    client.expect(b"-NOAUTH Authentication required.\r\n");
    client.send(b"GET k\r\n");
    client.expect(b"-NOAUTH Authentication required.\r\n");
    let arguments = closing("unauthenticated multibulk length");
    assert_eq!(answer(&server, b"*11\r\n"), arguments);
    let length = closing("unauthenticated bulk length");
    assert_eq!(answer(&server, b"*2\r\n$4\r\nAUTH\r\n$16385\r\n"), length);
    assert_eq!(client.ask(&["AUTH", "wrong"]), WRONG_PASSWORD);
    assert_eq!(client.ask(&["AUTH", "secret"]), "+OK");
    client.send(&[&b"*11\r\n$4\r\nNONE\r\n"[..], &bulk(b"").repeat(10)].concat());
    assert!(client.ask(&["PING"]).starts_with("-ERR unknown command 'NONE'"));
}

const WRONG_PASSWORD: &str = "-WRONGPASS invalid username-password pair or user is disabled.";

#[test]
fn one_client_too_many() {
    let server = Server::start();
    let mut inside = server.connect();
    assert_eq!(inside.ask(&["CONFIG", "SET", "maxclients", "3"]), "+OK");
    let mut others = [server.connect(), server.connect()];
    // Two cores accept clients. Only a reply proves that a client was accepted.
    others.iter_mut().for_each(|client| assert_eq!(client.ask(&["PING"]), "+PONG"));
    assert_eq!(server.connect().rest(), b"-ERR max number of clients reached\r\n");
    assert_eq!(inside.ask(&["PING"]), "+PONG");
    drop(others);
    wait_until("there is room again", || {
        let mut client = server.connect();
        client.try_send(b"PING\r\n");
        client.finish();
        client.rest() == b"+PONG\r\n"
    });
}

/// What a parameter limits is limited from the next command of the same packet on.
#[test]
fn a_parameter_holds_within_its_pipeline() {
    let server = Server::start();
    let set = "CONFIG SET proto-max-bulk-len 1mb\r\n*2\r\n$3\r\nGET\r\n$2000000\r\n";
    let expected = format!("+OK\r\n{}", closing("invalid bulk length"));
    assert_eq!(answer(&server, set.as_bytes()), expected);
}

/// A client above its hard limit gets nothing of the reply that was too much.
#[test]
fn a_reply_above_the_hard_limit_is_not_sent() {
    let server = Server::start();
    server.set("client-output-buffer-limit", "normal 100000 0 0");
    let mut client = server.connect();
    client.send(&[&b"*3\r\n"[..], &bulk(b"SET"), &bulk(b"k"), &bulk(&[b'v'; 150_000])].concat());
    client.expect(b"+OK\r\n");
    client.send(b"GET k\r\n");
    assert_eq!(client.rest(), b"");
    lives(&server);
}

/// A client above its soft limit is closed in time even if no client sends anything.
#[test]
fn a_soft_limit_ends_without_traffic() {
    let server = Server::start();
    let mut client = server.connect();
    client.send(&[&b"*3\r\n"[..], &bulk(b"SET"), &bulk(b"k"), &bulk(&[b'v'; 1 << 20])].concat());
    client.expect(b"+OK\r\n");
    server.set("client-output-buffer-limit", "normal 0 1mb 1");
    client.send(&b"GET k\r\n".repeat(30));
    wait_until("the server has closed", || server.info("connected_clients") == 1);
    lives(&server);
}

/// Requests that are never finished count against `maxmemory-clients`, the largest first.
#[test]
fn clients_are_evicted_for_their_memory() {
    let server = Server::start();
    server.set("maxmemory-clients", "3mb");
    let mut small = server.connect();
    small.send(&[&b"*1\r\n$500000\r\n"[..], &[b'x'; 400_000]].concat());
    let mut large = server.connect();
    large.try_send(&[&b"*1\r\n$5000000\r\n"[..], &vec![b'x'; 4 << 20]].concat());
    wait_until("the large one is gone", || server.info("evicted_clients") == 1);
    small.send(&[b'x'; 100_002]);
    assert!(small.take(4) == b"-ERR", "the small one is served");
    lives(&server);
}

/// Others get `BUSY` on every core, the client's own core too, and `SCRIPT KILL` ends the script
/// although it catches errors.
#[test]
fn an_endless_script_lets_others_have_busy_and_can_be_killed() {
    let server = Server::start();
    let mut other = server.connect();
    assert_eq!(other.ask(&["CONFIG", "SET", "busy-reply-threshold", "50"]), "+OK");

    let script = "while true do pcall(function() while true do end end) end";
    let mut author = server.connect();
    author.send(&request(&["EVAL", script, "0"]));
    wait_until("the script is busy", || other.ask(&["GET", "k"]).starts_with("-BUSY Redis"));
    assert_eq!(other.ask(&["SCRIPT", "KILL"]), "+OK");
    wait_until("the script has ended", || other.ask(&["PING"]) == "+PONG");
    author.expect(b"-ERR Script killed by user with SCRIPT KILL... script: ");
}
