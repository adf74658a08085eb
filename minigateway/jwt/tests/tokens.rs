//! Tests with keys of every kind, from PEM files and from a JWKS, and with forged tokens.
//!
//! The keys in `tests/keys` were made with OpenSSL for these tests only, the ones for ES256 as
//! follows. `jwks.json` has the same public keys.
//!
//! ```text
//! openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out p256.pem
//! openssl pkey -in p256.pem -pubout -out p256.pub.pem
//! ```

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, AlgorithmFamily, EncodingKey, crypto};
use minigateway_jwt::{Rules, TokenError, Verifier, algorithm};

const NOW_S: u64 = 1_000_000;
const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const CLAIMS: &str = r#"{"sub":"ann","aud":"shop","iss":"login","exp":1000060,"nbf":999990}"#;

/// Each algorithm, and the name of its key files.
const ALGORITHMS: [(&str, &str); 12] = [
    ("HS256", "secret"),
    ("HS384", "secret"),
    ("HS512", "secret"),
    ("RS256", "rsa"),
    ("RS384", "rsa"),
    ("RS512", "rsa"),
    ("PS256", "rsa"),
    ("PS384", "rsa"),
    ("PS512", "rsa"),
    ("ES256", "p256"),
    ("ES384", "p384"),
    ("EdDSA", "ed25519"),
];

fn key_file(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/keys/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).expect("the keys are committed")
}

fn rules(algorithms: &[&str]) -> Rules {
    Rules {
        algorithms: algorithms.iter().map(|it| (*it).to_owned()).collect(),
        audience: vec!["shop".to_owned(), "bank".to_owned()],
        issuer: Some("login".to_owned()),
        skew_s: 5,
    }
}

/// Creates a verifier with the public key in PEM, or the secret.
fn verifier(name: &str) -> Verifier {
    let (_, stem) = ALGORITHMS.into_iter().find(|it| it.0 == name).expect("a name");
    let file = match stem {
        "secret" => SECRET.to_vec(),
        _ => key_file(&format!("{stem}.pub.pem")),
    };
    Verifier::from_key(&rules(&[name]), &file).expect("it fits")
}

/// Creates a verifier with all keys of the JWKS.
fn jwks_verifier() -> Verifier {
    let rules = rules(&["RS256", "PS256", "ES256", "ES384", "EdDSA"]);
    Verifier::from_jwks(&rules, &key_file("jwks.json")).expect("they fit")
}

fn signing_key(name: &str) -> EncodingKey {
    let (name, stem) = ALGORITHMS.into_iter().find(|it| it.0 == name).expect("a name");
    let pem = || key_file(&format!("{stem}.pem"));
    let key = match algorithm(name).expect("a name").family() {
        AlgorithmFamily::Hmac => EncodingKey::from_secret(SECRET),
        AlgorithmFamily::Rsa => EncodingKey::from_rsa_pem(&pem()),
        AlgorithmFamily::Ec => EncodingKey::from_ec_pem(&pem()),
        AlgorithmFamily::Ed => EncodingKey::from_ed_pem(&pem()),
    };
    key.expect("a private key")
}

fn encode(part: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(part)
}

/// Returns a token of these parts, signed with algorithm `by`, whatever its header says.
fn sign(by: Algorithm, key: &EncodingKey, header: &str, claims: &str) -> String {
    let message = format!("{}.{}", encode(header), encode(claims));
    let signature = crypto::sign(message.as_bytes(), key, by).expect("it signs");
    format!("{message}.{signature}")
}

fn signed(name: &str, claims: &str) -> String {
    let header = format!(r#"{{"alg":"{name}"}}"#);
    sign(algorithm(name).expect("a name"), &signing_key(name), &header, claims)
}

/// Returns the name of the client, or the error.
fn verify(verifier: &Verifier, token: &str) -> Result<String, TokenError> {
    verifier.verify(token.as_bytes(), NOW_S).map(|it| it.name)
}

#[test]
fn a_key_verifies_tokens_of_its_own_algorithm_only() {
    let tokens = ALGORITHMS.map(|(name, _)| (name, signed(name, CLAIMS)));
    for (name, _) in ALGORITHMS {
        let verifier = verifier(name);
        for (other, token) in &tokens {
            let expected =
                if *other == name { Ok("ann".to_owned()) } else { Err(TokenError::SIGNATURE) };
            assert_eq!(verify(&verifier, token), expected, "{name} {other}");
        }
    }

    // A JWKS verifies only the algorithms that the configuration names.
    let jwks = jwks_verifier();
    for (name, token) in &tokens {
        let is_named = ["RS256", "PS256", "ES256", "ES384", "EdDSA"].contains(name);
        assert_eq!(verify(&jwks, token).is_ok(), is_named, "{name}");
    }
}

#[test]
fn kid_chooses_among_keys_and_never_an_algorithm() {
    let header = |name: &str, kid: &str| format!(r#"{{"alg":"{name}","kid":{kid}}}"#);
    let token = |kid| sign(Algorithm::ES256, &signing_key("ES256"), &header("ES256", kid), CLAIMS);
    let jwks = jwks_verifier();
    assert_eq!(verify(&jwks, &token("\"p256\"")), Ok("ann".to_owned()));
    let tricks = ["\"p384\"", "\"rsa\"", "\"\"", "\"../../dev/null\"", "\"' OR '1'='1\""];
    for kid in tricks {
        assert_eq!(verify(&jwks, &token(kid)), Err(TokenError::SIGNATURE), "{kid}");
    }
    for kid in ["1", "[\"p256\"]", "{\"p256\":1}"] {
        assert_eq!(verify(&jwks, &token(kid)), Err(TokenError::MALFORMED), "{kid}");
    }
    // The key of a PEM file has no id, so `kid` is ignored.
    assert_eq!(verify(&verifier("ES256"), &token("\"p384\"")), Ok("ann".to_owned()));

    // Two keys of one algorithm, as during a rotation: a token without `kid` may use either.
    let set = String::from_utf8(key_file("jwks.json")).expect("JSON");
    let (_, p256) = RFC_7515_A3;
    let set = set.replacen("{\"keys\":[", &format!("{{\"keys\":[{p256},"), 1);
    let two = Verifier::from_jwks(&rules(&["ES256"]), set.as_bytes()).expect("two keys");
    assert_eq!(verify(&two, &signed("ES256", CLAIMS)), Ok("ann".to_owned()));
    assert_eq!(verify(&two, &signed("ES256", "{}")), Err(TokenError::AUDIENCE));
    let forged = signed("ES384", CLAIMS).replacen(
        &encode(r#"{"alg":"ES384"}"#),
        &encode(r#"{"alg":"ES256"}"#),
        1,
    );
    assert_eq!(verify(&two, &forged), Err(TokenError::SIGNATURE));
    assert_eq!(verify(&two, &token("\"p256\"")), Ok("ann".to_owned()));
    assert_eq!(verify(&two, &token("\"rfc\"")), Err(TokenError::SIGNATURE));
}

/// RFC 7515, A.2: a token and its key.
const RFC_7515_A2: (&str, &str) = (
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmN\
     vbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHI\
     m4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6\
     xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvh\
     J1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    r#"{"kty":"RSA","kid":"rfc","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W2
        6mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47s
        oMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQ
        Y4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9g
        b54h4FRWyuXpoQ"}"#,
);

/// RFC 7515, A.3.
const RFC_7515_A3: (&str, &str) = (
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmN\
     vbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQx\
     fKTUJqPP3-Kg6NU1Q",
    r#"{"kty":"EC","kid":"rfc","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
);

/// RFC 8037, A.4. Its payload is a sentence instead of claims.
const RFC_8037_A4: (&str, &str) = (
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvM\
     g3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    r#"{"kty":"OKP","kid":"rfc","crv":"Ed25519",
        "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
);

#[test]
fn the_tokens_of_the_rfcs_are_signed_well() {
    for (name, (token, key), error) in [
        ("RS256", RFC_7515_A2, TokenError::AUDIENCE),
        ("ES256", RFC_7515_A3, TokenError::AUDIENCE),
        ("EdDSA", RFC_8037_A4, TokenError::MALFORMED),
    ] {
        let set = format!("{{\"keys\":[{key}]}}").replace(['\n', ' '], "");
        let rules = Rules { issuer: None, ..rules(&[name]) };
        let verifier = Verifier::from_jwks(&rules, set.as_bytes()).expect("it fits");
        // The error shows that the signature is valid: claims are read after it is verified.
        assert_eq!(verify(&verifier, token), Err(error), "{name}");
        let (message, signature) = token.rsplit_once('.').expect("three parts");
        let flipped = if signature.starts_with('D') { "E" } else { "D" };
        let forged = format!("{message}.{flipped}{}", &signature[1..]);
        assert_eq!(verify(&verifier, &forged), Err(TokenError::SIGNATURE), "{name}");
    }
}

#[test]
fn a_public_key_is_not_accepted_as_a_secret() {
    // Algorithm confusion: HS256 with each form of the public key that a library might use.
    let pem = key_file("rsa.pub.pem");
    let text = String::from_utf8(pem.clone()).expect("ASCII");
    let body = text.lines().filter(|it| !it.starts_with('-')).collect::<String>();
    let der = STANDARD.decode(&body).expect("base64");
    let trimmed = text.trim_end().as_bytes().to_vec();
    for secret in [pem, trimmed, der.clone(), der[24..].to_vec(), body.into_bytes()] {
        let key = EncodingKey::from_secret(&secret).expect("not empty");
        for kid in ["", r#","kid":"rsa""#] {
            let header = format!(r#"{{"alg":"HS256"{kid}}}"#);
            let token = sign(Algorithm::HS256, &key, &header, CLAIMS);
            for verifier in [verifier("RS256"), jwks_verifier()] {
                assert_eq!(verify(&verifier, &token), Err(TokenError::SIGNATURE));
            }
        }
    }
    // A secret in a JWKS is ignored, because the file is public.
    let oct = format!(r#"{{"keys":[{{"kty":"oct","k":"{}"}}]}}"#, encode(SECRET));
    let error = Verifier::from_jwks(&rules(&["HS256"]), oct.as_bytes()).expect_err("public");
    assert_eq!(error, "it has no key for HS256");
}

#[test]
fn a_token_cannot_choose_its_algorithm_or_key() {
    let good = signed("RS256", CLAIMS);
    let [_, claims, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("three") };
    let [rsa, jwks] = [verifier("RS256"), jwks_verifier()];
    for alg in ["none", "None", "NONE", "nOnE", "", "rs256", "RS256 ", "RS255", "HS256\0"] {
        let header = encode(serde_json::json!({ "alg": alg }).to_string());
        for signature in ["", signature] {
            for verifier in [&rsa, &jwks] {
                let token = format!("{header}.{claims}.{signature}");
                assert_eq!(verify(verifier, &token), Err(TokenError::MALFORMED), "{alg}");
            }
        }
    }
    for header in ["{}", r#"{"alg":null}"#, r#"{"alg":["RS256"]}"#, r#"{"typ":"JWT"}"#, "[]", "1"] {
        let token = format!("{}.{claims}.{signature}", encode(header));
        assert_eq!(verify(&rsa, &token), Err(TokenError::MALFORMED), "{header}");
    }

    // Keys in the header, by value or by URL, come from the forger.
    let (_, jwk) = RFC_7515_A3;
    let key = EncodingKey::from_ec_pem(&key_file("p256.pem")).expect("another key");
    let set = format!("{{\"keys\":[{jwk}]}}");
    let rfc = Verifier::from_jwks(&rules(&["ES256"]), set.as_bytes()).expect("it fits");
    let own = String::from_utf8(key_file("jwks.json")).expect("JSON");
    let own = own.lines().nth(2).expect("p256").trim_end_matches(',').to_owned();
    for extra in [
        format!(r#""jwk":{own}"#),
        r#""jku":"https://evil.example/keys""#.to_owned(),
        r#""x5u":"https://evil.example/cert""#.to_owned(),
        r#""x5c":["MIIB"]"#.to_owned(),
    ] {
        let header = format!(r#"{{"alg":"ES256",{extra}}}"#);
        let token = sign(Algorithm::ES256, &key, &header, CLAIMS);
        assert_eq!(verify(&rfc, &token), Err(TokenError::SIGNATURE), "{extra}");
    }
    // Critical extensions that the verifier does not support (RFC 7515, 4.1.11; RFC 7797).
    for extra in [r#""crit":["exp"]"#, r#""crit":[]"#, r#""b64":false,"crit":["b64"]"#] {
        let header = format!(r#"{{"alg":"ES256",{extra}}}"#);
        let token = sign(Algorithm::ES256, &key, &header, CLAIMS);
        assert_eq!(verify(&verifier("ES256"), &token), Err(TokenError::MALFORMED), "{extra}");
    }
}

#[test]
fn degenerate_signatures_are_refused() {
    // Zeros were a valid ECDSA signature for Java (CVE-2022-21449).
    let es256 = signed("ES256", CLAIMS);
    let (message, _) = es256.rsplit_once('.').expect("three parts");
    let mut one_and_zero = [0; 64];
    one_and_zero[31] = 1;
    let der = [0x30, 6, 2, 1, 1, 2, 1, 1];
    for bytes in [&[0; 64][..], &[0xff; 64], &one_and_zero, &der, &[], &[0; 63], &[0; 65]] {
        let token = format!("{message}.{}", encode(bytes));
        assert_eq!(verify(&verifier("ES256"), &token), Err(TokenError::SIGNATURE), "{bytes:?}");
    }
    // R = identity and S = 0 is valid for a public key of small order, which this one is not.
    let eddsa = signed("EdDSA", CLAIMS);
    let (message, _) = eddsa.rsplit_once('.').expect("three parts");
    let mut identity = [0; 64];
    identity[0] = 1;
    for bytes in [&[0; 64][..], &identity, &[0xff; 64], &[]] {
        let token = format!("{message}.{}", encode(bytes));
        assert_eq!(verify(&verifier("EdDSA"), &token), Err(TokenError::SIGNATURE), "{bytes:?}");
    }
    let rs256 = signed("RS256", CLAIMS);
    let (message, _) = rs256.rsplit_once('.').expect("three parts");
    for bytes in [&[0; 256][..], &[1; 256], &[0xff; 256], &[0; 1], &[]] {
        let token = format!("{message}.{}", encode(bytes));
        assert_eq!(verify(&verifier("RS256"), &token), Err(TokenError::SIGNATURE), "{bytes:?}");
    }
}

#[test]
fn a_token_with_a_changed_character_is_refused() {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for name in ["HS256", "EdDSA"] {
        let (verifier, token) = (verifier(name), signed(name, CLAIMS));
        for index in 0..token.len() {
            // Flip the lowest bit, which may be an unused bit of base64, and try other characters.
            let place = alphabet.iter().position(|it| *it == token.as_bytes()[index]);
            let near = place.map_or(b'A', |it| alphabet[it ^ 1]);
            for byte in [near, b'.', b'=', b' ', b'\n', 0, 0xff] {
                let mut forged = token.clone().into_bytes();
                if std::mem::replace(&mut forged[index], byte) == byte {
                    continue;
                }
                assert!(verifier.verify(&forged, NOW_S).is_err(), "{name} {index} {byte}");
            }
        }
        for forged in [
            format!(" {token}"),
            format!("{token}="),
            format!("{token}\n"),
            format!("{token}."),
            format!(".{token}"),
            format!("{token}.{token}"),
            format!("{{\"payload\":\"{token}\"}}"),
        ] {
            assert!(verify(&verifier, &forged).is_err(), "{forged}");
        }
    }
}

#[test]
fn times_are_checked_with_the_clock_skew() {
    let verifier = verifier("HS256");
    let with = |times: &str| {
        signed("HS256", &format!(r#"{{"sub":"ann","aud":"shop","iss":"login",{times}}}"#))
    };
    let at = |times: &str, unix_s| {
        verifier.verify(with(times).as_bytes(), unix_s).map(|it| it.name).err()
    };
    // The configured skew is five seconds.
    for (unix_s, error) in [(1004, None), (1005, Some(TokenError::EXPIRED))] {
        assert_eq!(at(r#""exp":1000"#, unix_s), error);
    }
    for (unix_s, error) in [(994, Some(TokenError::NOT_YET)), (995, None)] {
        assert_eq!(at(r#""exp":2000,"nbf":1000"#, unix_s), error);
    }
    // The verifier keeps no state: if the clock jumps, only the current time counts.
    for unix_s in [0, u64::MAX, 1000, u64::MAX, 0, 1000] {
        let error = match unix_s {
            0 => Some(TokenError::NOT_YET),
            1000 => None,
            _ => Some(TokenError::EXPIRED),
        };
        assert_eq!(at(r#""exp":2000,"nbf":900"#, unix_s), error);
    }
    // `exp` and `nbf` must be numbers.
    for times in [
        r#""iat":1"#,
        r#""exp":null"#,
        r#""exp":"9999999999""#,
        r#""exp":true"#,
        r#""exp":-1"#,
        r#""exp":9999,"nbf":"0""#,
        r#""exp":9999,"nbf":null"#,
        r#""exp":9999,"nbf":-1"#,
    ] {
        assert_eq!(at(times, 1000), Some(TokenError::CLAIM), "{times}");
    }
    for (times, error) in [
        (r#""exp":1000.5"#, None),
        (r#""exp":1e18"#, None),
        (r#""exp":18446744073709551616"#, None),
        (r#""exp":1e999"#, Some(TokenError::MALFORMED)),
        (r#""exp":[9999999999]"#, Some(TokenError::MALFORMED)),
        (r#""exp":2000,"nbf":1e18"#, Some(TokenError::NOT_YET)),
        // `iat` is informational in RFC 7519.
        (r#""exp":2000,"iat":1e18"#, None),
    ] {
        assert_eq!(at(times, 1000), error, "{times}");
    }
}

#[test]
fn a_token_is_for_this_audience_of_this_issuer() {
    let verifier = verifier("HS256");
    let with = |claims: &str| {
        let claims = format!(r#"{{"sub":"ann","exp":1000060,{claims}}}"#);
        verify(&verifier, &signed("HS256", &claims)).err()
    };
    for (claims, error) in [
        (r#""iss":"login","aud":"shop""#, None),
        (r#""iss":"login","aud":["other","bank"]"#, None),
        (r#""iss":"login","aud":[]"#, Some(TokenError::AUDIENCE)),
        (r#""iss":"login","aud":"Shop""#, Some(TokenError::AUDIENCE)),
        (r#""iss":"login","aud":"shop2""#, Some(TokenError::AUDIENCE)),
        (r#""iss":"login","aud":"sho""#, Some(TokenError::AUDIENCE)),
        (r#""iss":"login","aud":"""#, Some(TokenError::AUDIENCE)),
        (r#""iss":"login","aud":"shop bank""#, Some(TokenError::AUDIENCE)),
        (r#""iss":"login""#, Some(TokenError::AUDIENCE)),
        (r#""aud":"shop""#, Some(TokenError::ISSUER)),
        (r#""iss":"login2","aud":"shop""#, Some(TokenError::ISSUER)),
        (r#""iss":"","aud":"shop""#, Some(TokenError::ISSUER)),
        (r#""iss":["login"],"aud":"shop""#, Some(TokenError::ISSUER)),
        (r#""iss":["login","evil"],"aud":"shop""#, Some(TokenError::ISSUER)),
        (r#""iss":{"login":1},"aud":"shop""#, Some(TokenError::ISSUER)),
    ] {
        assert_eq!(with(claims), error, "{claims}");
    }
    for claims in [r#""iss":"login","aud":7"#, r#""iss":"login","aud":{"shop":1}"#] {
        assert!(with(claims).is_some(), "{claims}");
    }
}

#[test]
fn a_name_must_be_valid_in_a_header() {
    // The name becomes `X-Client`. Spaces and controls would be lost there and change the name.
    let verifier = verifier("HS256");
    for name in ["", " admin", "admin ", "ad\\nmin", "\\r\\nX-Client: admin", "admin\\u0000", "\\t"]
    {
        let token = signed("HS256", &CLAIMS.replace("ann", name));
        assert_eq!(verify(&verifier, &token), Err(TokenError::CLAIM), "{name}");
    }
    for name in ["Zo\u{eb} van Dam", "https://login.example/users/7", "ann@shop"] {
        let token = signed("HS256", &CLAIMS.replace("ann", name));
        assert_eq!(verify(&verifier, &token), Ok(name.to_owned()));
    }
    for sub in ["7", "null", "[\"ann\"]", "{}"] {
        let token = signed("HS256", &CLAIMS.replace("\"ann\"", sub));
        let error = verify(&verifier, &token).expect_err(sub);
        assert!([TokenError::CLAIM, TokenError::MALFORMED].contains(&error), "{sub}");
    }
}

#[test]
fn huge_and_deeply_nested_tokens_are_handled() {
    let verifier = verifier("HS256");
    let many = r#","c":"x""#.repeat(1 << 17);
    let token = signed("HS256", &CLAIMS.replace(r#""sub""#, &format!(r#""a":1{many},"sub""#)));
    assert!(token.len() > 1 << 20);
    assert_eq!(verify(&verifier, &token), Ok("ann".to_owned()));
    for depth in [100, 100_000] {
        let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let token = signed("HS256", &CLAIMS.replace(r#""sub""#, &format!(r#""a":{deep},"sub""#)));
        let expected = if depth == 100 { Ok("ann".to_owned()) } else { Err(TokenError::MALFORMED) };
        assert_eq!(verify(&verifier, &token), expected, "{depth}");
    }
    for part in [".".repeat(1 << 20), "A".repeat(1 << 20), format!("{}.", "A.".repeat(1 << 19))] {
        assert_eq!(verify(&verifier, &part), Err(TokenError::MALFORMED));
    }
}

#[test]
fn unusable_keys_are_refused_when_they_are_read() {
    for (name, file) in [("ES256", "p384.pub.pem"), ("ES384", "p256.pub.pem")] {
        let error = Verifier::from_key(&rules(&[name]), &key_file(file)).expect_err("a curve");
        let expected = format!("the key is private, too short, or of the wrong kind for {name}");
        assert_eq!(error, expected);
    }
    let rsa = key_file("rsa.pub.pem");
    let error = Verifier::from_key(&rules(&["RS256", "ES256"]), &rsa).expect_err("two kinds");
    assert_eq!(error, "the key is private, too short, or of the wrong kind for ES256");
    // Private keys are refused, because a verifier does not need them.
    for (name, file) in [("RS256", "rsa.pem"), ("ES256", "p256.pem"), ("EdDSA", "ed25519.pem")] {
        let error = Verifier::from_key(&rules(&[name]), &key_file(file)).expect_err("private");
        assert!(error.contains("public key") || error.contains("is private"), "{error}");
    }

    let jwks = |keys: &str| format!("{{\"keys\":[{keys}]}}").into_bytes();
    let (_, good) = RFC_8037_A4;
    for (name, broken) in [
        // A short key: the library would panic at the first token.
        ("EdDSA", r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg"}"#),
        ("EdDSA", r#"{"kty":"OKP","crv":"Ed25519","x":""}"#),
        (
            "EdDSA",
            r#"{"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
        ),
        ("EdDSA", r#"{"kty":"AKP","alg":"ML-DSA-44","pub":"unseen"}"#),
        ("ES256", r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#),
        // A point that is not on the curve.
        (
            "ES256",
            r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a1"}"#,
        ),
        // 512 bits can be factored.
        (
            "RS256",
            r#"{"kty":"RSA","e":"AQAB","n":"2_6EMAyjKzv1VFnqPFoXkTTqlWsqfDWrWTdnYXFfPmTZoPe2CHY_H2
            wX5OFeBKLrNgHZ_9sA3vUGZ-uz5Jkqtw"}"#,
        ),
    ] {
        let broken = broken.replace(['\n', ' '], "");
        let error = Verifier::from_jwks(&rules(&[name]), &jwks(&broken)).expect_err(&broken);
        assert_eq!(error, format!("it has no key for {name}"));
        // Beside a valid key it is ignored (RFC 7517, 5).
        let both = jwks(&format!("{broken},{good}"));
        assert!(Verifier::from_jwks(&rules(&["EdDSA"]), &both).is_ok(), "{broken}");
    }
    let for_encryption = good.replace("\"kid\"", "\"use\":\"enc\",\"kid\"");
    assert!(Verifier::from_jwks(&rules(&["EdDSA"]), &jwks(&for_encryption)).is_err());
    for text in ["", "[]", "{}", "{\"keys\":{}}", "{\"keys\":[1]}", "\u{0}"] {
        assert!(Verifier::from_jwks(&rules(&["EdDSA"]), text.as_bytes()).is_err(), "{text}");
    }
}
