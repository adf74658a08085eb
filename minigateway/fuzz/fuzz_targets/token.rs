//! Any header and claims with a valid signature, and any bytes as a token and as keys: nothing
//! panics, and an accepted token is signed, not expired, for this audience, and has a name that is
//! valid in a header.
//!
//! The first line of the input is the header, the rest are the claims.
#![no_main]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use minigateway_jwt::{Rules, Verifier};
use serde_json::{Map, Value};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const NOW_S: u64 = 1_000_000;
const SKEW_S: u64 = 5;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let rules = |algorithms: &[&str]| Rules {
        algorithms: algorithms.iter().map(|it| (*it).to_owned()).collect(),
        audience: vec!["shop".to_owned()],
        issuer: None,
        skew_s: SKEW_S,
    };
    let verifier = Verifier::from_key(&rules(&["HS256"]), SECRET).expect("long enough");
    assert!(verifier.verify(input, NOW_S).is_err(), "nobody signed it");

    // Whatever keys are accepted can be asked.
    let asymmetric = ["RS256", "PS256", "ES256", "ES384", "EdDSA"];
    let keys = asymmetric.map(|it| Verifier::from_key(&rules(&[it]), input).ok());
    let jwks = Verifier::from_jwks(&rules(&asymmetric), input).ok();
    for verifier in keys.iter().flatten().chain(&jwks) {
        for algorithm in asymmetric {
            let header = URL_SAFE_NO_PAD.encode(format!("{{\"alg\":\"{algorithm}\"}}"));
            let token = format!("{header}.e30.{}", "A".repeat(86));
            assert!(verifier.verify(token.as_bytes(), NOW_S).is_err(), "zeros sign nothing");
        }
    }

    let line = input.iter().position(|it| *it == b'\n').unwrap_or(input.len());
    let (header, claims) = input.split_at(line);
    let parts = [header, claims].map(|it| URL_SAFE_NO_PAD.encode(it));
    let message = parts.join(".");
    let key = EncodingKey::from_secret(SECRET).expect("not empty");
    let signature = crypto::sign(message.as_bytes(), &key, Algorithm::HS256).expect("HMAC");
    let token = format!("{message}.{signature}");
    let Ok(identity) = verifier.verify(token.as_bytes(), NOW_S) else { return };
    let name = &identity.name;
    assert!(!name.is_empty() && name.trim() == name && !name.contains(char::is_control));
    let header = serde_json::from_slice::<Map<String, Value>>(header).expect("it was believed");
    assert_eq!(header["alg"], "HS256");
    let claims = serde_json::from_slice::<Map<String, Value>>(claims).expect("it was believed");
    let time = |name: &str| claims.get(name).map(|it| it.as_f64().expect("a number"));
    assert!(time("exp").expect("an end") + SKEW_S as f64 > NOW_S as f64);
    assert!(time("nbf").is_none_or(|it| it <= (NOW_S + SKEW_S) as f64));
    let is_ours = |it: &Value| it == "shop";
    assert!(is_ours(&claims["aud"]) || claims["aud"].as_array().expect("some").iter().any(is_ours));
});
