//! Scripts with a host that knows the command `echo` only.

use crate::resp::argument;
use crate::{Host, Interrupt, Job, Progress, Script, begin};
use std::borrow::Cow;
use std::sync::Arc;

/// Interrupts every script a few times before it kills it.
struct Echo {
    interrupts: usize,
    log: Vec<u8>,
}

impl Host for Echo {
    fn call(&mut self, arguments: &[Cow<'_, [u8]>], resp3: bool) -> Vec<u8> {
        match arguments {
            [name, text] if **name == *b"echo" => {
                [b"$", text.len().to_string().as_bytes(), b"\r\n", text, b"\r\n"].concat()
            }
            _ if resp3 => b"_\r\n".to_vec(),
            _ => b"-ERR no such command\r\n".to_vec(),
        }
    }

    fn knows(&self, name: &[u8]) -> bool {
        name == b"echo"
    }

    fn interrupt(&mut self) -> Interrupt {
        self.interrupts += 1;
        if self.interrupts < 10 { Interrupt::Pause } else { Interrupt::Kill }
    }

    fn log(&mut self, _level: u8, text: &[u8]) {
        self.log.extend_from_slice(text);
    }
}

/// Runs a script. Returns its reply or error as text, how often it paused, and the log.
fn run(text: &str, resp3: bool) -> (String, usize, String) {
    let script = Arc::new(Script::new(text.as_bytes()).unwrap());
    let keys = vec![b"k".to_vec()];
    let job = Job { script, keys, arguments: vec![], resp3, allocated: || 0 };
    let (mut running, mut pauses) = (begin(job, 0).unwrap(), 0);
    let mut host = Echo { interrupts: 0, log: vec![] };
    let reply = loop {
        match running.resume(&mut host) {
            Progress::Paused(paused) => (running, pauses) = (paused, pauses + 1),
            Progress::Done(reply) => break reply,
        }
    };
    let reply = reply.unwrap_or_else(|error| error.into_bytes());
    (String::from_utf8(reply).unwrap(), pauses, String::from_utf8(host.log).unwrap())
}

#[test]
fn the_host_carries_out_commands() {
    assert_eq!(run("return redis.call('echo', KEYS[1])", false).0, "$1\r\nk\r\n");
    assert_eq!(run("return redis.pcall('get')", false).0, "-ERR no such command\r\n");
    let in_resp3 =
        "redis.setresp(3) return {redis.call('get') == nil, redis.acl_check_cmd('echo')}";
    assert_eq!(run(in_resp3, true).0, "*2\r\n#t\r\n#t\r\n");
    assert_eq!(run("redis.log(redis.LOG_NOTICE, 'a', 'b')", false).2, "a b");
    let error = run("return redis.call('get')", false).0;
    assert!(error.starts_with("ERR no such command script: "), "{error}");
}

#[test]
fn an_endless_loop_pauses_and_is_killed() {
    let (error, pauses, _) =
        run("while true do pcall(function() while true do end end) end", false);
    assert!(error.contains("Script killed by user"), "{error}");
    assert!(pauses > 1, "{pauses}");
}

#[test]
fn numbers_as_arguments_have_up_to_17_digits() {
    for (number, text) in [(0.1, "0.10000000000000001"), (1e17, "1e+17"), (-3.0, "-3")] {
        assert_eq!(String::from_utf8(argument(number)).unwrap(), text);
    }
}

/// Each of these took forever, or all memory, or did something else than in Redis. The fuzz target
/// `scripts` or `clients/scripts.py` found it.
#[test]
fn arguments_made_to_harm() {
    let shared = "local s, t = string.rep('x', 1e6), {} for i = 1, 200 do t[i] = s end";
    let no_memory = "not enough memory";
    for (script, expected) in [
        ("return string.byte('abc', -2^63, 2^63)".to_string(), ":97\r\n"),
        ("return string.rep('', 2^53)".to_string(), "$0\r\n\r\n"),
        ("return #{table.remove({1, 2}, -2^53)}".to_string(), ":0\r\n"),
        ("return table.insert({}, -2^53, 1)".to_string(), "position out of bounds"),
        ("return loadstring(string.rep(' ', 2^23))".to_string(), "chunk is too long"),
        (format!("{shared} return redis.call('echo', unpack(t))"), no_memory),
        (format!("{shared} return cmsgpack.pack(t)"), no_memory),
        (format!("{shared} return struct.pack(string.rep('s', 200), unpack(t))"), no_memory),
        (format!("{shared} return table.concat(t)"), no_memory),
        ("return struct.size('c999999999999')".to_string(), "integral size overflow"),
    ] {
        let (reply, ..) = run(&script, false);
        assert!(reply.contains(expected), "{script}: {reply:.300}");
    }
}

#[test]
fn what_random_scripts_found() {
    for (script, expected) in [
        ("return {ok=5}", "*0\r\n"),
        ("return {big_number='1\\r\\0'}", "$3\r\n1 \0\r\n"),
        ("return ('%d'):format('0x1F')", "$2\r\n31\r\n"),
        ("return ('%d'):format(2^63)", "$20\r\n-9223372036854775808\r\n"),
        ("return tonumber('0x1F', 16)", ":31\r\n"),
        ("return tostring(tonumber('nan'))", "$3\r\nnan\r\n"),
        ("return struct.pack('<H', 1e100) == '\\0\\0'", ":1\r\n"),
        ("return redis.error_reply('A b ')", "-A b \r\n"),
        ("local ok, e = pcall(error, '\\255', 0) return e == '\\255'", ":1\r\n"),
        ("return ipairs(5)", "bad argument #1 to 'ipairs' (table expected, got number)"),
        ("error('a\\0b')", "user_script:1: a script: "),
        ("return error('x', 2)", "ERR x script: "),
        ("local t = {}\n return -t", "on @user_script:2."),
        ("math.randomseed(1) return math.random(1, 1000)", ":42\r\n"),
        ("return math.random(0)", "user_script:1: bad argument #1 to 'random' (interval is empty)"),
        ("return tostring(cmsgpack.unpack('\\207' .. ('\\255'):rep(8)))", "$2\r\n-1\r\n"),
        ("return cmsgpack.unpack('\\196\\1a')", "Bad data format in input."),
        ("redis.setresp('3') return 1", ":1\r\n"),
        ("return ('abc'):gsub('b', 5)", "$3\r\na5c\r\n"),
        ("return ('abc'):gsub('b', '%-%%%0')", "$5\r\na-%bc\r\n"),
        ("return ('abc'):gsub('b', '%')", "$3\r\na\0c\r\n"),
        ("return ('abc'):gsub('b', true)", "#2 to 'gsub' (string/function/table expected)"),
        ("return ('abc'):gsub('b', {b = {}})", "invalid replacement value (a table)"),
        ("return ('a)c'):find(')')", ":2\r\n"),
        ("return ('aXc'):find('[a-')", "malformed pattern (missing ']')"),
        ("return ('a]'):match('[]]')", "$1\r\n]\r\n"),
        ("return ('abc'):match('a%')", "malformed pattern (ends with '%')"),
        ("return ('y'):match('%y')", "$1\r\ny\r\n"),
        ("return ('a\0b'):match('a\0b')", "$1\r\na\r\n"),
        ("return ('b^ab'):gmatch('^a')()", "$2\r\n^a\r\n"),
        ("return struct.unpack('i4', 'x')", "bad argument #2 to 'unpack' (data string too short)"),
    ] {
        let (reply, ..) = run(script, false);
        assert!(reply.contains(expected), "{script}: {reply}");
    }
}
