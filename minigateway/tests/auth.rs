//! Authentication: the scopes, tokens and API keys that routes with `auth` require.
#![cfg(not(loom))]

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use minigateway::conf::config::read;
use minigateway::handlers::answers::problem;
use minigateway::handlers::filters::Facts;
use minigateway::handlers::pipeline::{Action, Charges, Pipeline};
use minilb::wire::http1::head::RequestHead;

const NOW_S: u64 = 1_000_000;
const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const CLAIMS: &str = r#"{"sub":"ann","aud":"shop","iss":"login","exp":1000060,"nbf":999990}"#;

fn signed(claims: &str) -> String {
    let claims = serde_json::from_str::<serde_json::Value>(claims).expect("JSON");
    let key = EncodingKey::from_secret(SECRET).expect("a secret");
    encode(&Header::new(Algorithm::HS256), &claims, &key).expect("HMAC")
}

fn pipeline() -> Pipeline {
    let config = read(CONFIG, &|_| Ok(Vec::new()), &|_| Ok(SECRET.to_vec()));
    Pipeline::new(config.expect("no mistakes"), None)
}

const CONFIG: &str = r#"
    [jwt.staff]
    algorithms = ["HS256"]
    key_file = "secret"
    audience = ["shop"]
    issuer = "login"
    [upstreams.a]
    servers = ["127.0.0.1:1"]
    [[routes]]
    path = "/orders"
    upstream = "a"
    auth = "staff"
    scopes = ["orders:read", "orders:write"]
    [api_keys.partners.clients.acme]
    sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
    [[routes]]
    path = "/partners"
    upstream = "a"
    auth = "partners"
"#;

/// Returns the status of a request with these headers, and the challenge.
fn decide(pipeline: &Pipeline, path: &str, headers: &str) -> (u16, String) {
    let mut request = RequestHead::default();
    let text = format!("GET {path} HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
    request.parse(text.as_bytes()).expect("well formed").expect("complete");
    let (mut charges, mut facts) = (Charges::default(), Facts::default());
    facts.unix_s = NOW_S;
    let client = [192, 0, 2, 1].into();
    match pipeline.decide(&request, client, 0, &mut charges, &mut facts) {
        Action::Forward { .. } => (200, String::new()),
        Action::Answer(reason) => {
            let problem = problem(pipeline, reason, &charges);
            let challenge = problem.headers.into_iter().find(|it| it.0 == "WWW-Authenticate");
            (problem.status, challenge.map_or_else(String::new, |it| it.1))
        }
    }
}

#[test]
fn all_scopes_of_a_route_are_required() {
    let pipeline = pipeline();
    let with = |scopes: &str| {
        let claims = CLAIMS.replace("\"sub\"", &format!("{scopes}\"sub\""));
        decide(&pipeline, "/orders", &format!("Authorization: Bearer {}\r\n", signed(&claims)))
    };
    for scopes in [
        r#""scope":"orders:write orders:read","#,
        r#""scp":["orders:read","orders:write","x"],"#,
        r#""scope":"orders:read","scopes":["orders:write"],"#,
    ] {
        assert_eq!(with(scopes).0, 200, "{scopes}");
    }
    for scopes in [
        "",
        r#""scope":"orders:read","#,
        r#""scope":"orders:readorders:write","#,
        r#""scope":"ORDERS:READ ORDERS:WRITE","#,
        r#""scope":["orders:read orders:write"],"#,
        r#""scope":{"orders:read":1,"orders:write":1},"#,
        r#""scopes":"orders:*","#,
    ] {
        let challenge = "Bearer realm=\"staff\", error=\"insufficient_scope\", \
                         scope=\"orders:read orders:write\"";
        assert_eq!(with(scopes), (403, challenge.to_owned()), "{scopes}");
    }
}

#[test]
fn a_request_has_exactly_one_bearer_token() {
    let pipeline = pipeline();
    let claims = CLAIMS.replace("\"sub\"", r#""scope":"orders:read orders:write","sub""#);
    let [good, expired] = [claims.clone(), claims.replace("1000060", "999999")];
    let [good, expired] = [good, expired].map(|it| signed(&it));
    let bearer = "Bearer realm=\"staff\"";
    for (headers, status, challenge) in [
        (format!("Authorization: Bearer {good}\r\n"), 200, String::new()),
        (format!("authorization: bearer {good}\r\n"), 200, String::new()),
        (
            format!("Authorization: Bearer {expired}\r\n"),
            401,
            format!(
                "{bearer}, error=\"invalid_token\", error_description=\"the token has expired\""
            ),
        ),
        (String::new(), 401, bearer.to_owned()),
        (format!("Authorization: {good}\r\n"), 401, bearer.to_owned()),
        (format!("Authorization: Basic {good}\r\n"), 401, bearer.to_owned()),
        (format!("X-Authorization: Bearer {good}\r\n"), 401, bearer.to_owned()),
        // The upstream might use the second one.
        (
            format!("Authorization: Bearer {good}\r\nauthorization: Bearer {good}\r\n"),
            401,
            bearer.to_owned(),
        ),
    ] {
        assert_eq!(decide(&pipeline, "/orders", &headers), (status, challenge), "{headers}");
    }
}

#[test]
fn a_request_has_exactly_one_api_key() {
    let pipeline = pipeline();
    for (headers, status) in [
        ("X-Api-Key: secret\r\n", 200),
        ("X-Api-Key: Secret\r\n", 401),
        ("", 401),
        ("X-Api-Key: secret\r\nx-api-key: secret\r\n", 401),
    ] {
        assert_eq!(decide(&pipeline, "/partners", headers).0, status, "{headers}");
    }
}
