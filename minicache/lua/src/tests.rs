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
    let done = loop {
        match running.resume(&mut host) {
            Progress::Paused(paused) => (running, pauses) = (paused, pauses + 1),
            Progress::Done(done) => break done,
        }
    };
    let reply = done.reply.unwrap_or_else(|error| error.into_bytes());
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
