//! One connection to a server: what the simple protocol needs of a client.
//!
//! ```text
//! client  StartupMessage user=ada database=postgres
//! server  R 10 SCRAM-SHA-256, R 11, R 12, R 0          only with a password: `scram.rs`
//!         S .., K .., Z I
//! client  Q "select 1; select 2"
//! server  T D C T D C Z I
//! ```
//!
//! `minibtree/wire` is the server's side. PostgreSQL's `libpq/fe-connect.c` and `fe-protocol3.c`.
//! Absent: TLS, passwords in the clear and as MD5, the extended protocol.

use crate::report::Report;
use crate::scram::Exchange;
use crate::table::Column;
use base64::prelude::{BASE64_STANDARD, Engine};
use minibtree_types::values::{Category, Type};
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Where the server is, and the names and the password to log in with.
#[derive(Clone, Debug)]
pub struct Target {
    /// A name or an address; a directory if it begins with `/`.
    pub host: String,
    /// Its port, which is a part of the name of a Unix socket.
    pub port: u16,
    /// The user.
    pub user: String,
    /// The database.
    pub database: String,
    /// The password, if there is one.
    pub password: Option<String>,
}

/// What a server sends.
#[derive(Debug)]
pub enum Reply {
    /// The columns of the rows that follow.
    Columns(Vec<Column>),
    /// A row; `None` is NULL.
    Row(Vec<Option<String>>),
    /// A statement is done; its tag.
    Done(String),
    /// An error or a notice.
    Report(Report),
    /// The server wants the data of a COPY.
    CopyIn,
    /// Data of a COPY.
    CopyData(Vec<u8>),
    /// All statements are done.
    Ready,
}

/// Why there is no connection.
#[derive(Debug)]
pub enum Refused {
    /// The server says why.
    Server(Box<Report>),
    /// The system does, or the server does not speak PostgreSQL's protocol.
    Io(io::Error),
}

/// A connection.
pub struct Client {
    stream: BufReader<Box<dyn Duplex>>,
    /// The letter of the last ReadyForQuery.
    status: u8,
}

/// A socket of either kind.
trait Duplex: Read + Write {}

impl<T: Read + Write> Duplex for T {}

impl Client {
    /// Connects and logs in.
    ///
    /// # Errors
    /// What the server or the system says.
    pub fn connect(target: &Target) -> Result<Client, Refused> {
        let Target { host, port, user, database, .. } = target;
        let stream: Box<dyn Duplex> = match host.starts_with('/') {
            true => {
                let name = Path::new(host).join(format!(".s.PGSQL.{port}"));
                Box::new(UnixStream::connect(name)?)
            }
            false => {
                let stream = TcpStream::connect((host.as_str(), *port))?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
        };
        let mut client = Client { stream: BufReader::new(stream), status: b'I' };
        let parameters = format!(
            "\0\x03\0\0user\0{user}\0database\0{database}\0application_name\0minibtree sql\0\
             client_encoding\0UTF8\0\0"
        );
        let length = parameters.len() as u32 + 4;
        client.write(&[&length.to_be_bytes(), parameters.as_bytes()].concat())?;
        client.log_in(target)?;
        Ok(client)
    }

    fn log_in(&mut self, target: &Target) -> Result<(), Refused> {
        const OK: u32 = 0;
        const SASL: u32 = 10;
        const SASL_CONTINUE: u32 = 11;
        const SASL_FINAL: u32 = 12;

        let (mut exchange, mut expected) = (None, None);
        loop {
            let (letter, body) = self.message()?;
            match letter {
                b'E' => return Err(Refused::Server(Box::new(Report::decode(&body)))),
                b'Z' => return Ok(()),
                b'R' => {}
                // Settings, the key of cancel requests, notices.
                _ => continue,
            }
            let (step, data) = body.split_first_chunk::<4>().ok_or_else(malformed)?;
            let text = String::from_utf8_lossy(data);
            match u32::from_be_bytes(*step) {
                OK => {}
                SASL if text.split('\0').any(|it| it == "SCRAM-SHA-256") => {
                    if target.password.is_none() {
                        let text = "the server wants a password: set PGPASSWORD";
                        return Err(io::Error::other(text).into());
                    }
                    let (begun, first) = Exchange::begin(nonce()?);
                    exchange = Some(begun);
                    let length = (first.len() as u32).to_be_bytes();
                    let mechanism = b"SCRAM-SHA-256\0";
                    self.send(b'p', &[mechanism, &length[..], first.as_bytes()].concat())?;
                }
                SASL_CONTINUE => {
                    let password = target.password.as_deref().unwrap_or_default();
                    let exchange = exchange.take().ok_or_else(malformed)?;
                    let (last, proof) = exchange.prove(password, &text).ok_or_else(malformed)?;
                    expected = Some(last);
                    self.send(b'p', proof.as_bytes())?;
                }
                SASL_FINAL if expected.as_ref().is_some_and(|it| it.is(&text)) => {}
                SASL_FINAL => return Err(malformed().into()),
                other => {
                    let text = format!("authentication {other} of the server is not known here");
                    return Err(io::Error::other(text).into());
                }
            }
        }
    }

    /// Sends statements. Read the replies up to [`Reply::Ready`].
    ///
    /// # Errors
    /// Those of the socket.
    pub fn query(&mut self, sql: &str) -> io::Result<()> {
        // The protocol ends the text with a zero byte, so there is none in it.
        let text = sql.split('\0').next().unwrap_or_default();
        self.send(b'Q', &[text.as_bytes(), b"\0"].concat())
    }

    /// Sends data of a COPY.
    ///
    /// # Errors
    /// Those of the socket.
    pub fn copy_data(&mut self, data: &[u8]) -> io::Result<()> {
        self.send(b'd', data)
    }

    /// Ends a COPY.
    ///
    /// # Errors
    /// Those of the socket.
    pub fn copy_done(&mut self) -> io::Result<()> {
        self.send(b'c', b"")
    }

    /// The next reply.
    ///
    /// # Errors
    /// Those of the socket, `UnexpectedEof` if the server closes it, `InvalidData` for what is not
    /// PostgreSQL's protocol.
    pub fn reply(&mut self) -> io::Result<Reply> {
        loop {
            let (letter, body) = self.message()?;
            return Ok(match letter {
                b'T' => Reply::Columns(columns(&body).ok_or_else(malformed)?),
                b'D' => Reply::Row(row(&body).ok_or_else(malformed)?),
                b'C' => Reply::Done(text(&body)),
                b'E' | b'N' => Reply::Report(Report::decode(&body)),
                b'G' => Reply::CopyIn,
                b'd' => Reply::CopyData(body),
                b'Z' => {
                    self.status = body.first().copied().unwrap_or(b'I');
                    Reply::Ready
                }
                // Settings, notifications, an empty statement, the beginning and end of COPY.
                b'S' | b'A' | b'I' | b'H' | b'c' => continue,
                _ => return Err(malformed()),
            });
        }
    }

    /// `*` in a transaction, `!` in one that has failed.
    pub fn transaction_mark(&self) -> &'static str {
        match self.status {
            b'T' => "*",
            b'E' => "!",
            _ => "",
        }
    }

    fn message(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let length = length.checked_sub(4).filter(|it| *it < 1 << 30).ok_or_else(malformed)?;

        // Memory is taken as the bytes arrive.
        let mut body = Vec::new();
        (&mut self.stream).take(length.into()).read_to_end(&mut body)?;
        match body.len() == length as usize {
            true => Ok((head[0], body)),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn send(&mut self, letter: u8, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(body.len() + 4).map_err(io::Error::other)?;
        self.write(&[&[letter], &length.to_be_bytes()[..], body].concat())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // The server would notice the end without it.
        let _ = self.send(b'X', b"");
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Refused {
        Refused::Io(error)
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the server does not speak PostgreSQL's protocol")
}

fn nonce() -> io::Result<String> {
    let mut bytes = [0; 18];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(BASE64_STANDARD.encode(bytes))
}

/// Text up to the zero byte.
fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body.split(|it| *it == 0).next().unwrap_or_default()).into_owned()
}

/// The names and types of a RowDescription.
fn columns(body: &[u8]) -> Option<Vec<Column>> {
    /// Table, column, type, size, modifier and format, after the name.
    const REST: usize = 18;

    let (count, mut body) = body.split_first_chunk::<2>()?;
    let mut columns = Vec::new();
    for _ in 0..u16::from_be_bytes(*count) {
        let end = body.iter().position(|it| *it == 0)?;
        let rest = body.get(end + 1..)?;
        let oid = u32::from_be_bytes(*rest.get(6..)?.first_chunk()?);
        let base = Type::from_oid(oid).filter(|it| !it.is_object());
        let is_number = base.is_some_and(|it| it.category() == Category::Numeric);
        columns.push(Column { name: text(body), is_number });
        body = rest.get(REST..)?;
    }
    Some(columns)
}

/// The values of a DataRow.
fn row(body: &[u8]) -> Option<Vec<Option<String>>> {
    let (count, mut body) = body.split_first_chunk::<2>()?;
    let mut values = Vec::new();
    for _ in 0..u16::from_be_bytes(*count) {
        let (length, rest) = body.split_first_chunk::<4>()?;
        let length = usize::try_from(i32::from_be_bytes(*length)).ok();
        let (value, rest) = rest.split_at_checked(length.unwrap_or(0))?;
        values.push(length.map(|_| String::from_utf8_lossy(value).into_owned()));
        body = rest;
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_rows_are_refused() {
        assert_eq!(row(b"\0\x02\0\0\0\x01a\xff\xff\xff\xff"), Some(vec![Some("a".into()), None]));
        for damaged in [&b"\0"[..], b"\0\x01", b"\0\x01\0\0\0\x02a"] {
            assert_eq!(row(damaged), None);
        }
        assert!(columns(b"\0\x01a\0\0\0").is_none());
        assert!(columns(b"\0\x01a").is_none());
    }
}
