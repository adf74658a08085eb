//! Which server a request is for, and which location of it.
//!
//! # Server
//!
//! Among the servers of the address that the client has connected to:
//!
//! ```text
//! 1. the exact name              a.example
//! 2. the longest *.suffix        *.example
//! 3. the longest prefix.*        a.*
//! 4. the first pattern           ~^a\d+
//! 5. default_server, or the first server of this address
//! ```
//!
//! # Location
//!
//! ```text
//! location = /a          exact: taken at once
//! location ^~ /img/      longest prefix, and no pattern is tried
//! location ~ \.php$      patterns, in order, if the longest prefix has no ^~
//! location /             longest prefix, if no pattern matches
//! ```
//!
//! The order in the file counts for patterns only. Locations inside of the one found are searched
//! in the same way.
//!
//! NGINX counterpart: `ngx_http_find_virtual_server`, `ngx_http_core_find_location`. NGINX compiles
//! names into hashes and prefixes into a tree; a list is faster below some twenty of them.

use crate::conf::http::{Action, HttpServer, Location, LocationKind, ServerName};
use crate::conf::listen::Address;
use std::sync::Arc;

/// The servers of one address.
#[derive(Clone, Debug)]
pub struct VirtualServers {
    /// Indexes of servers, the default first.
    servers: Vec<usize>,
}

impl VirtualServers {
    /// The servers that listen at exactly this address or, if there are none, at its wildcard.
    pub fn of(all: &[HttpServer], local: &Address) -> VirtualServers {
        // True for its default server.
        let listens = |server: &HttpServer, is_wildcard: bool| {
            let mut listen = server.listen.iter();
            let found = listen.find(|it| match is_wildcard {
                false => it.address == *local,
                true => it.is_wildcard_for(local),
            });
            found.map(|it| it.is_default)
        };
        for is_wildcard in [false, true] {
            let indexes = all.iter().enumerate();
            let found = indexes.filter_map(|(index, it)| Some((index, listens(it, is_wildcard)?)));
            let found = found.collect::<Vec<_>>();
            let mut servers = found.iter().map(|(index, _)| *index).collect::<Vec<_>>();
            if let Some(default) = found.iter().position(|(_, is_default)| *is_default) {
                servers[..=default].rotate_right(1);
            }
            if !servers.is_empty() {
                return VirtualServers { servers };
            }
        }
        VirtualServers { servers: Vec::new() }
    }

    /// The server that gets requests without a known host.
    pub fn default_server(&self) -> Option<usize> {
        self.servers.first().copied()
    }

    /// The server for a host, which is in lower case.
    pub fn find(&self, all: &[HttpServer], host: &[u8]) -> Option<usize> {
        if self.servers.len() == 1 {
            return self.default_server();
        }
        let ranked = self.servers.iter().filter_map(|index| {
            let names = all[*index].names.iter();
            Some((names.filter_map(|it| rank(it, host)).max()?, *index))
        });
        // Of equal ones the first, as its name cannot be given twice.
        let best = ranked.rev().max_by_key(|(rank, _)| *rank).map(|(_, index)| index);
        best.or_else(|| self.servers.iter().copied().find(|it| has_pattern(&all[*it], host)))
            .or_else(|| self.default_server())
    }
}

/// What decides between names that fit: first their kind, then their length.
fn rank(name: &ServerName, host: &[u8]) -> Option<(u8, usize)> {
    match name {
        ServerName::Exact(name) if name.as_bytes() == host => Some((3, 0)),
        ServerName::Suffix(suffix, true) if suffix.as_bytes()[1..] == *host => Some((3, 0)),
        ServerName::Suffix(suffix, _) if host.len() > suffix.len() => {
            host.ends_with(suffix.as_bytes()).then_some((2, suffix.len()))
        }
        ServerName::Prefix(prefix) => {
            host.starts_with(prefix.as_bytes()).then_some((1, prefix.len()))
        }
        _ => None,
    }
}

fn has_pattern(server: &HttpServer, host: &[u8]) -> bool {
    server.names.iter().any(|it| matches!(it, ServerName::Pattern(it) if it.is_match(host)))
}

/// What was found for a URI.
#[derive(Clone, Copy, Debug)]
pub enum Found<'a> {
    /// The location.
    Location(&'a Arc<Location>),
    /// The URI is a proxied location's without its last slash: a redirect to the one with it.
    AddSlash(&'a Arc<Location>),
}

/// The location for a URI, which is normalized.
pub fn location<'a>(root: &'a Arc<Location>, uri: &[u8]) -> Found<'a> {
    search(root, uri).unwrap_or(Found::Location(root))
}

fn search<'a>(outer: &'a Location, uri: &[u8]) -> Option<Found<'a>> {
    let mut longest: Option<(&Arc<Location>, &str, bool)> = None;
    for location in &outer.nested {
        match &location.kind {
            LocationKind::Exact(exact) if exact.as_bytes() == uri => {
                return Some(Found::Location(location));
            }
            LocationKind::Prefix(prefix, is_final) => {
                let is_longer = longest.is_none_or(|(_, other, _)| prefix.len() > other.len());
                if is_longer && uri.starts_with(prefix.as_bytes()) {
                    longest = Some((location, prefix, *is_final));
                }
            }
            _ => {}
        }
    }
    // A location for exactly this URI is better than one that only lacks a slash.
    let is_whole = longest.is_some_and(|(_, prefix, _)| prefix.len() == uri.len());
    let mut with_slash = outer.nested.iter().filter(|it| match (&it.kind, &it.action) {
        (
            LocationKind::Prefix(name, _) | LocationKind::Exact(name),
            Action::Proxy(_) | Action::ProxyTo(_),
        ) => !is_whole && name.as_bytes().strip_suffix(b"/") == Some(uri),
        _ => false,
    });
    if let Some(location) = with_slash.next() {
        return Some(Found::AddSlash(location));
    }

    // Inside of the longest prefix first; only what is found there may be final.
    let inner = longest.and_then(|(location, _, _)| search(location, uri));
    if matches!(longest, Some((_, _, true))) || is_decided(inner) {
        return inner.or(longest.map(|(location, _, _)| Found::Location(location)));
    }
    let pattern = outer
        .nested
        .iter()
        .find(|it| matches!(&it.kind, LocationKind::Pattern(pattern) if pattern.is_match(uri)));
    if let Some(location) = pattern {
        return search(location, uri).or(Some(Found::Location(location)));
    }
    inner.or(longest.map(|(location, _, _)| Found::Location(location)))
}

/// Returns true if no pattern outside can change the result any more.
fn is_decided(found: Option<Found<'_>>) -> bool {
    match found {
        Some(Found::Location(location)) => matches!(
            location.kind,
            LocationKind::Exact(_) | LocationKind::Pattern(_) | LocationKind::Prefix(_, true)
        ),
        Some(Found::AddSlash(_)) => true,
        None => false,
    }
}
