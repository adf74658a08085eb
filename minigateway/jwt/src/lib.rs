//! Verifies JSON Web Tokens (RFC 7519): signature, audience, issuer and lifetime.
//!
//! minigateway uses it for `Authorization: Bearer` headers. It is an optional feature (`jwt`),
//! because the cryptography below this crate is larger than the gateway.
//!
//! ```text
//! eyJhbGciOiJFUzI1NiJ9 . eyJzdWIiOiJhbm4iLCJhdWQiOiJzaG9wIiwiZXhwIjoxNzY0NDYwODAwfQ . signature
//! {"alg":"ES256"}        {"sub":"ann","aud":"shop","exp":1764460800}
//! ```
//!
//! # Attacks with tokens
//!
//! | attack | defense |
//! |---|---|
//! | `"alg":"none"`, no signature | the algorithm is unknown |
//! | `"alg":"HS256"`, signed with the public RSA key | the configuration fixes a key's algorithms |
//! | the operator's secret is a public key in PEM | refused when the configuration is read |
//! | `jwk`, `jku`, `x5u` in the header name a key | ignored |
//! | `crit` requires an extension (RFC 7515, 4.1.11) | refused |
//! | a token for another service of the same issuer | `aud` must name the configured `audience` |
//! | `"iss":["login","evil"]`, ambiguous for servers | `iss` must be one string, the `issuer` |
//! | a token that never expires | `exp` is required |
//! | an old token | `exp` and `nbf` are checked, with the configured clock skew |
//!
//! The `alg` of the token only selects among the keys that are configured for this algorithm.
//!
//! The crate `jsonwebtoken` does the parsing, and RustCrypto the cryptography. Counterparts:
//! Envoy's `jwt_authn`, NGINX Plus's `auth_jwt`.

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind, Validation, decode, decode_header,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The shortest secret, as long as the hash (RFC 7518, 3.2), and the length of an Ed25519 public
/// key.
const KEY_BYTES_MIN: usize = 32;
/// The shortest RSA modulus (RFC 7518, 3.3).
const RSA_BYTES_MIN: usize = 256;

/// Why a token is refused, in words for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenError(pub &'static str);

#[allow(missing_docs, reason = "their texts say it")]
impl TokenError {
    pub const MALFORMED: TokenError = TokenError("the token is malformed");
    /// No key matches, or the signature is wrong. The difference would only help an attacker.
    pub const SIGNATURE: TokenError = TokenError("the signature cannot be verified");
    pub const AUDIENCE: TokenError = TokenError("the token is for another audience");
    pub const ISSUER: TokenError = TokenError("the token is from another issuer");
    pub const EXPIRED: TokenError = TokenError("the token has expired");
    pub const NOT_YET: TokenError = TokenError("the token is not valid yet");
    /// `exp`, `sub` or `nbf`.
    pub const CLAIM: TokenError = TokenError("a claim is missing or has the wrong type");
}

/// The claims of a valid token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// `sub`: not empty, and valid in a header.
    pub name: String,
    /// From `scope` (a string with spaces, RFC 8693), and from `scp` and `scopes` of other issuers.
    pub scopes: Vec<String>,
    /// The claims that are strings, numbers or booleans, as JSON: `"7"` differs from `7`.
    pub values: BTreeMap<String, String>,
    /// `tier`, if it is a string.
    pub tier: String,
}

/// The requirements of a token.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Names such as `ES256`.
    pub algorithms: Vec<String>,
    /// One of these must be in `aud`.
    pub audience: Vec<String>,
    /// `iss` must be this, if it is given.
    pub issuer: Option<String>,
    /// The tolerated clock skew in seconds.
    pub skew_s: u64,
}

/// A key, and the algorithms that it may be used for.
#[derive(Debug)]
struct Key {
    id: Option<String>,
    key: DecodingKey,
    validation: Validation,
}

/// Verifies tokens.
#[derive(Debug)]
pub struct Verifier {
    keys: Vec<Key>,
    issuer: Option<String>,
    skew_s: u64,
}

/// Reads the name of an algorithm.
///
/// # Errors
/// A hint.
pub fn algorithm(name: &str) -> Result<Algorithm, String> {
    let known = "HS256 HS384 HS512 RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 EdDSA";
    let found = known.split(' ').find(|it| *it == name).and_then(|it| it.parse().ok());
    found.ok_or_else(|| format!("\"{name}\" is not an algorithm; there are {known}"))
}

impl Verifier {
    /// Creates a verifier with one key: a public key in PEM, or for HS256, HS384 and HS512 a secret
    /// of at least 32 bytes.
    ///
    /// # Errors
    /// If the key cannot be used for the algorithms.
    pub fn from_key(rules: &Rules, file: &[u8]) -> Result<Verifier, String> {
        let algorithms = rules.algorithms()?;
        let key = match algorithms[0].family() {
            AlgorithmFamily::Hmac => {
                let secret = file.trim_ascii_end();
                if secret.starts_with(b"-----BEGIN") {
                    return Err("the secret is a key in PEM, which others may know; a public key \
                                needs algorithms such as RS256 or ES256"
                        .to_owned());
                }
                if secret.len() < KEY_BYTES_MIN {
                    return Err("a secret needs at least 32 bytes".to_owned());
                }
                DecodingKey::from_secret(secret)
            }
            AlgorithmFamily::Rsa => DecodingKey::from_rsa_pem(file),
            AlgorithmFamily::Ec => DecodingKey::from_ec_pem(file),
            AlgorithmFamily::Ed => DecodingKey::from_ed_pem(file),
        };
        let hint = |_| format!("it is not a public key in PEM for {}", rules.algorithms[0]);
        let key = key.map_err(hint)?;
        // The library accepts private RSA keys, but cannot verify with them.
        let is_private = memchr::memmem::find(file, b"PRIVATE KEY").is_some();
        if let Some(it) = algorithms.iter().find(|it| is_private || !is_usable(&key, **it)) {
            return Err(format!("the key is private, too short, or of the wrong kind for {it:?}"));
        }
        let key = Key { id: None, key, validation: rules.validation(algorithms) };
        Ok(rules.verifier(vec![key]))
    }

    /// Creates a verifier with the keys of a JWKS (RFC 7517) that match the algorithms.
    ///
    /// # Errors
    /// If it is not a JWKS, or has no key that matches.
    pub fn from_jwks(rules: &Rules, file: &[u8]) -> Result<Verifier, String> {
        let algorithms = rules.algorithms()?;
        let set = serde_json::from_slice::<JwkSet>(file);
        let set = set.map_err(|error| format!("it is not a JWKS: {error}"))?;
        let mut keys = Vec::new();
        // Keys that cannot be used are ignored, as RFC 7517, 5 recommends.
        for jwk in &set.keys {
            let Ok(key) = DecodingKey::from_jwk(jwk) else { continue };
            let fits = algorithms.iter().copied().filter(|it| fits(jwk, &key, *it));
            let fits = fits.collect::<Vec<_>>();
            if !fits.is_empty() {
                let id = jwk.common.key_id.clone();
                keys.push(Key { id, key, validation: rules.validation(fits) });
            }
        }
        match keys.is_empty() {
            true => Err(format!("it has no key for {}", rules.algorithms.join(", "))),
            false => Ok(rules.verifier(keys)),
        }
    }

    /// Verifies a token at `unix_s`, in seconds since 1970. RSA and elliptic curves take 130 to 520
    /// µs (`cargo bench -p benches --bench token`) per key that is tried; a token without `kid`
    /// tries all keys of its algorithm.
    ///
    /// # Errors
    /// The reason why it is not valid.
    pub fn verify(&self, token: &[u8], unix_s: u64) -> Result<Claims, TokenError> {
        let header = decode_header(token).map_err(|_| TokenError::MALFORMED)?;
        if header.crit.is_some() {
            return Err(TokenError::MALFORMED);
        }

        // The key determines the algorithm, not the token; the head of the file says why.
        let fitting = self.keys.iter().filter(|it| {
            let is_named = header.kid.is_none() || it.id.is_none() || header.kid == it.id;
            is_named && it.validation.algorithms.contains(&header.alg)
        });
        let mut verified = fitting.map(|it| {
            let token = decode::<Map<String, Value>>(token, &it.key, &it.validation);
            token.map(|it| it.claims).map_err(|error| refusal(error.kind()))
        });
        let is_signed = |it: &Result<_, _>| !matches!(it, Err(TokenError::SIGNATURE));
        let claims = verified.find(is_signed).unwrap_or(Err(TokenError::SIGNATURE))?;

        // The library would accept a list that contains the issuer.
        if self.issuer.as_ref().is_some_and(|it| claims.get("iss") != Some(&json!(it))) {
            return Err(TokenError::ISSUER);
        }
        let time = |name: &str| match claims.get(name) {
            None => Ok(None),
            Some(it) => it.as_f64().filter(|it| *it >= 0.0).map(Some).ok_or(TokenError::CLAIM),
        };
        let (now_s, skew_s) = (unix_s as f64, self.skew_s as f64);
        if time("exp")?.ok_or(TokenError::CLAIM)? + skew_s <= now_s {
            return Err(TokenError::EXPIRED);
        }
        if time("nbf")?.is_some_and(|it| it > now_s + skew_s) {
            return Err(TokenError::NOT_YET);
        }
        read(&claims)
    }
}

impl Rules {
    fn verifier(&self, keys: Vec<Key>) -> Verifier {
        Verifier { keys, issuer: self.issuer.clone(), skew_s: self.skew_s }
    }

    fn algorithms(&self) -> Result<Vec<Algorithm>, String> {
        let algorithms = self.algorithms.iter().map(|it| algorithm(it));
        let algorithms = algorithms.collect::<Result<Vec<_>, _>>()?;
        if algorithms.is_empty() { Err("algorithms are needed".to_owned()) } else { Ok(algorithms) }
    }

    /// Leaves the times to [`Verifier::verify`], because the library would read the system clock.
    fn validation(&self, algorithms: Vec<Algorithm>) -> Validation {
        let mut validation = Validation::new(algorithms[0]);
        validation.algorithms = algorithms;
        validation.validate_exp = false;
        validation.set_audience(&self.audience);
        validation.set_required_spec_claims(&["aud"]);
        validation
    }
}

/// Returns true if a key of a JWKS is a public one for signatures by this algorithm.
fn fits(jwk: &Jwk, key: &DecodingKey, algorithm: Algorithm) -> bool {
    let named = jwk.common.key_algorithm.map(|it| format!("{it:?}"));
    named.is_none_or(|it| it == format!("{algorithm:?}"))
        && jwk.common.public_key_use != Some(PublicKeyUse::Encryption)
        // A file of public keys must not contain secrets.
        && key.family() != AlgorithmFamily::Hmac
        && is_usable(key, algorithm)
}

/// Returns true if the key has the algorithm's curve and is long enough. The library does not check
/// the length, and would panic at the first token if an EdDSA key is too short.
fn is_usable(key: &DecodingKey, algorithm: Algorithm) -> bool {
    let length = match key.kind() {
        DecodingKeyKind::SecretOrDer(bytes) => bytes.len(),
        DecodingKeyKind::RsaModulusExponent { n, .. } => n.len(),
    };
    let length_min =
        if key.family() == AlgorithmFamily::Rsa { RSA_BYTES_MIN } else { KEY_BYTES_MIN };
    length >= length_min && jsonwebtoken::crypto::verify("", b"", key, algorithm).is_ok()
}

fn refusal(kind: &ErrorKind) -> TokenError {
    match kind {
        ErrorKind::InvalidSignature
        | ErrorKind::InvalidAlgorithm
        | ErrorKind::UnsupportedAlgorithm => TokenError::SIGNATURE,
        ErrorKind::InvalidAudience | ErrorKind::MissingRequiredClaim(_) => TokenError::AUDIENCE,
        ErrorKind::InvalidClaimFormat(_) => TokenError::CLAIM,
        _ => TokenError::MALFORMED,
    }
}

fn read(claims: &Map<String, Value>) -> Result<Claims, TokenError> {
    // The name is sent as a header, which cannot have line ends or surrounding spaces.
    let is_name = |it: &&str| !it.contains(char::is_control) && it.trim() == *it && !it.is_empty();
    let name =
        claims.get("sub").and_then(Value::as_str).filter(is_name).ok_or(TokenError::CLAIM)?;
    let words = |value: &Value| match value {
        Value::String(text) => text.split_ascii_whitespace().map(str::to_owned).collect(),
        Value::Array(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    let scopes = ["scope", "scp", "scopes"].iter().filter_map(|it| claims.get(*it));
    let scopes = scopes.flat_map(words).collect();
    let tier = claims.get("tier").and_then(Value::as_str).unwrap_or_default().to_owned();
    let is_simple = |it: &Value| it.is_string() || it.is_number() || it.is_boolean();
    let values = claims.iter().filter(|(_, value)| is_simple(value));
    let values = values.map(|(name, value)| (name.clone(), value.to_string())).collect();
    Ok(Claims { name: name.to_owned(), tier, scopes, values })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{EncodingKey, Header, encode};

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

    fn rules(algorithm: &str) -> Rules {
        Rules {
            algorithms: vec![algorithm.to_owned()],
            audience: vec!["shop".to_owned()],
            issuer: Some("login".to_owned()),
            skew_s: 5,
        }
    }

    fn token(algorithm: Algorithm, claims: &str) -> String {
        let claims = serde_json::from_str::<Value>(claims).expect("JSON");
        let key = EncodingKey::from_secret(SECRET).expect("a secret");
        encode(&Header::new(algorithm), &claims, &key).expect("HMAC")
    }

    const GOOD: &str = r#"{"sub":"ann","aud":"shop","iss":"login","exp":1000,"nbf":500,
        "scope":"a b","tier":"gold"}"#;

    #[test]
    fn a_valid_token_names_its_client() {
        let verifier = Verifier::from_key(&rules("HS256"), SECRET).expect("a secret");
        let token = token(Algorithm::HS256, GOOD);
        let client = verifier.verify(token.as_bytes(), 900).expect("good");
        assert_eq!((client.name.as_str(), client.tier.as_str()), ("ann", "gold"));
        assert_eq!(client.scopes, ["a", "b"]);
        let values = ["tier", "exp", "none"].map(|it| client.values.get(it).map(String::as_str));
        assert_eq!(values, [Some("\"gold\""), Some("1000"), None]);
        // The clock may be wrong by 5 s in both directions, and it may jump.
        let at = |unix_s| verifier.verify(token.as_bytes(), unix_s).map(|_| ());
        assert_eq!([at(494), at(495)], [Err(TokenError::NOT_YET), Ok(())]);
        assert_eq!(
            [at(1004), at(1005), at(0)],
            [Ok(()), Err(TokenError::EXPIRED), Err(TokenError::NOT_YET)]
        );
        assert_eq!(at(u64::MAX), Err(TokenError::EXPIRED));
    }

    #[test]
    fn forged_tokens_are_refused() {
        let verifier = Verifier::from_key(&rules("HS256"), SECRET).expect("a secret");
        let verify = |token: &str| verifier.verify(token.as_bytes(), 900).map(|_| ());
        let good = token(Algorithm::HS256, GOOD);
        // Another algorithm with the same key, and another payload with the same signature.
        assert_eq!(verify(&token(Algorithm::HS512, GOOD)), Err(TokenError::SIGNATURE));
        let other = token(Algorithm::HS256, &GOOD.replace("ann", "bob"));
        let parts = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
        let (good_parts, other) = (parts(&good), parts(&other));
        let swapped = format!("{}.{}.{}", good_parts[0], other[1], good_parts[2]);
        assert_eq!(verify(&swapped), Err(TokenError::SIGNATURE));
        // {"alg":"none"}, with and without a signature.
        for signature in ["", &good_parts[2]] {
            let none = format!("eyJhbGciOiJub25lIn0.{}.{signature}", good_parts[1]);
            assert_eq!(verify(&none), Err(TokenError::MALFORMED));
        }
        for (from, to, error) in [
            ("\"shop\"", "\"bank\"", TokenError::AUDIENCE),
            ("\"aud\"", "\"for\"", TokenError::AUDIENCE),
            ("\"login\"", "\"evil\"", TokenError::ISSUER),
            ("\"exp\"", "\"until\"", TokenError::CLAIM),
            ("1000", "\"1000\"", TokenError::CLAIM),
            ("\"sub\"", "\"subject\"", TokenError::CLAIM),
        ] {
            let claims = GOOD.replace(from, to);
            assert_eq!(verify(&token(Algorithm::HS256, &claims)), Err(error), "{claims}");
        }
        for text in ["", ".", "..", "...", "a.b.c", "eyJhbGciOiJIUzI1NiJ9"] {
            assert_eq!(verify(text), Err(TokenError::MALFORMED), "{text}");
        }
    }

    #[test]
    fn unusable_keys_are_refused_when_the_file_is_read() {
        let pem = b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----";
        for (algorithm, key, hint) in [
            ("HS256", &pem[..], "the secret is a key in PEM"),
            ("HS256", b"short", "a secret needs at least 32 bytes"),
            ("RS256", SECRET, "it is not a public key in PEM for RS256"),
            ("ES256", pem, "it is not a public key in PEM for ES256"),
            ("none", SECRET, "\"none\" is not an algorithm"),
        ] {
            let error = Verifier::from_key(&rules(algorithm), key).expect_err(hint);
            assert!(error.starts_with(hint), "{error}");
        }
        let error = Verifier::from_jwks(&rules("RS256"), b"{\"keys\":[]}").expect_err("empty");
        assert_eq!(error, "it has no key for RS256");
    }
}
