//! As much of PostgreSQL's protocol as a POC needs: simple queries, without a password. The user is
//! that of the environment variable `PGUSER`, or `postgres`.

use std::io::{self, Read, Write};
use std::net::TcpStream;

/// A connection to PostgreSQL or minibtree.
pub struct Client(TcpStream);

impl Client {
    pub fn connect(address: &str) -> io::Result<Client> {
        let user = std::env::var("PGUSER").unwrap_or_else(|_| "postgres".to_owned());
        let mut client = Client(TcpStream::connect(address)?);
        client.0.set_nodelay(true)?;
        let parameters = format!("\0\x03\0\0user\0{user}\0database\0postgres\0\0");
        let length = (parameters.len() as u32 + 4).to_be_bytes();
        client.0.write_all(&[&length, parameters.as_bytes()].concat())?;
        client.replies()?;
        Ok(client)
    }

    /// Sends statements, and returns their rows.
    pub fn query(&mut self, sql: &str) -> io::Result<Vec<Vec<String>>> {
        let length = (sql.len() as u32 + 5).to_be_bytes();
        self.0.write_all(&[b"Q", &length[..], sql.as_bytes(), b"\0"].concat())?;
        self.replies()
    }

    /// Reads up to ReadyForQuery. An error of the server is of the kind `Other`.
    fn replies(&mut self) -> io::Result<Vec<Vec<String>>> {
        let (mut rows, mut failure) = (Vec::new(), None);
        loop {
            let mut head = [0; 5];
            self.0.read_exact(&mut head)?;
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
            let mut body = vec![0; length - 4];
            self.0.read_exact(&mut body)?;
            match head[0] {
                b'D' => rows.push(row(&body[2..])),
                b'E' => failure = Some(String::from_utf8_lossy(&body).replace('\0', " ")),
                b'Z' => return failure.map_or(Ok(rows), |text| Err(io::Error::other(text))),
                _ => {}
            }
        }
    }
}

/// Null is an empty text.
fn row(mut bytes: &[u8]) -> Vec<String> {
    let mut values = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0);
        values.push(String::from_utf8_lossy(&rest[..length]).into_owned());
        bytes = &rest[length..];
    }
    values
}
