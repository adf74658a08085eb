//! Any text as an nginx.conf: it is read or refused with a place in it, and what is read can
//! balance.
#![no_main]

use minilb::conf::host::Host;
use minilb::conf::reader::read;
use minilb::engine::upstream::{Attempts, Upstream};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The text under one name, which includes nothing.
struct Memory<'a>(&'a [u8]);

impl Host for Memory<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match path == Path::new("/nginx.conf") {
            true => Ok(self.0.to_vec()),
            false => Err(io::Error::from_raw_os_error(2)),
        }
    }

    fn glob(&self, _: &Path) -> Vec<PathBuf> {
        Vec::new()
    }

    fn resolve(&self, name: &str) -> Vec<SocketAddr> {
        name.parse().into_iter().collect()
    }
}

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    let config = match read(&Memory(text), Path::new("/nginx.conf"), "", Path::new("/")) {
        Ok(config) => config,
        Err(error) => return assert!(!error.message.is_empty()),
    };
    let http = config.http.upstreams.values().map(|it| &it.config);
    for upstream in config.upstreams.values().chain(http) {
        // The points of a ring take memory by weight; a large one is no finding.
        if upstream.servers.iter().map(|it| it.params.weight).sum::<i64>() > 1000 {
            continue;
        }
        let mut upstream = Upstream::new(upstream);
        let mut attempts = Attempts::default();
        attempts.key().extend_from_slice(b"key");
        while let Some(mut picked) = upstream.pick(&mut attempts, 1000) {
            upstream.judge(&mut picked, true, 1000);
            if upstream.begin_retry(&attempts).is_err() {
                break;
            }
        }
    }
});
