//! The authenticated client of a request, identified by an API key or a verified token.
//!
//! ```text
//! X-Api-Key: k_live_51H...      SHA-256, hexadecimal: 5f2b...       keys: 5f2b... -> acme, gold
//! ```
//!
//! # Keys are stored hashed
//!
//! The configuration holds only the SHA-256 of each key, so a leaked configuration reveals no key.
//! Passwords need a slow, salted hash, because people choose them and an attacker can guess them.
//! An API key is random: 128 bits cannot be guessed, so a fast hash is enough.

use minikit::sync::Arc;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};

/// An authenticated client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The name of the API key, or the `sub` of the token.
    pub name: String,
    /// Selects limits that are restricted to `tiers`. Empty if the client has no tier.
    pub tier: String,
    /// The permissions that were granted to the client.
    pub scopes: Vec<String>,
    /// The token's claims that are strings, numbers or booleans, as JSON: `"7"` differs from `7`.
    pub claims: BTreeMap<String, String>,
}

impl Identity {
    /// Returns true if the client has all of these scopes.
    pub fn has_scopes(&self, scopes: &[String]) -> bool {
        scopes.iter().all(|it| self.scopes.contains(it))
    }
}

/// API keys by their hashes.
#[derive(Clone, Debug, Default)]
pub struct ApiKeys {
    clients: HashMap<[u8; 32], Arc<Identity>>,
}

impl ApiKeys {
    /// Adds a key by its hash. Returns false if the hash was already present.
    pub fn insert(&mut self, sha256: [u8; 32], client: Identity) -> bool {
        self.clients.insert(sha256, Arc::new(client)).is_none()
    }

    /// Returns all clients.
    pub fn clients(&self) -> impl Iterator<Item = &Identity> {
        self.clients.values().map(|it| &**it)
    }

    /// Finds the client that has this key.
    pub fn find(&self, key: &[u8]) -> Option<Arc<Identity>> {
        let hash = <[u8; 32]>::from(Sha256::digest(key));
        self.clients.get(&hash).map(Arc::clone)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_by_its_hash() {
        let mut keys = ApiKeys::default();
        let acme = Identity { name: "acme".to_owned(), ..Identity::default() };
        // printf %s secret | sha256sum
        let hash = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
        let bytes = (0..32).map(|it| u8::from_str_radix(&hash[2 * it..2 * it + 2], 16));
        let bytes = bytes.collect::<Result<Vec<_>, _>>().expect("hexadecimal");
        let hash = <[u8; 32]>::try_from(bytes).expect("32 of them");
        assert!(keys.insert(hash, acme.clone()));
        assert!(!keys.insert(hash, acme.clone()));
        assert_eq!(keys.find(b"secret").as_deref(), Some(&acme));
        assert_eq!(keys.find(b"Secret"), None);
    }

    #[test]
    fn all_scopes_are_needed() {
        let scopes = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let client = Identity { scopes: scopes("read write"), ..Identity::default() };
        assert!(client.has_scopes(&scopes("write read")) && client.has_scopes(&[]));
        assert!(!client.has_scopes(&scopes("read admin")));
    }
}
