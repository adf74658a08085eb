//! One connection to a server, and its state: the address, the selected database, and the open
//! transaction.
//!
//! ```text
//! execute(["SELECT", "3"])   OK       prompt 127.0.0.1:6379[3]>
//! execute(["MULTI"])         OK       prompt 127.0.0.1:6379[3](TX)>
//! the server restarts
//! execute(["EXEC"])          Error: server closed the connection     prompt not connected>
//! execute(["PING"])          connects, logs in, selects 3 again; PONG
//! ```
//!
//! **Why is a command not sent again after the connection broke?** The client cannot know if the
//! server executed it. An `INCR` sent twice counts twice.
//!
//! After `SUBSCRIBE` and `MONITOR` the server sends without being asked, until either side closes
//! the connection. The counterparts in Redis are `cliConnect`, `cliSendCommand` and `cliReadReply`
//! (`redis-cli.c`).

use super::word_is;
use crate::wire::frame::{Frame, Group, Reader, Stop};
use crate::wire::print::{Style, print};
use crate::wire::request;
use std::io::{self, ErrorKind, Read, Write};
use std::{fmt, net::TcpStream, os::unix::net::UnixStream, path::PathBuf};

#[derive(Clone, Debug)]
pub enum Address {
    Tcp(String, u16),
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(host, port) => write!(out, "{host}:{port}"),
            Address::Unix(path) => path.display().fmt(out),
        }
    }
}

/// What the client sends first on every connection.
#[derive(Clone, Debug, Default)]
pub struct Login {
    pub password: Option<String>,
    pub resp3: bool,
    pub db: usize,
}

trait Duplex: Read + Write {}
impl<T: Read + Write> Duplex for T {}

/// A connection, and what has arrived on it.
struct Connection {
    stream: Box<dyn Duplex>,
    received: Vec<u8>,
}

impl Connection {
    fn open(address: &Address) -> io::Result<Connection> {
        let stream: Box<dyn Duplex> = match address {
            Address::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port))?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
            Address::Unix(path) => Box::new(UnixStream::connect(path)?),
        };
        Ok(Connection { stream, received: Vec::new() })
    }

    /// The next frame. The reader resumes after each piece, so a reply of a million elements costs
    /// a million steps however it arrives.
    fn read(&mut self) -> io::Result<Frame> {
        let invalid = |stop| io::Error::new(ErrorKind::InvalidData, format!("not a reply: {stop}"));
        let mut reader = Reader::default();
        let end = loop {
            match reader.frame_end(&self.received) {
                Ok(end) => break end,
                Err(stop @ Stop::Wrong(_)) => return Err(invalid(stop)),
                Err(_) => {}
            }
            let mut piece = [0; 16 * 1024];
            match self.stream.read(&mut piece)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                length => self.received.extend_from_slice(&piece[..length]),
            }
        };
        let frame = Frame::split_first(&self.received).map_err(invalid)?.0;
        self.received.drain(..end);
        Ok(frame)
    }
}

pub struct Client {
    /// Where it connects to. A change takes effect with the next connection.
    pub address: Address,
    login: Login,
    style: Style,
    connection: Option<Connection>,
    /// The database that was selected before the open transaction, if one is open.
    transaction: Option<usize>,
}

impl Client {
    pub fn new(address: Address, login: Login, style: Style) -> Client {
        Client { address, login, style, connection: None, transaction: None }
    }

    /// Returns true if there is a connection. A connection that broke counts until it is used.
    pub fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// The prompt of the interactive mode.
    pub fn prompt(&self) -> String {
        if !self.is_connected() {
            return "not connected> ".to_string();
        }
        let db = if self.login.db == 0 { String::new() } else { format!("[{}]", self.login.db) };
        let transaction = if self.transaction.is_some() { "(TX)" } else { "" };
        format!("{}{db}{transaction}> ", self.address)
    }

    /// Sends a command and prints the reply. Returns false if it is an error reply. After
    /// `SUBSCRIBE` or `MONITOR` it prints until the server closes the connection.
    ///
    /// # Errors
    /// If the server cannot be reached, the connection ends before the reply (the server may have
    /// executed the command), or printing fails.
    pub fn execute(&mut self, command: &[Vec<u8>], output: &mut impl Write) -> io::Result<bool> {
        self.connect()?;
        self.send(command)?;
        if is_listening(command) {
            return self.listen(command, output);
        }
        let reply = match self.receive(output) {
            // A server that shuts down closes the connection without a reply.
            Err(_) if !self.is_connected() && word_is(command, 0, "shutdown") => return Ok(true),
            reply => reply?,
        };
        self.track_state(command, &reply);
        let style = if is_preformatted(command) { Style::Preformatted } else { self.style };
        output.write_all(&print(&reply, style))?;
        output.flush()?;
        Ok(!reply.is_error())
    }

    /// Connects and logs in, unless there is a connection.
    ///
    /// # Errors
    /// If the server cannot be reached, or rejects the login.
    pub fn connect(&mut self) -> io::Result<()> {
        if self.connection.is_some() {
            return Ok(());
        }
        self.transaction = None;
        let connection = Connection::open(&self.address).map_err(|error| {
            let address = &self.address;
            io::Error::other(format!(
                "Could not connect to {address}: {error}; is a server running there?"
            ))
        })?;
        self.connection = Some(connection);
        let Login { password, resp3, db } = self.login.clone();
        let auth = password.map(|password| ["AUTH".to_string(), password]);
        let hello = resp3.then(|| ["HELLO".to_string(), "3".to_string()]);
        let select = (db != 0).then(|| ["SELECT".to_string(), db.to_string()]);
        for command in [auth, hello, select].into_iter().flatten() {
            self.send(&command.map(String::into_bytes))?;
            if let Frame::Error(reason) = self.receive(&mut io::sink())? {
                self.connection = None;
                let reason = String::from_utf8_lossy(&reason);
                return Err(io::Error::other(format!("the server refuses the login: {reason}")));
            }
        }
        Ok(())
    }

    /// Ends the connection; the next command makes a new one.
    pub fn disconnect(&mut self) {
        self.connection = None;
    }

    fn send(&mut self, command: &[Vec<u8>]) -> io::Result<()> {
        let request = request::encode(command);
        self.with_connection(|connection| connection.stream.write_all(&request))
    }

    /// Reads the next reply. Push messages before it are printed in the standard style only:
    /// programs expect one reply to a command.
    fn receive(&mut self, output: &mut impl Write) -> io::Result<Frame> {
        loop {
            let reply = self.with_connection(Connection::read)?;
            if !matches!(reply, Frame::Group(Group::Push, _)) {
                return Ok(reply);
            }
            if self.style == Style::Standard {
                output.write_all(&print(&reply, self.style))?;
            }
        }
    }

    /// Prints what the server sends, until an error reply or the end of the connection.
    fn listen(&mut self, command: &[Vec<u8>], output: &mut impl Write) -> io::Result<bool> {
        if self.style == Style::Standard && !word_is(command, 0, "monitor") {
            writeln!(output, "Reading messages... (press Ctrl-C to quit)")?;
            output.flush()?;
        }
        loop {
            let reply = self.with_connection(Connection::read)?;
            output.write_all(&print(&reply, self.style))?;
            output.flush()?;
            if reply.is_error() {
                return Ok(false);
            }
        }
    }

    /// Does `work` on the connection, which is dropped if that fails.
    fn with_connection<T>(
        &mut self,
        work: impl FnOnce(&mut Connection) -> io::Result<T>,
    ) -> io::Result<T> {
        let connection = self.connection.as_mut().ok_or(ErrorKind::NotConnected)?;
        work(connection).map_err(|error| {
            self.connection = None;
            io::Error::other(match error.kind() {
                ErrorKind::UnexpectedEof => "server closed the connection".to_string(),
                _ => format!("the connection broke: {error}"),
            })
        })
    }

    /// Updates database, transaction and login after a successful command, for the prompt and for
    /// the next connection.
    fn track_state(&mut self, command: &[Vec<u8>], reply: &Frame) {
        let name = command[0].to_ascii_lowercase();
        let argument = command.get(1).map(|argument| String::from_utf8_lossy(argument));
        let failed = matches!(reply, Frame::Error(_));
        match (name.as_slice(), argument) {
            // A transaction that was not executed has selected nothing.
            (b"exec", _) if failed || *reply == Frame::Null => self.abandon_transaction(),
            _ if failed => {}
            (b"discard", _) => self.abandon_transaction(),
            (b"multi", _) => self.transaction = Some(self.login.db),
            (b"exec", _) => self.transaction = None,
            (b"select", Some(db)) => self.login.db = db.parse().unwrap_or(self.login.db),
            (b"hello", Some(version)) => self.login.resp3 = version == "3",
            (b"auth", Some(password)) if command.len() == 2 => {
                self.login.password = Some(password.into_owned());
            }
            (b"reset", _) => {
                self.transaction = None;
                (self.login.db, self.login.resp3) = (0, false);
            }
            _ => {}
        }
    }

    fn abandon_transaction(&mut self) {
        self.login.db = self.transaction.take().unwrap_or(self.login.db);
    }
}

/// Returns true if the server keeps sending after this command.
fn is_listening(command: &[Vec<u8>]) -> bool {
    let names = ["subscribe", "psubscribe", "ssubscribe", "monitor"];
    names.iter().any(|name| word_is(command, 0, name))
}

/// Returns true if the server formats the reply to this command for people.
fn is_preformatted(command: &[Vec<u8>]) -> bool {
    const WHOLE: [&str; 2] = ["info", "lolwut"];
    const SUBCOMMANDS: [(&str, &str); 5] = [
        ("client", "list"),
        ("client", "info"),
        ("memory", "doctor"),
        ("memory", "malloc-stats"),
        ("latency", "doctor"),
    ];
    let is = |index: usize, word: &str| word_is(command, index, word);
    WHOLE.iter().any(|name| is(0, name))
        || SUBCOMMANDS.iter().any(|(name, subcommand)| is(0, name) && is(1, subcommand))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    /// A server that sends one of these answers on each connection, after the first request. It
    /// closes every connection but the last, which the client closes.
    fn server(answers: Vec<&'static [u8]>) -> (Client, thread::JoinHandle<Vec<Vec<u8>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let serve = move || {
            let mut last = None;
            let one = |answer: &[u8]| {
                drop(last.take());
                let mut stream = listener.accept().unwrap().0;
                let mut heard = vec![0; 4096];
                let length = stream.read(&mut heard).unwrap();
                heard.truncate(length);
                stream.write_all(answer).unwrap();
                last = Some(stream);
                heard
            };
            let heard = answers.into_iter().map(one).collect();
            last.unwrap().read_to_end(&mut Vec::new()).unwrap();
            heard
        };
        let address = Address::Tcp("127.0.0.1".to_string(), port);
        let login = Login { db: 2, ..Login::default() };
        (Client::new(address, login, Style::Standard), thread::spawn(serve))
    }

    fn said(client: &mut Client, line: &str) -> Result<String, String> {
        let command: Vec<Vec<u8>> = line.split(' ').map(|it| it.as_bytes().to_vec()).collect();
        let mut output = Vec::new();
        let outcome = client.execute(&command, &mut output);
        outcome.map_err(|error| error.to_string())?;
        Ok(String::from_utf8(output).unwrap())
    }

    #[test]
    fn a_lost_connection_is_told_and_made_again_with_the_login() {
        let replies: &[u8] = b"+OK\r\n>2\r\n+x\r\n+y\r\n+QUEUED\r\n";
        let (mut client, server) = server(vec![b"+OK\r\n", replies]);
        assert_eq!(client.prompt(), "not connected> ");
        let lost = said(&mut client, "INCR n").unwrap_err();
        // Which of them depends on whether the request came before the end.
        let ways = ["server closed the connection", "reset by peer", "Broken pipe"];
        assert!(ways.iter().any(|way| lost.contains(way)), "{lost}");
        assert_eq!(client.prompt(), "not connected> ");
        assert_eq!(said(&mut client, "PING").unwrap(), "1) x\n2) y\nQUEUED\n");
        drop(client);
        let heard = server.join().unwrap();
        let select = b"*2\r\n$6\r\nSELECT\r\n$1\r\n2\r\n";
        assert!(heard.iter().all(|request| request.starts_with(select)), "{heard:?}");
    }

    #[test]
    fn the_prompt_knows_database_and_transaction() {
        let replies: &[u8] = b"+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*-1\r\n-ERR no\r\n";
        let (mut client, server) = server(vec![replies]);
        let mut prompt_after = |line: &str| {
            said(&mut client, line).unwrap();
            client.prompt().split_once(['[', '>']).unwrap().1.to_string()
        };
        assert_eq!(prompt_after("SELECT 3"), "3]> ");
        assert_eq!(prompt_after("MULTI"), "3](TX)> ");
        assert_eq!(prompt_after("SELECT 0"), " ", "as far as is known");
        assert_eq!(prompt_after("EXEC"), "3]> ", "nothing was executed");
        assert_eq!(prompt_after("SELECT 9"), "3]> ", "refused");
        drop(client);
        server.join().unwrap();
    }

    #[test]
    fn a_server_that_is_not_there_is_named() {
        let address = Address::Unix("/nowhere/at/all".into());
        let mut client = Client::new(address, Login::default(), Style::Raw);
        let failure = said(&mut client, "PING").unwrap_err();
        assert!(failure.starts_with("Could not connect to /nowhere/at/all: No such"), "{failure}");
    }

    #[test]
    fn replies_that_the_server_formats() {
        let words =
            |line: &str| line.split(' ').map(|it| it.as_bytes().to_vec()).collect::<Vec<_>>();
        for line in ["INFO", "info keyspace", "client LIST", "memory doctor"] {
            assert!(is_preformatted(&words(line)), "{line}");
        }
        for line in ["get info", "client id", "memory usage k", "client"] {
            assert!(!is_preformatted(&words(line)), "{line}");
        }
    }
}
