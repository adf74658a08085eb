//! The append-only file and `kill -9`: what was acknowledged is there after the next start.
#![cfg(feature = "server")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use minikit::harness::{Program, Scratch, Signal, Stream::Stdout, wait_until};

/// A server on the files in `folder`.
fn start(folder: &Scratch, flags: &[&str]) -> (Program, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_minicache"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--threads", "2", "--data-dir"]);
    command.arg(folder.path()).args(flags);
    let server = Program::start(command);
    let address = server.wait_for(Stdout, "minicache listening on ");
    (server, address)
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn new(address: &str) -> Client {
        Client(BufReader::new(TcpStream::connect(address).expect("it listens")))
    }

    /// Sends inline commands; the first lines of their replies, fewer if the server ended.
    fn ask(&mut self, commands: &[&str]) -> Vec<String> {
        let text: String = commands.iter().map(|command| format!("{command}\r\n")).collect();
        if self.0.get_mut().write_all(text.as_bytes()).is_err() {
            return Vec::new();
        }
        let read = |_: &&str| {
            let mut line = String::new();
            self.0.read_line(&mut line).ok().filter(|_| line.ends_with('\n'))?;
            Some(line.trim_end().to_string())
        };
        commands.iter().map_while(read).collect()
    }
}

fn names(folder: &Scratch) -> Vec<String> {
    let entries = fs::read_dir(folder.path().join("appendonlydir")).expect("the server made it");
    let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("names are text");
    let mut names: Vec<_> = entries.map(|entry| name(entry.expect("it is readable"))).collect();
    names.sort();
    names
}

/// A client that counts on from `last` as fast as it can, until the server is killed. Returns the
/// last number that was acknowledged.
fn count(address: &str, key: &str, mut last: u64) -> u64 {
    let mut client = Client::new(address);
    let commands = [format!("INCR {key}"), format!("INCR {key}"), format!("INCR {key}")];
    let commands = commands.each_ref().map(String::as_str);
    loop {
        let replies = client.ask(&commands);
        last = replies.last().map_or(last, |reply| reply[1..].parse().expect("a number"));
        if replies.len() < commands.len() {
            return last;
        }
    }
}

#[test]
fn nothing_acknowledged_under_always_is_lost_by_kill_9() {
    let folder = Scratch::new("minicache-aof-kill").expect("there is room");
    let keys = ["a", "b", "c"];
    let mut least = [0; 3];
    for _ in 0..3 {
        let (server, address) = start(&folder, &["--appendfsync", "always"]);
        let found: [u64; 3] = std::array::from_fn(|at| {
            let (key, least) = (keys[at], least[at]);
            let reply = Client::new(&address).ask(&[&format!("INCRBY {key} 0")]);
            let found: u64 = reply[0][1..].parse().expect("a number");
            assert!((least..=least + 3).contains(&found), "{key}: {found}, acknowledged {least}");
            found
        });
        // A server may be killed before it has answered each of them.
        let counters = [0, 1, 2].map(|at| {
            let (address, key, last) = (address.clone(), keys[at], found[at]);
            std::thread::spawn(move || count(&address, key, last))
        });
        let mut watcher = Client::new(&address);
        wait_until("it counts", || {
            watcher.ask(&["INCRBY c 0"])[0][1..].parse::<u64>().expect("a number") > found[2] + 9
        });
        server.signal(Signal::KILL);
        least = counters.map(|it| it.join().expect("it counts"));
        server.end();
    }
}

#[test]
fn a_rewrite_under_load_keeps_every_key() {
    let folder = Scratch::new("minicache-aof-rewrite").expect("there is room");
    let (server, address) = start(&folder, &[]);
    let mut client = Client::new(&address);
    for number in 0..500 {
        assert_eq!(client.ask(&["INCR n", &format!("RPUSH l {number}")]).len(), 2);
    }
    assert_eq!(client.ask(&["BGREWRITEAOF"]), ["+Background append only file rewriting started"]);
    wait_until("the rewrite to end", || {
        client.ask(&["INCR n"]);
        names(&folder).contains(&"appendonly.aof.1.base.aof".to_string())
            && !names(&folder).contains(&"appendonly.aof.1.incr.aof".to_string())
    });
    let expected = [
        "appendonly.aof.1.base.aof",
        "appendonly.aof.2.incr.aof",
        "appendonly.aof.manifest",
        "lock",
    ];
    assert_eq!(names(&folder), expected);
    let before = client.ask(&["INCRBY n 0", "LLEN l"]);
    server.signal(Signal::TERM);
    assert_eq!(server.end().status.code(), Some(0));

    let (server, address) = start(&folder, &["--appendfsync", "no"]);
    assert_eq!(Client::new(&address).ask(&["INCRBY n 0", "LLEN l"]), before);
    let second = Command::new(env!("CARGO_BIN_EXE_minicache"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(folder.path())
        .output()
        .expect("it starts");
    assert_eq!(second.status.code(), Some(1));
    let why = String::from_utf8_lossy(&second.stderr);
    assert!(why.contains("is in use by process"), "{why}");
    drop(server);
}

#[test]
fn a_damaged_file_is_refused_with_its_name_and_offset() {
    let folder = Scratch::new("minicache-aof-damage").expect("there is room");
    let (server, address) = start(&folder, &[]);
    Client::new(&address).ask(&["SET k v", "SET l w"]);
    server.signal(Signal::TERM);
    server.end();
    let path: PathBuf = folder.path().join("appendonlydir/appendonly.aof.1.incr.aof");
    let mut bytes = fs::read(&path).expect("it was written");
    let at = bytes.len() - 27;
    bytes[at] = b'?';
    fs::write(&path, bytes).expect("it may be");
    let mut command = Command::new(env!("CARGO_BIN_EXE_minicache"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder.path());
    let output = command.output().expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    let why = String::from_utf8_lossy(&output.stderr);
    let expected = format!("appendonly.aof.1.incr.aof: byte {at}: not the start of a command");
    assert!(why.contains(&expected), "{why}");
}
