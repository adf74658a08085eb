//! Connections, transactions, errors, pub/sub, pipelines: what is about the conversation.

use std::collections::HashMap;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use redis::{Value, cmd, pipe};

use crate::harness::{Behavior, Client, NIL, Url, eventually};

/// The behaviors of this file.
pub const ALL: &[Behavior] = &[
    (1, handshake),
    (2, client_names),
    (3, server_facts),
    (4, databases),
    (5, auth),
    (6, reconnects_after_kill),
    (41, multi_exec),
    (42, discard),
    (43, exec_abort),
    (44, watch),
    (45, errors),
    (46, publish_subscribe),
    (47, patterns),
    (48, pipeline),
    (49, lock),
    (50, many_connections),
    (51, reply_types),
];

fn handshake(c: &mut Client) {
    c.says("PING", "PONG");
    c.says("ECHO hi", "hi");
    let hello: HashMap<String, Value> = c.ask("HELLO");
    assert_eq!(hello["proto"], Value::Int(c.url().protocol));
    assert_eq!(hello["server"], Value::BulkString(b"redis".into()));
    assert_eq!(hello["mode"], Value::BulkString(b"standalone".into()));
    c.refused("HELLO 9", "NOPROTO");
}

fn client_names(c: &mut Client) {
    let mut named = c.sibling();
    named.says("CLIENT GETNAME", NIL);
    named.says("CLIENT SETNAME reader", "OK");
    named.says("CLIENT GETNAME", "reader");
    let id: i64 = named.ask("CLIENT ID");
    let info: String = named.ask("CLIENT INFO");
    assert!(info.contains(" name=reader "), "{info}");
    let list: String = c.ask("CLIENT LIST");
    let mut lines = list.lines().filter(|line| line.contains(" name=reader "));
    assert!(lines.all(|line| line.starts_with(&format!("id={id} "))), "{list}");
    named.refused(cmd("CLIENT").arg("SETNAME").arg("a b"), "Client names cannot contain spaces");
}

fn server_facts(c: &mut Client) {
    let policy = HashMap::from([("maxmemory-policy".to_string(), "noeviction".to_string())]);
    c.says("CONFIG GET maxmemory-policy", policy);
    c.says("CONFIG SET maxmemory-samples 7", "OK");
    let samples = HashMap::from([("maxmemory-samples".to_string(), "7".to_string())]);
    c.says("CONFIG GET maxmemory-s*", samples);
    c.says("CONFIG SET maxmemory-samples 5", "OK");
    c.refused("CONFIG SET nosuch 1", "Unknown option or number of arguments");
    assert!(c.ask::<String>("INFO server").contains("redis_mode:standalone\r\n"));
    c.within("COMMAND COUNT", 150, 500);
    c.says("COMMAND GETKEYS MSET a 1 b 2", ["a", "b"]);
    let Value::Array(get) = c.ask::<Vec<Value>>("COMMAND INFO get").remove(0) else {
        panic!("COMMAND INFO describes a command as an array");
    };
    assert_eq!(get[1], Value::Int(2));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64;
    let (seconds, _microseconds): (i64, i64) = c.ask("TIME");
    assert!((now - 60..now + 60).contains(&seconds));
}

fn databases(c: &mut Client) {
    let nine = Url { database: 9, ..c.url().clone() };
    let mut nine = Client::connect(&nine).expect("database 9 exists");
    c.says("SET k zero", "OK");
    nine.says("SET k nine", "OK");
    c.says("GET k", "zero");
    nine.says("GET k", "nine");
    nine.says("MOVE k 0", false);
    nine.says("FLUSHDB", "OK");
    c.says("DBSIZE", 1);
    nine.says("DBSIZE", 0);
    c.says("SWAPDB 0 9", "OK");
    c.says("GET k", NIL);
    nine.says("GET k", "zero");
    nine.refused("SELECT 16", "DB index is out of range");
}

fn auth(c: &mut Client) {
    let mut admin = c.sibling();
    admin.says("CONFIG SET requirepass secret", "OK");
    let connect = |password| Client::connect(&Url { password, ..c.url().clone() });
    let (none, wrong, right) = (connect(""), connect("wrong"), connect("secret"));
    let unauthenticated = none.and_then(|mut client| client.attempt::<String>("PING"));
    let answer = right.and_then(|mut client| client.attempt::<String>("PING"));
    admin.says(cmd("CONFIG").arg(&["SET", "requirepass", ""]), "OK");
    assert!(unauthenticated.expect_err("no password").to_string().contains("NOAUTH"));
    assert!(wrong.is_err(), "a wrong password is refused");
    assert_eq!(answer.expect("the right password"), "PONG");
    admin.refused("AUTH x", "without any password configured");
}

fn reconnects_after_kill(c: &mut Client) {
    let mut victim = c.sibling();
    let first: i64 = victim.ask("CLIENT ID");
    c.says(cmd("CLIENT").arg("KILL").arg("ID").arg(first), 1);
    let gone = victim.attempt::<String>("PING").expect_err("the connection is closed");
    assert!(gone.is_connection_dropped() || gone.is_io_error(), "{gone}");
    victim = victim.sibling();
    victim.within("CLIENT ID", first + 1, i64::MAX);
}

fn multi_exec(c: &mut Client) {
    let mut transaction = pipe();
    transaction.atomic().cmd("SET").arg(&["n", "1"]).ignore().cmd("INCR").arg("n");
    transaction.cmd("GET").arg("n");
    let answers: (i64, String) = c.pipe(&transaction).expect("both commands fit the key");
    assert_eq!(answers, (2, "2".to_string()));
    c.says("MULTI", "OK");
    c.says("INCR n", "QUEUED");
    c.says("LPUSH n x", "QUEUED");
    c.says("GET n", "QUEUED");
    c.refused("EXEC", "WRONGTYPE");
    c.says("GET n", "3");
}

fn discard(c: &mut Client) {
    c.says("MULTI", "OK");
    c.says("RPUSH k v", "QUEUED");
    c.says("DISCARD", "OK");
    c.says("EXISTS k", false);
    c.refused("DISCARD", "DISCARD without MULTI");
    c.refused("EXEC", "EXEC without MULTI");
}

fn exec_abort(c: &mut Client) {
    c.says("MULTI", "OK");
    c.refused("GET", "wrong number of arguments for 'get' command");
    c.says("SET k v", "QUEUED");
    c.refused("EXEC", "Transaction discarded because of previous errors.");
    c.says("MULTI", "OK");
    c.refused("NOSUCH", "unknown command");
    c.refused("EXEC", "Transaction discarded because of previous errors.");
    c.says("EXISTS k", false);
}

fn watch(c: &mut Client) {
    let mut other = c.sibling();
    c.says("WATCH k", "OK");
    other.says("SET k other", "OK");
    let mine: Option<()> =
        c.pipe(pipe().atomic().cmd("SET").arg(&["k", "mine"])).expect("nil, not an error");
    assert_eq!(mine, None);
    c.says("GET k", "other");
    let increment = |mut own: Client| {
        for _ in 0..25 {
            loop {
                own.says("WATCH sum", "OK");
                let sum: Option<i64> = own.ask("GET sum");
                let mut transaction = pipe();
                transaction.atomic().cmd("SET").arg("sum").arg(sum.unwrap_or(0) + 1);
                if own.pipe::<Option<Vec<String>>>(&transaction).expect("valid").is_some() {
                    break;
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            let own = c.sibling();
            scope.spawn(move || increment(own));
        }
    });
    c.says("GET sum", "100");
}

fn errors(c: &mut Client) {
    c.says("SET s text", "OK");
    let wrong_type = "Operation against a key holding the wrong kind of value";
    c.refused("LPUSH s 1", wrong_type);
    c.refused("HGET s f", wrong_type);
    c.refused("GET", "wrong number of arguments for 'get' command");
    c.refused("CONFIG GET", "wrong number of arguments for 'config|get' command");
    c.refused("NOSUCH a b", "unknown command 'NOSUCH', with args beginning with: 'a' 'b'");
    c.refused("CLIENT NOSUCH", "unknown subcommand 'NOSUCH'");
    c.refused("SET k v BAD", "syntax error");
    c.refused("INCR s", "value is not an integer or out of range");
    c.refused("EXPIRE s 9223372036854775807", "invalid expire time in 'expire' command");
}

fn publish_subscribe(c: &mut Client) {
    let heard = c.heard(&["news", "sport"], &[], 2, |c| {
        c.says("PUBSUB NUMSUB news none", [("news", 1), ("none", 0)]);
        assert_eq!(c.ask::<Vec<String>>("PUBSUB CHANNELS").len(), 2);
        c.says("PUBLISH nobody hello", 0);
        c.says("PUBLISH news hello", 1);
        c.says("PUBLISH sport goal", 1);
    });
    let message = |channel: &str, text: &str| (None, channel.to_string(), text.to_string());
    assert_eq!(heard, [message("news", "hello"), message("sport", "goal")]);
    eventually(|| c.ask::<i64>("PUBLISH news hello") == 0);
}

fn patterns(c: &mut Client) {
    let heard = c.heard(&["news.art"], &["news.*"], 3, |c| {
        c.says("PUBSUB NUMPAT", 1);
        c.says("PUBLISH news.art x", 2);
        c.says("PUBLISH news.tech y", 1);
    });
    let pattern = Some("news.*".to_string());
    assert_eq!(heard[0], (None, "news.art".to_string(), "x".to_string()));
    assert_eq!(heard[1], (pattern.clone(), "news.art".to_string(), "x".to_string()));
    assert_eq!(heard[2], (pattern, "news.tech".to_string(), "y".to_string()));
    eventually(|| c.ask::<i64>("PUBSUB NUMPAT") == 0);
}

fn pipeline(c: &mut Client) {
    let mut pipeline = pipe();
    for i in 0..5000 {
        let key = format!("k{i}");
        pipeline.cmd("SET").arg(&key).arg(i).ignore().cmd("GET").arg(&key);
    }
    let answers: Vec<i64> = c.pipe(&pipeline).expect("all commands are valid");
    assert!(answers.into_iter().eq(0..5000), "answers come in the order of the commands");
}

fn lock(c: &mut Client) {
    c.says("SET lock me NX PX 60000", "OK");
    c.says("SET lock you NX PX 60000", NIL);
    c.says("GET lock", "me");
    c.says("PEXPIRE lock 1", true);
    eventually(|| c.ask::<Option<String>>("SET lock you NX PX 60000").is_some());
}

fn many_connections(c: &mut Client) {
    thread::scope(|scope| {
        for _ in 0..8 {
            let mut own = c.sibling();
            scope.spawn(move || (0..250).for_each(|_| own.ask::<()>("INCR n")));
        }
    });
    c.says("GET n", "2000");
}

fn reply_types(c: &mut Client) {
    c.says("HSET h f v", 1);
    c.says("SADD s m", 1);
    c.says("ZADD z 1.5 m", 1);
    let bulk = |text: &str| Value::BulkString(text.into());
    let replies = ["HGETALL h", "SMEMBERS s", "ZSCORE z m", "ZRANGE z 0 -1 WITHSCORES", "GET none"]
        .map(|command| c.ask::<Value>(command));
    let want = match c.url().protocol {
        2 => [
            Value::Array(vec![bulk("f"), bulk("v")]),
            Value::Array(vec![bulk("m")]),
            bulk("1.5"),
            Value::Array(vec![bulk("m"), bulk("1.5")]),
            Value::Nil,
        ],
        _ => [
            Value::Map(vec![(bulk("f"), bulk("v"))]),
            Value::Set(vec![bulk("m")]),
            Value::Double(1.5),
            Value::Array(vec![Value::Array(vec![bulk("m"), Value::Double(1.5)])]),
            Value::Nil,
        ],
    };
    assert_eq!(replies, want);
}
