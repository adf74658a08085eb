//! The system's files and names, for the configuration.
//!
//! ```text
//! glob("/etc/nginx/*/site?.conf")     a/site1.conf b/site1.conf b/site2.conf, in this order
//! resolve("localhost:80")            127.0.0.1:80 [::1]:80, as the system's resolver says
//! ```
//!
//! Names are resolved once, when the configuration is read, as NGINX does. A pattern knows `*` and
//! `?`; NGINX's is `glob(3)`, with `[a-z]`.

use crate::conf::error::ConfError;
use crate::conf::host::Host;
use std::cell::RefCell;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

/// The machine this runs on.
#[derive(Default)]
pub struct System {
    /// Skip directives that are not known, with a warning: `--lenient`.
    pub lenient: bool,
    /// What was read, in order.
    pub files: RefCell<Vec<(PathBuf, Vec<u8>)>>,
}

impl Host for System {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let text = std::fs::read(path)?;
        self.files.borrow_mut().push((path.to_owned(), text.clone()));
        Ok(text)
    }

    fn glob(&self, pattern: &Path) -> Vec<PathBuf> {
        let Some((directory, name)) = pattern.parent().zip(pattern.file_name()) else {
            return vec![pattern.to_owned()];
        };
        let directories = self.glob(directory);
        let pattern = name.as_encoded_bytes();
        if !pattern.iter().any(|it| matches!(it, b'*' | b'?')) {
            let files = directories.into_iter().map(|it| it.join(name));
            return files.filter(|it| it.exists()).collect();
        }
        let entries = directories.iter().flat_map(std::fs::read_dir).flatten().flatten();
        let matching = entries.filter(|it| {
            let name = it.file_name();
            let name = name.as_encoded_bytes();
            // A leading dot must be written out.
            (pattern.starts_with(b".") || !name.starts_with(b".")) && matches(pattern, name)
        });
        let mut files = matching.map(|it| it.path().into_os_string()).collect::<Vec<_>>();
        files.sort();
        files.into_iter().map(PathBuf::from).collect()
    }

    fn resolve(&self, host_and_port: &str) -> Vec<SocketAddr> {
        host_and_port.to_socket_addrs().map(Iterator::collect).unwrap_or_default()
    }

    fn tolerates(&self, error: &ConfError) -> bool {
        if self.lenient {
            // The log may not be open yet.
            eprintln!("minilb: [warn] {error}, skipped");
        }
        self.lenient
    }
}

/// Returns true if the whole name matches. Costs at most the product of both lengths per star.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=name.len()).any(|start| matches(rest, &name[start..])),
        ([b'?', pattern @ ..], [_, name @ ..]) => matches(pattern, name),
        ([first, pattern @ ..], [byte, name @ ..]) => first == byte && matches(pattern, name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_may_be_in_directories() {
        let scratch = minikit::harness::Scratch::new("minilb-glob").expect("writable");
        for directory in ["b", "a", ".c"] {
            std::fs::create_dir(scratch.path().join(directory)).expect("writable");
            scratch.file(&format!("{directory}/site1.conf"), "");
        }
        scratch.file("b/site2.conf", "");
        let glob = |pattern: &str| {
            let files = System::default().glob(&scratch.path().join(pattern));
            let relative = files.iter().map(|it| it.strip_prefix(scratch.path()).expect("below"));
            relative.map(|it| it.display().to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(glob("*/site?.conf"), "a/site1.conf b/site1.conf b/site2.conf");
        assert_eq!(glob("?/site2.conf"), "b/site2.conf");
        assert_eq!(glob("*/none*"), "");
    }

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name, expected) in [
            ("*.conf", "a.conf", true),
            ("*.conf", "a.conf~", false),
            ("?.conf", "ab.conf", false),
            ("a*b*c", "aXbXXc", true),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }
}
