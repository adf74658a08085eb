//! SCRAM-SHA-256: a client proves that it knows a password without sending it.
//!
//! This is the example of RFC 7677, user `user` with password `pencil`:
//!
//! ```text
//! client   n,,n=user,r=rOprNGfwEbeRWgbNEkqO
//! server   r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096
//! client   c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9y..
//! server   v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=
//! ```
//!
//! `p` is the client's key, hidden by a signature of all messages so far that only a holder of
//! [`Verifier::stored_key`] can take off; that key alone is no use to log in. `v` is the server's
//! own proof. PostgreSQL's `auth-scram.c`, which also knows channel binding (for TLS) and brings
//! passwords that are not ASCII into a normal form (SASLprep); here they are compared as bytes.

use crate::{Result, SqlError, code};
use base64::prelude::{BASE64_STANDARD, Engine};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// The name of the mechanism.
pub const MECHANISM: &str = "SCRAM-SHA-256";
/// Rounds of hashing that make guessing slow: PostgreSQL's default, which RFC 7677 asks for.
const ITERATIONS: u32 = 4_096;

type Hash = [u8; 32];

/// What the server keeps of a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    salt: [u8; 16],
    stored_key: Hash,
    server_key: Hash,
}

impl Verifier {
    /// The verifier of a password; `salt` is random. Takes milliseconds.
    pub fn new(password: &str, salt: [u8; 16]) -> Verifier {
        let mut round = hmac(password.as_bytes(), &[&salt, &1u32.to_be_bytes()]);
        let mut salted = round;
        for _ in 1..ITERATIONS {
            round = hmac(password.as_bytes(), &[&round]);
            salted = xor(&salted, &round);
        }
        let stored_key = Sha256::digest(hmac(&salted, &[b"Client Key"])).into();
        Verifier { salt, stored_key, server_key: hmac(&salted, &[b"Server Key"]) }
    }
}

/// One client's exchange, after its first message.
pub struct Exchange<'a> {
    verifier: &'a Verifier,
    /// The first messages of both sides, which the proofs sign.
    signed: String,
    /// `n,,` or `y,,`, which the client repeats.
    header: String,
    /// Both nonces.
    nonce: String,
}

impl<'a> Exchange<'a> {
    /// Takes the client's first message. `nonce` is random text. Returns the server's first
    /// message too.
    ///
    /// # Errors
    /// `08P01` if it is malformed, `0A000` for channel binding.
    pub fn begin(
        verifier: &'a Verifier,
        message: &str,
        nonce: &str,
    ) -> Result<(Exchange<'a>, String)> {
        let Some((flag, rest)) = message.split_once(',') else { return Err(malformed()) };
        if !["n", "y"].contains(&flag) {
            return Err(SqlError::unsupported("SCRAM channel binding"));
        }
        let bare = rest.strip_prefix(',').ok_or_else(malformed)?;
        // The name is that of the start-up packet, as in PostgreSQL.
        let theirs = attribute(bare, "r").filter(|it| !it.is_empty()).ok_or_else(malformed)?;
        let nonce = format!("{theirs}{nonce}");
        let salt = BASE64_STANDARD.encode(verifier.salt);
        let reply = format!("r={nonce},s={salt},i={ITERATIONS}");
        let (signed, header) = (format!("{bare},{reply}"), format!("{flag},,"));
        Ok((Exchange { verifier, signed, header, nonce }, reply))
    }

    /// Takes the client's proof. Returns the server's; `None` if the password is wrong.
    ///
    /// # Errors
    /// `08P01` if it is malformed.
    pub fn finish(self, message: &str) -> Result<Option<String>> {
        let Some((without_proof, proof)) = message.rsplit_once(",p=") else {
            return Err(malformed());
        };
        let is_header = attribute(message, "c") == Some(&BASE64_STANDARD.encode(&self.header));
        if !is_header || attribute(message, "r") != Some(&self.nonce) {
            return Err(malformed());
        }
        let proof = BASE64_STANDARD.decode(proof).ok().and_then(|it| Hash::try_from(it).ok());
        let proof = proof.ok_or_else(malformed)?;

        // The proof is the client's key under a signature that the stored key makes. What the
        // stored key is the hash of can only come from the password.
        let signed = format!("{},{without_proof}", self.signed);
        let signature = hmac(&self.verifier.stored_key, &[signed.as_bytes()]);
        let stored_key: Hash = Sha256::digest(xor(&proof, &signature)).into();
        let server = hmac(&self.verifier.server_key, &[signed.as_bytes()]);
        let is_right = stored_key == self.verifier.stored_key;
        Ok(is_right.then(|| format!("v={}", BASE64_STANDARD.encode(server))))
    }
}

fn malformed() -> SqlError {
    SqlError::new(code::PROTOCOL_VIOLATION, "malformed SCRAM message")
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

    const NONCES: &str = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

    fn verifier(password: &str) -> Verifier {
        let salt = BASE64_STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").expect("base64");
        Verifier::new(password, salt.try_into().expect("16 bytes"))
    }

    fn exchange(password: &str, last: &str) -> Result<Option<String>> {
        let (verifier, first) = (verifier(password), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let (exchange, reply) = Exchange::begin(&verifier, first, &NONCES[20..])?;
        assert_eq!(reply, format!("r={NONCES},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
        exchange.finish(last)
    }

    /// RFC 7677, section 3.
    #[test]
    fn the_example_of_the_rfc() {
        let proof = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        let last = format!("c=biws,r={NONCES},p={proof}");
        let expected = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        assert_eq!(exchange("pencil", &last), Ok(Some(expected.to_owned())));
        assert_eq!(exchange("pen", &last), Ok(None));
    }

    #[test]
    fn malformed_messages_are_refused() {
        let proof = BASE64_STANDARD.encode([0; 32]);
        for last in [
            String::new(),
            format!("c=biws,r={NONCES}"),
            format!("c=biws,r={NONCES},p=AAAA"),
            format!("c=biws,r=other,p={proof}"),
            format!("c=eSws,r={NONCES},p={proof}"),
        ] {
            assert_eq!(exchange("pencil", &last).expect_err("malformed").code, "08P01", "{last}");
        }
        let verifier = verifier("pencil");
        for first in ["", "n,", "n,,n=user", "n,,n=user,r="] {
            assert!(Exchange::begin(&verifier, first, "x").is_err(), "{first}");
        }
    }
}
