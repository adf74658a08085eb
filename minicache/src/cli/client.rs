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

use super::print::{Style, is_preformatted, print};
use super::word_is;
use crate::wire::frame::{Frame, Group, Reader, Stop};
use crate::wire::request;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

/// Where a server is.
#[derive(Clone, Debug)]
pub enum Address {
    /// Host and port.
    Tcp(String, u16),
    /// A Unix socket.
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
    /// The password, if one is needed.
    pub password: Option<String>,
    /// True for RESP3, false for RESP2.
    pub resp3: bool,
    /// The database to select.
    pub db: usize,
}

/// Why a command has no reply.
#[derive(Debug)]
pub enum Failure {
    /// The server could not be reached. The command was not sent.
    NotConnected(Address, io::Error),
    /// The server rejected the login; the text is its error reply.
    Refused(String),
    /// The connection ended before the reply. The server may have executed the command.
    Lost(io::Error),
    /// The reply could not be printed.
    Output(io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::NotConnected(address, error) => {
                write!(out, "Could not connect to {address}: {error}; is a server running there?")
            }
            Failure::Refused(reason) => write!(out, "the server refuses the login: {reason}"),
            Failure::Lost(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                write!(out, "server closed the connection")
            }
            Failure::Lost(error) => write!(out, "the connection broke: {error}"),
            Failure::Output(error) => write!(out, "cannot write: {error}"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Output(error)
    }
}

/// A stream of either kind.
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

/// A client. It connects when it is first used, and again after it lost its connection.
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
    /// Creates a client that is not connected yet.
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
    /// If no reply arrives, or printing fails.
    pub fn execute(
        &mut self,
        command: &[Vec<u8>],
        output: &mut impl Write,
    ) -> Result<bool, Failure> {
        self.connect()?;
        self.send(command)?;
        if is_listening(command) {
            return self.listen(command, output);
        }
        let reply = match self.receive(output) {
            // A server that shuts down closes the connection without a reply.
            Err(Failure::Lost(_)) if word_is(command, 0, "shutdown") => return Ok(true),
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
    pub fn connect(&mut self) -> Result<(), Failure> {
        if self.connection.is_some() {
            return Ok(());
        }
        self.transaction = None;
        let connection = Connection::open(&self.address)
            .map_err(|error| Failure::NotConnected(self.address.clone(), error))?;
        self.connection = Some(connection);
        for command in self.login.commands() {
            let command: Vec<Vec<u8>> = command.into_iter().map(String::into_bytes).collect();
            self.send(&command)?;
            if let Frame::Error(reason) = self.receive(&mut io::sink())? {
                self.connection = None;
                return Err(Failure::Refused(String::from_utf8_lossy(&reason).into_owned()));
            }
        }
        Ok(())
    }

    /// Ends the connection; the next command makes a new one.
    pub fn disconnect(&mut self) {
        self.connection = None;
    }

    fn send(&mut self, command: &[Vec<u8>]) -> Result<(), Failure> {
        let request = request::encode(command);
        self.with_connection(|connection| connection.stream.write_all(&request))
    }

    /// Reads the next reply. Push messages before it are printed in the standard style only:
    /// programs expect one reply to a command.
    fn receive(&mut self, output: &mut impl Write) -> Result<Frame, Failure> {
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
    fn listen(&mut self, command: &[Vec<u8>], output: &mut impl Write) -> Result<bool, Failure> {
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

    fn with_connection<T>(
        &mut self,
        work: impl FnOnce(&mut Connection) -> io::Result<T>,
    ) -> Result<T, Failure> {
        let done = match &mut self.connection {
            Some(connection) => work(connection),
            None => Err(io::ErrorKind::NotConnected.into()),
        };
        done.map_err(|error| {
            self.connection = None;
            Failure::Lost(error)
        })
    }

    /// Updates database, transaction and login after a successful command, for the prompt and for
    /// the next connection.
    fn track_state(&mut self, command: &[Vec<u8>], reply: &Frame) {
        let open = self.transaction;
        match reply {
            // A `SELECT` in a transaction that failed has not been executed.
            Frame::Error(_) | Frame::Null if word_is(command, 0, "exec") => {
                self.end_transaction(open)
            }
            Frame::Error(_) => {}
            _ if word_is(command, 0, "select") => {
                let number =
                    command.get(1).and_then(|text| str::from_utf8(text).ok()?.parse().ok());
                self.login.db = number.unwrap_or(self.login.db);
            }
            _ if word_is(command, 0, "multi") => self.transaction = Some(self.login.db),
            _ if word_is(command, 0, "exec") => self.transaction = None,
            _ if word_is(command, 0, "discard") => self.end_transaction(open),
            _ if word_is(command, 0, "hello") => {
                if let Some(version) = command.get(1) {
                    self.login.resp3 = version == b"3";
                }
            }
            _ if word_is(command, 0, "auth") && command.len() == 2 => {
                self.login.password = Some(String::from_utf8_lossy(&command[1]).into_owned());
            }
            _ if word_is(command, 0, "reset") => {
                self.transaction = None;
                (self.login.db, self.login.resp3) = (0, false);
            }
            _ => {}
        }
    }

    fn end_transaction(&mut self, db_before: Option<usize>) {
        self.transaction = None;
        self.login.db = db_before.unwrap_or(self.login.db);
    }
}

impl Login {
    fn commands(&self) -> Vec<Vec<String>> {
        let mut commands = Vec::new();
        let mut say =
            |words: &[&str]| commands.push(words.iter().map(|it| it.to_string()).collect());
        if let Some(password) = &self.password {
            say(&["AUTH", password]);
        }
        if self.resp3 {
            say(&["HELLO", "3"]);
        }
        if self.db != 0 {
            say(&["SELECT", &self.db.to_string()]);
        }
        commands
    }
}

/// Returns true if the server keeps sending after this command.
fn is_listening(command: &[Vec<u8>]) -> bool {
    let names = ["subscribe", "psubscribe", "ssubscribe", "monitor"];
    names.iter().any(|name| word_is(command, 0, name))
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
        outcome.map_err(|failure| failure.to_string())?;
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
}
