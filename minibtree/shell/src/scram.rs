//! The client's side of SCRAM-SHA-256: how a password is proven without being sent.
//!
//! ```text
//! client  n,,n=,r=NONCE                                the name is that of the start-up packet
//! server  r=NONCE+THEIRS,s=SALT,i=4096
//! client  c=biws,r=NONCE+THEIRS,p=PROOF                the key under a signature of all of this
//! server  v=SIGNATURE                                  it knows the password too
//! ```
//!
//! RFC 5802 and 7677; the server's side is `minibtree/wire/src/scram.rs`. PostgreSQL's
//! `libpq/fe-auth-scram.c`. Absent: channel binding, and the normalization of passwords that are
//! not ASCII. Nothing is shared with the server's side, so that the test of one checks the other.

use base64::prelude::{BASE64_STANDARD, Engine};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// More rounds than this are refused: they would take minutes.
const ITERATIONS_MAX: u32 = 1_000_000;

type Hash = [u8; 32];

/// An exchange after the first message.
pub struct Exchange {
    nonce: String,
}

/// What the server's last message has to be.
pub struct Expected(String);

impl Exchange {
    /// Begins with random text. Returns the first message too.
    pub fn begin(nonce: String) -> (Exchange, String) {
        let message = format!("n,,n=,r={nonce}");
        (Exchange { nonce }, message)
    }

    /// Answers the server's first message with the proof; `None` if it is malformed.
    pub fn prove(self, password: &str, first: &str) -> Option<(Expected, String)> {
        let nonce = attribute(first, "r").filter(|it| it.starts_with(&self.nonce))?;
        let salt = BASE64_STANDARD.decode(attribute(first, "s")?).ok()?;
        let iterations = attribute(first, "i")?.parse::<u32>().ok()?;
        if iterations > ITERATIONS_MAX {
            return None;
        }

        let mut round = hmac(password.as_bytes(), &[&salt, &1u32.to_be_bytes()]);
        let mut salted = round;
        for _ in 1..iterations {
            round = hmac(password.as_bytes(), &[&round]);
            salted = xor(&salted, &round);
        }

        let without_proof = format!("c=biws,r={nonce}");
        let signed = format!("n=,r={},{first},{without_proof}", self.nonce);
        let key = hmac(&salted, &[b"Client Key"]);
        let signature = hmac(&Sha256::digest(key), &[signed.as_bytes()]);
        let proof = BASE64_STANDARD.encode(xor(&key, &signature));
        let server = hmac(&hmac(&salted, &[b"Server Key"]), &[signed.as_bytes()]);
        let expected = format!("v={}", BASE64_STANDARD.encode(server));
        Some((Expected(expected), format!("{without_proof},p={proof}")))
    }
}

impl Expected {
    /// Returns true if the server has proven that it knows the password.
    pub fn is(&self, last: &str) -> bool {
        self.0 == last
    }
}

/// The value of `name=value` in a list with commas.
fn attribute<'m>(message: &'m str, name: &str) -> Option<&'m str> {
    message.split(',').find_map(|it| it.strip_prefix(name)?.strip_prefix('='))
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Hash {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key may have any length");
    parts.iter().for_each(|it| mac.update(it));
    mac.finalize().into_bytes().into()
}

fn xor(left: &Hash, right: &Hash) -> Hash {
    std::array::from_fn(|at| left[at] ^ right[at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use minibtree_wire::scram::{Exchange as Theirs, Verifier};

    #[test]
    fn the_server_accepts_the_proof_of_the_right_password_only() {
        let verifier = Verifier::new("pencil", [7; 16]);
        for (password, is_right) in [("pencil", true), ("pen", false)] {
            let (exchange, first) = Exchange::begin("ours".to_owned());
            let (theirs, reply) = Theirs::begin(&verifier, &first, "theirs").expect("well-formed");
            let (expected, last) = exchange.prove(password, &reply).expect("well-formed");
            let proven = theirs.finish(&last).expect("well-formed");
            assert_eq!(proven.is_some_and(|it| expected.is(&it)), is_right);
        }
    }

    #[test]
    fn a_malformed_or_endless_challenge_is_refused() {
        for first in ["", "r=other,s=AAAA,i=1", "r=ours,s=?,i=1", "r=ours,s=AAAA,i=4000000000"] {
            let (exchange, _) = Exchange::begin("ours".to_owned());
            assert!(exchange.prove("pencil", first).is_none(), "{first}");
        }
    }
}
