//! What `proxy_redirect` and `proxy_cookie_*` make of the headers of a server.
//!
//! # Example
//!
//! ```text
//! proxy_redirect http://app/v1/ /api/;        Location: http://app/v1/a   /api/a
//! proxy_redirect ~^http://(\w+)/(.*) /$1/$2;  Refresh: 5; url=http://b/a  5; url=/b/a
//! proxy_cookie_path /app/ /;                  a=7; path=/app/x            a=7; path=/x
//! proxy_cookie_domain a.internal a.example;   a=7; domain=.A.internal     a=7; domain=.a.example
//! proxy_cookie_flags id httponly nosecure;    ID=7; Secure                ID=7; HttpOnly
//! ```
//!
//! The first rule that matches is the only one. A text is compared with the beginning of the value,
//! or with the whole domain; a pattern that matches anywhere replaces all of the value.
//!
//! NGINX counterpart: `ngx_http_proxy_rewrite_redirect`, `ngx_http_upstream_rewrite_refresh`, and
//! the handlers of `ngx_http_proxy_rewrite_t`.

use super::variables::View;
use crate::conf::http::{HeaderRule, Match, Settings};
use crate::wire::http1::head::{Header, Known};
use minilb_cookie::Cookie;
use std::ops::Range;

/// The value that the rules give to a header of a server. Returns `None` if it stays as it is.
pub fn rewrite(header: &Header<'_>, settings: &Settings, view: &View<'_>) -> Option<Vec<u8>> {
    let Header { known, name, value } = *header;
    let redirect = |url: &[u8]| replace(url, &settings.proxy_redirect, view, prefix);
    match known {
        Known::Location => redirect(value),
        Known::Other if name.eq_ignore_ascii_case(b"refresh") => {
            let url = value.windows(4).position(|it| it.eq_ignore_ascii_case(b"url="))? + 4;
            Some([&value[..url], &redirect(&value[url..])?].concat())
        }
        Known::Other if name.eq_ignore_ascii_case(b"set-cookie") => {
            set_cookie(value, settings, view)
        }
        _ => None,
    }
}

fn set_cookie(value: &[u8], settings: &Settings, view: &View<'_>) -> Option<Vec<u8>> {
    // Most locations have no rules, and need not take it apart.
    let Settings { proxy_cookie_domain, proxy_cookie_path, proxy_cookie_flags, .. } = settings;
    proxy_cookie_domain.as_ref().or(proxy_cookie_path.as_ref()).or(proxy_cookie_flags.as_ref())?;
    let mut cookie = Cookie::parse(value)?;
    let domains = |it: &[u8]| replace(it, proxy_cookie_domain, view, domain);
    let paths = |it: &[u8]| replace(it, proxy_cookie_path, view, prefix);
    let mut is_changed = cookie.replace("domain", domains);
    is_changed |= cookie.replace("path", paths);
    let mut rules = proxy_cookie_flags.iter().flatten();
    let flags = rules.find_map(|it| flags(&cookie.name, it, view));
    is_changed |= flags.is_some_and(|it| cookie.set_flags(&it));

    is_changed.then(|| {
        let mut out = Vec::new();
        cookie.append_to(&mut out);
        out
    })
}

/// Replaces what the first of the rules finds. `find` says where a value has the text of a rule.
fn replace(
    value: &[u8],
    rules: &Option<Vec<HeaderRule>>,
    view: &View<'_>,
    find: fn(&[u8], &[u8]) -> Option<Range<usize>>,
) -> Option<Vec<u8>> {
    rules.iter().flatten().find_map(|HeaderRule { from, to }| {
        let (found, pattern) = match from {
            Match::Text(text) => (find(value, &view.text(text))?, None),
            Match::Pattern(pattern) if pattern.is_match(value) => (0..value.len(), Some(pattern)),
            _ => return None,
        };
        let mut out = value[..found.start].to_vec();
        to.iter().for_each(|it| view.append_matched(it, pattern, value, &mut out));
        out.extend_from_slice(&value[found.end..]);
        Some(out)
    })
}

/// The words of a rule for the cookie with this name.
fn flags(name: &[u8], rule: &HeaderRule, view: &View<'_>) -> Option<Vec<Vec<u8>>> {
    let pattern = match &rule.from {
        Match::Text(text) if view.text(text).eq_ignore_ascii_case(name) => None,
        Match::Pattern(pattern) if pattern.is_match(name) => Some(pattern),
        _ => return None,
    };
    let word = |template| {
        let mut word = Vec::new();
        view.append_matched(template, pattern, name, &mut word);
        word
    };
    Some(rule.to.iter().map(word).collect())
}

fn prefix(value: &[u8], text: &[u8]) -> Option<Range<usize>> {
    value.starts_with(text).then_some(0..text.len())
}

/// A dot in front, which browsers ignore, stays.
fn domain(value: &[u8], text: &[u8]) -> Option<Range<usize>> {
    let start = usize::from(value.starts_with(b"."));
    value[start..].eq_ignore_ascii_case(text).then_some(start..value.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::pattern::Pattern;
    use crate::conf::template::{Names, Template};
    use crate::handlers::facts::{Client, Done};
    use crate::handlers::state::RequestState;
    use crate::wire::http1::head::{RequestHead, ResponseHead};
    use std::net::{Ipv4Addr, SocketAddr};

    /// What becomes of `Name: value`; `None` if it stays.
    fn rewritten(header: &str, settings: &Settings) -> Option<String> {
        let (name, value) = header.split_once(": ").expect("a header");
        let (name, value) = (name.as_bytes(), value.as_bytes());
        let (request, response) = (RequestHead::default(), ResponseHead::default());
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let client = Client::new(nowhere, nowhere, 1);
        let view = View {
            request: &request,
            response: &response,
            client: &client,
            done: &Done::default(),
            answer: &[],
            body_bytes_sent: 0,
            request_length: 0,
            state: &RequestState::default(),
            variables: &[],
            server_name: "proxy.example",
            hostname: "",
            proxy: None,
            depth: 0,
            unix_ms: || 0,
        };
        let header = Header { known: Known::of(name), name, value };
        rewrite(&header, settings, &view).map(|it| String::from_utf8(it).expect("it was text"))
    }

    fn rules(rules: &[&str], ignore_case: bool) -> Option<Vec<HeaderRule>> {
        let mut names = Names::default();
        let rules = rules.iter().map(|text| {
            let mut words = text.split(' ');
            let from = words.next().expect("a word");
            let from = match from.strip_prefix('~') {
                Some(it) => Pattern::compile(it, ignore_case, &mut names).map(Match::Pattern),
                None => Template::compile(from, &mut names).map(Match::Text),
            };
            let to = words.map(|it| Template::compile(it, &mut names).expect("a template"));
            HeaderRule { to: to.collect(), from: from.expect("a rule") }
        });
        Some(rules.collect())
    }

    #[test]
    fn the_example_at_the_head_of_the_file() {
        let settings = Settings {
            proxy_redirect: rules(&["http://app/v1/ /api/", r"~^http://(\w+)/(.*) /$1/$2"], false),
            proxy_cookie_path: rules(&["/app/ /"], false),
            proxy_cookie_domain: rules(&["a.internal a.example"], true),
            proxy_cookie_flags: rules(&["id httponly nosecure"], true),
            ..Settings::default()
        };
        for (header, expected) in [
            ("Location: http://app/v1/a", Some("/api/a")),
            ("Location: https://app/v1/a", None),
            ("Refresh: 5; url=http://b/a", Some("5; url=/b/a")),
            ("Refresh: 5", None),
            ("Set-Cookie: a=7; path=/app/x", Some("a=7; path=/x")),
            ("Set-Cookie: a=7; domain=.A.internal", Some("a=7; domain=.a.example")),
            ("Set-Cookie: ID=7; Secure", Some("ID=7; HttpOnly")),
            ("Set-Cookie: a=7;Secure", None),
        ] {
            assert_eq!(rewritten(header, &settings).as_deref(), expected, "{header}");
        }
    }

    #[test]
    fn patterns_replace_all_of_the_value_and_later_rules_nothing() {
        let settings = Settings {
            proxy_cookie_domain: rules(&[r"~\.(\w+)\.internal$ $1.$server_name", "~. never"], true),
            proxy_cookie_flags: rules(&["~^s(.) samesite=$1 secure", "~ httponly"], true),
            ..Settings::default()
        };
        for (header, expected) in [
            ("Set-Cookie: a=1; Domain=x.B.INTERNAL", "a=1; Domain=B.proxy.example; HttpOnly"),
            ("Set-Cookie: Sx=1", "Sx=1; Secure"),
        ] {
            assert_eq!(rewritten(header, &settings).as_deref(), Some(expected), "{header}");
        }
    }
}
