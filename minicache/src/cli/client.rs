//! One connection to a server, and what has to be known to use it: where it goes, the database
//! selected, whether a transaction is open.
//!
//! ```text
//! execute(["SELECT", "3"])   OK       prompt 127.0.0.1:6379[3]>
//! execute(["MULTI"])         OK       prompt 127.0.0.1:6379[3](TX)>
//! the server restarts
//! execute(["EXEC"])          Error: server closed the connection     prompt not connected>
//! execute(["PING"])          connects, logs in, selects 3 again; PONG
//! ```
//!
//! **Why is a command not sent again by itself after the connection broke?** Nobody can know
//! whether the server had executed it. An `INCR` sent twice counts twice.
//!
//! `SUBSCRIBE` and `MONITOR` turn the conversation round: the server speaks until one of both ends
//! it. The counterparts in Redis are `cliConnect`, `cliSendCommand` and `cliReadReply`
//! (`redis-cli.c`).

use super::print::{Style, is_laid_out, print};
use super::reply::Reply;
use crate::wire::frame::Group;
use crate::wire::reply::Reply as Request;
use std::fmt;
use std::io::{self, BufReader, Read, Write};
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

/// What is said first on every connection.
#[derive(Clone, Debug, Default)]
pub struct Login {
    /// The password, if one is needed.
    pub password: Option<String>,
    /// Whether to speak RESP3.
    pub resp3: bool,
    /// The database to select.
    pub db: usize,
}

/// Why a command has no reply.
#[derive(Debug)]
pub enum Failure {
    /// There was no connection to be had. The command has not been sent.
    NotConnected(Address, io::Error),
    /// The server did not accept the login; in its words.
    Refused(String),
    /// The connection ended on the way. Whether the command was executed, nobody can know.
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

/// A client; it connects when it is first used, and again after it lost its connection.
pub struct Client {
    /// Where it connects to. A change takes effect with the next connection.
    pub address: Address,
    login: Login,
    style: Style,
    connection: Option<BufReader<Box<dyn Duplex>>>,
    /// The database that was selected before an open transaction.
    transaction: Option<usize>,
}

impl Client {
    /// A client that is not connected yet.
    pub fn new(address: Address, login: Login, style: Style) -> Client {
        Client { address, login, style, connection: None, transaction: None }
    }

    /// Whether there is a connection, as far as is known.
    pub fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// What to show where a command is typed.
    pub fn prompt(&self) -> String {
        if !self.is_connected() {
            return "not connected> ".to_string();
        }
        let db = if self.login.db == 0 { String::new() } else { format!("[{}]", self.login.db) };
        let transaction = if self.transaction.is_some() { "(TX)" } else { "" };
        format!("{}{db}{transaction}> ", self.address)
    }

    /// Sends a command and prints the reply. Returns whether that was no error. A command that
    /// makes the server speak (`SUBSCRIBE`, `MONITOR`) returns when it has ended.
    ///
    /// # Errors
    /// Where there is no reply to print, or printing fails.
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
            // A server that shuts down has no reply.
            Err(Failure::Lost(_)) if is(command, 0, "shutdown") => return Ok(true),
            reply => reply?,
        };
        self.take_note(command, &reply);
        let style = if is_laid_out(command) { Style::LaidOut } else { self.style };
        output.write_all(&print(&reply, style))?;
        output.flush()?;
        Ok(!reply.is_error())
    }

    /// Connects and logs in, where there is no connection.
    ///
    /// # Errors
    /// Where the server cannot be reached, or refuses.
    pub fn connect(&mut self) -> Result<(), Failure> {
        if self.connection.is_some() {
            return Ok(());
        }
        self.transaction = None;
        let stream = open(&self.address);
        let stream = stream.map_err(|error| Failure::NotConnected(self.address.clone(), error))?;
        self.connection = Some(BufReader::new(stream));
        for command in self.login.commands() {
            let command: Vec<Vec<u8>> = command.into_iter().map(String::into_bytes).collect();
            self.send(&command)?;
            if let Reply::Error(reason) = self.receive(&mut io::sink())? {
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
        let mut request = Request::default();
        request.array(command.len());
        command.iter().for_each(|argument| request.bulk(argument));
        self.with_connection(|connection| connection.get_mut().write_all(request.bytes()))
    }

    /// The next reply. Messages that answer nothing and come before it are printed for people;
    /// programs count on one reply to a command.
    fn receive(&mut self, output: &mut impl Write) -> Result<Reply, Failure> {
        loop {
            let reply = self.with_connection(Reply::read)?;
            if !matches!(reply, Reply::Group(Group::Push, _)) {
                return Ok(reply);
            }
            if self.style == Style::Standard {
                output.write_all(&print(&reply, self.style))?;
            }
        }
    }

    /// Prints whatever the server says, until it says that something is wrong, or nothing more.
    fn listen(&mut self, command: &[Vec<u8>], output: &mut impl Write) -> Result<bool, Failure> {
        if self.style == Style::Standard && !is(command, 0, "monitor") {
            writeln!(output, "Reading messages... (press Ctrl-C to quit)")?;
            output.flush()?;
        }
        loop {
            let reply = self.with_connection(Reply::read)?;
            output.write_all(&print(&reply, self.style))?;
            output.flush()?;
            if reply.is_error() {
                return Ok(false);
            }
        }
    }

    fn with_connection<T>(
        &mut self,
        work: impl FnOnce(&mut BufReader<Box<dyn Duplex>>) -> io::Result<T>,
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

    /// Remembers what a successful command has changed about the conversation.
    fn take_note(&mut self, command: &[Vec<u8>], reply: &Reply) {
        let open = self.transaction;
        match reply {
            // A transaction that failed has selected nothing.
            Reply::Error(_) | Reply::Null if is(command, 0, "exec") => self.end_transaction(open),
            Reply::Error(_) => {}
            _ if is(command, 0, "select") => {
                let number =
                    command.get(1).and_then(|text| str::from_utf8(text).ok()?.parse().ok());
                self.login.db = number.unwrap_or(self.login.db);
            }
            _ if is(command, 0, "multi") => self.transaction = Some(self.login.db),
            _ if is(command, 0, "exec") => self.transaction = None,
            _ if is(command, 0, "discard") => self.end_transaction(open),
            _ if is(command, 0, "hello") => {
                if let Some(version) = command.get(1) {
                    self.login.resp3 = version == b"3";
                }
            }
            _ if is(command, 0, "auth") && command.len() == 2 => {
                self.login.password = Some(String::from_utf8_lossy(&command[1]).into_owned());
            }
            _ if is(command, 0, "reset") => {
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

fn open(address: &Address) -> io::Result<Box<dyn Duplex>> {
    match address {
        Address::Tcp(host, port) => {
            let stream = TcpStream::connect((host.as_str(), *port))?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream))
        }
        Address::Unix(path) => Ok(Box::new(UnixStream::connect(path)?)),
    }
}

fn is(command: &[Vec<u8>], at: usize, word: &str) -> bool {
    command.get(at).is_some_and(|argument| argument.eq_ignore_ascii_case(word.as_bytes()))
}

/// Whether the server goes on speaking after this command.
fn is_listening(command: &[Vec<u8>]) -> bool {
    ["subscribe", "psubscribe", "ssubscribe", "monitor"].iter().any(|name| is(command, 0, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    /// A server that answers what comes first on each connection with these bytes. It closes all
    /// connections but the last, which it leaves to the client.
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
