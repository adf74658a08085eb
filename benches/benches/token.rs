//! What verifying a token costs, beside the bare signature check of the crate below it.
//!
//! ```text
//! minigateway     header, key, signature, audience, issuer, times, then name, scopes and claims
//! signature       the signature alone, by the crate `jsonwebtoken`
//! ```
//!
//! `cargo bench -p benches --bench token`. The tokens have about 1 KiB, and keys of 2,048 bits for
//! RS256 and PS256.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, crypto, encode};
use minigateway_jwt::{Rules, Verifier};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

macro_rules! key {
    ($name:literal) => {
        include_bytes!(concat!("../../minigateway/jwt/tests/keys/", $name))
    };
}

/// The private key, the public key, and the public key's file.
fn keys(algorithm: Algorithm) -> (EncodingKey, DecodingKey, &'static [u8]) {
    let rsa: &[u8] = key!("rsa.pub.pem");
    let p256: &[u8] = key!("p256.pub.pem");
    let ed25519: &[u8] = key!("ed25519.pub.pem");
    let (private, public, file) = match algorithm {
        Algorithm::HS256 => {
            (EncodingKey::from_secret(SECRET), DecodingKey::from_secret(SECRET), SECRET)
        }
        Algorithm::ES256 => {
            (EncodingKey::from_ec_pem(key!("p256.pem")), DecodingKey::from_ec_pem(p256), p256)
        }
        Algorithm::EdDSA => {
            let private = EncodingKey::from_ed_pem(key!("ed25519.pem"));
            (private, DecodingKey::from_ed_pem(ed25519), ed25519)
        }
        _ => (EncodingKey::from_rsa_pem(key!("rsa.pem")), DecodingKey::from_rsa_pem(rsa), rsa),
    };
    (private.expect("a key"), public.expect("a key"), file)
}

fn verify(c: &mut Criterion) {
    let mut group = c.benchmark_group("token/1k");
    group.throughput(Throughput::Elements(1));
    for (name, algorithm) in [
        ("HS256", Algorithm::HS256),
        ("RS256", Algorithm::RS256),
        ("PS256", Algorithm::PS256),
        ("ES256", Algorithm::ES256),
        ("EdDSA", Algorithm::EdDSA),
    ] {
        let (private, public, file) = keys(algorithm);
        let rules = Rules {
            algorithms: vec![name.to_owned()],
            audience: vec!["shop".to_owned()],
            issuer: Some("login".to_owned()),
            skew_s: 5,
        };
        let verifier = Verifier::from_key(&rules, file).expect("it fits");
        let claims = serde_json::json!({
            "sub": "ann", "aud": "shop", "iss": "login", "exp": 2000, "nbf": 1000,
            "scope": "orders:read orders:write", "tier": "gold", "more": "x".repeat(512),
        });
        let token = encode(&Header::new(algorithm), &claims, &private).expect("it signs");
        let (message, signature) = token.rsplit_once('.').expect("three parts");

        group.bench_function(format!("minigateway/{name}"), |b| {
            b.iter(|| {
                let client = verifier.verify(black_box(token.as_bytes()), 1500).expect("good");
                assert_eq!(client.scopes.len(), 2);
            });
        });
        group.bench_function(format!("signature/{name}"), |b| {
            b.iter(|| {
                let message = black_box(message.as_bytes());
                assert!(crypto::verify(signature, message, &public, algorithm).expect("a key"));
            });
        });
    }
}

criterion_group! {
    name = token;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = verify
}
criterion_main!(token);
