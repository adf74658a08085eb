//! Which core serves and which core asks.
//!
//! Left alone, the scheduler moves server and load tool around and lets them share a core in one
//! round and not in the next, and the ratio of two servers becomes the ratio of two placements. So
//! both servers are kept on one and the same core, and whoever asks is kept on another: if it can
//! be had, one that is not the server core's hyper-thread sibling.
//!
//! ```text
//! allowed [0 1], siblings of 0: 0      server 0, client 1
//! allowed [0 1 2 3], siblings of 0: 0,1    server 0, client 2
//! allowed [5]                          no pinning: both have to share core 5
//! ```

use std::fs;
use std::sync::OnceLock;

use crate::raw;

/// A placement. `Display` says it in words for the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cores {
    /// The core of both servers, one at a time under load.
    pub server: usize,
    /// The core of the load tools and of the harness itself.
    pub client: usize,
}

impl Cores {
    /// Chooses two of the cores this process may use; none if there is only one.
    pub fn choose() -> Option<Cores> {
        choose(all(), |core| {
            let topology = format!("/sys/devices/system/cpu/cpu{core}/topology");
            fs::read_to_string(format!("{topology}/thread_siblings_list")).unwrap_or_default()
        })
    }

    /// Keeps this thread, and the load tools it starts from now on, on the client core.
    pub fn take_client_core(&self) {
        raw::pin(0, &[self.client]);
    }
}

/// Every core this process could use when it began, whatever it was kept on since.
pub fn all() -> &'static [usize] {
    static ALL: OnceLock<Vec<usize>> = OnceLock::new();
    ALL.get_or_init(raw::allowed_cores)
}

impl std::fmt::Display for Cores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "servers on core {}, load on core {}", self.server, self.client)
    }
}

fn choose(allowed: &[usize], siblings: impl Fn(usize) -> String) -> Option<Cores> {
    let (server, others) = allowed.split_first()?;
    let near = parse_list(&siblings(*server));
    let far = others.iter().find(|core| !near.contains(core));
    Some(Cores { server: *server, client: *far.or(others.last())? })
}

/// Reads the kernel's notation for sets of cores: `0-1,4`.
fn parse_list(text: &str) -> Vec<usize> {
    let mut cores = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse::<usize>()) {
            cores.extend(first..=last);
        }
    }
    cores
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_keeps_off_the_sibling_of_the_server() {
        let pairs = |core: usize| format!("{}-{}\n", core / 2 * 2, core / 2 * 2 + 1);
        assert_eq!(choose(&[0, 1, 2, 3], pairs), Some(Cores { server: 0, client: 2 }));
        assert_eq!(choose(&[0, 1], pairs), Some(Cores { server: 0, client: 1 }));
        assert_eq!(choose(&[5], pairs), None);
        assert_eq!(choose(&[], pairs), None);
    }

    #[test]
    fn core_lists_are_read_as_the_kernel_writes_them() {
        assert_eq!(parse_list("0-2,7\n"), [0, 1, 2, 7]);
        assert_eq!(parse_list(""), Vec::<usize>::new());
    }
}
