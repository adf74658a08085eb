//! Passwords: the names that may connect, and the proof of a password before the session begins.
//!
//! ```text
//! --password-file FILE     alice:wonderland        a name and a password in each line
//!
//! client  StartupMessage user=alice       server  R 10 SCRAM-SHA-256
//!         p SASLInitialResponse                   R 11 salt, nonces
//!         p SASLResponse                          R 12 the server's proof, R 0
//! ```
//!
//! PostgreSQL's `auth.c` and `pg_authid`; there, `pg_hba.conf` chooses the method by address.

use minibtree_types::error;
use minibtree_types::error::Result;
use minibtree_wire::scram::{Exchange, Verifier};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The verifiers of all names; a name without one cannot connect.
pub struct Passwords {
    verifiers: HashMap<String, Verifier>,
    /// Used for an unknown name, so that its exchange looks like any other.
    nobody: Verifier,
}

impl Passwords {
    /// Reads a file with `name:password` lines. Skips empty lines and lines that begin with `#`.
    /// Other lines need a colon.
    ///
    /// # Errors
    /// If the file cannot be read, or a line has no colon.
    pub fn read(path: &Path) -> io::Result<Passwords> {
        let mut verifiers = HashMap::new();
        let text = std::fs::read_to_string(path)?;
        for line in text.lines().filter(|it| !it.is_empty() && !it.starts_with('#')) {
            let (name, password) = line.split_once(':').ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, "a line is not `name:password`")
            })?;
            verifiers.insert(name.to_owned(), Verifier::new(password, random()?));
        }
        let nobody = Verifier::new(&format!("{:?}", random::<16>()?), random()?);
        Ok(Passwords { verifiers, nobody })
    }

    /// Takes the client's first message. Returns the exchange and the reply.
    ///
    /// # Errors
    /// `08P01`, `0A000`.
    pub fn begin(&self, name: &str, message: &str) -> Result<(Exchange<'_>, String)> {
        let nonce = random::<18>().map_err(|error| error!(INTERNAL_ERROR, "{error}"))?;
        let nonce: String = nonce.iter().map(|it| format!("{it:02x}")).collect();
        let verifier = self.verifiers.get(name).unwrap_or(&self.nobody);
        Exchange::begin(verifier, message, &nonce)
    }
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}
