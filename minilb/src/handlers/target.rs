//! The request target for an upstream server, by the rules of `proxy_pass`.
//!
//! # Example
//!
//! ```text
//! location /api/ { proxy_pass http://u; }         /api/a%20b?x    /api/a%20b?x   as it came
//! location /api/ { proxy_pass http://u/v1/; }     /api/a%20b?x    /v1/a%20b?x    prefix replaced
//! location /api  { proxy_pass http://u/v1/; }     /api/a          /v1//a         to the letter
//! location = /a  { proxy_pass http://u/b; }       /a?x            /b?x
//! ```
//!
//! After a `rewrite` the new path is what counts; after `rewrite … break` it is passed on whole,
//! even if `proxy_pass` has a URI.
//!
//! Without a URI in `proxy_pass` the client's bytes are passed on. With one, the decoded path is
//! cut and escaped anew: `%2F` of the client becomes a slash.
//!
//! NGINX counterpart: `ngx_http_proxy_create_request`.

use super::state::RequestState;
use super::uri::escape;
use crate::conf::http::{LocationKind, ProxyPass};

/// Appends the target. `uri` is as the client sent it.
pub fn append(
    proxy: &ProxyPass,
    kind: &LocationKind,
    uri: &[u8],
    state: &RequestState,
    out: &mut Vec<u8>,
) {
    let path = &state.path;
    let prefix = match (&proxy.uri, kind) {
        (None, _) if state.is_original => {
            out.extend_from_slice(uri);
            return;
        }
        (Some(replacement), LocationKind::Prefix(prefix, _) | LocationKind::Exact(prefix))
            if state.is_in_location =>
        {
            out.extend_from_slice(replacement.as_bytes());
            prefix.len()
        }
        _ => 0,
    };
    escape(&path[prefix.min(path.len())..], out);
    if !state.args.is_empty() {
        out.push(b'?');
        out.extend_from_slice(&state.args);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_at_the_head_of_the_file() {
        let prefix = |it: &str| LocationKind::Prefix(it.to_owned(), false);
        for (kind, replacement, uri, path, args, expected) in [
            (prefix("/api/"), None, "/api/a%20b?x", "/api/a b", "x", "/api/a%20b?x"),
            (prefix("/api/"), Some("/v1/"), "/api/a%20b?x", "/api/a b", "x", "/v1/a%20b?x"),
            (prefix("/api"), Some("/v1/"), "/api/a", "/api/a", "", "/v1//a"),
            (LocationKind::Exact("/a".to_owned()), Some("/b"), "/a?x", "/a", "x", "/b?x"),
        ] {
            let uri_of = replacement.map(str::to_owned);
            let (upstream, host) = ("u".to_owned(), "u".to_owned());
            let proxy = ProxyPass { upstream, host, is_https: false, uri: uri_of };
            let mut out = Vec::new();
            let mut state = RequestState::default();
            state.begin(0);
            (state.path, state.args) = (path.into(), args.into());
            append(&proxy, &kind, uri.as_bytes(), &state, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }
}
