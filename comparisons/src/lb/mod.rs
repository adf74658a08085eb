//! minilb against NGINX, HAProxy and Envoy.
//!
//! | file | question |
//! |---|---|
//! | `systems.rs` | the origin behind all of them, and how each is started |
//! | `conversation.rs` | what our own load asks, and the check of the answers |
//! | `load.rs` | CPU of requests, handshakes and bulk, by HTTP, TLS, HTTP/2 and TCP |
//! | `counts.rs` | system calls and instructions of a request |
//! | `idle.rs` | memory of idle connections; latency at a fixed rate |
//! | `floor.rs` | bulk beside a thread that splices and does nothing else |
//! | `embedded.rs` | requests beside a proxy of a few lines on `hyper` |
//! | `goals.rs` | where we want to be |
//!
//! The same origin, an NGINX that serves a short text and two files, is behind each proxy:
//!
//! ```text
//! wrk ─> minilb | NGINX | HAProxy | Envoy ─> origin      one thread each, 64 connections
//! core:  0                                   1           with the load
//! ```
//!
//! Throughput on two cores that proxy, load and origin share says little. What is compared is the
//! CPU time of the proxy alone: per request, and per gigabyte. Without NGINX and wrk only the proxy
//! on hyper is left to compare with.

mod conversation;
mod counts;
mod embedded;
mod floor;
mod goals;
mod idle;
mod load;
pub mod systems;

use std::path::{Path, PathBuf};

use crate::conditions::{other_load, placement};
use crate::model::{Comparison, Identity, Pair};
use crate::progress::Progress;
use crate::provider::{self, Choice, Side, Source, System};
use crate::rounds::Rounds;
use crate::{Context, Effort, Result, ours};
use systems::{ENVOY, HAPROXY, Origin, Proxies, identify};
pub use systems::{MINILB, NGINX};

/// Runs the whole pair.
///
/// # Errors
/// If something is broken. A missing NGINX is a note, unless it was asked for by name.
pub fn run(context: &Context) -> Result<Pair> {
    let address = context.address(&NGINX);
    let (found, misses) = provider::find(&NGINX, context.provider_of(&NGINX), address)?;
    let program = match context.program(&MINILB) {
        Some(path) => path.to_path_buf(),
        None => ours::build("minilb")?,
    };
    let identity = |system, program: &Path| {
        identify(&Side { system, source: Source::Program(program.to_path_buf()) })
    };
    let ours = identity(&MINILB, &program);
    let (Some(Source::Program(nginx)), Some(_)) = (found, provider::on_path("wrk")) else {
        let miss = format!("no NGINX and wrk on this machine: {}", misses.join("; "));
        let note = format!("{miss}. To get them: {}", NGINX.install);
        return alone(context, ours, &program, note);
    };

    let origin = Origin::start(&nginx)?;
    if let Some(cores) = context.cores {
        cores.take_client_core();
    }
    let mut comparisons = beside_nginx(context, &program, &nginx, &origin)?;
    let mut notes = Vec::new();
    type Beside = fn(&Path, &Path) -> Proxies;
    let beside: [(_, Beside); 2] =
        [(&HAPROXY, Proxies::beside_haproxy), (&ENVOY, Proxies::beside_envoy)];
    for (other, proxies) in beside {
        let (found, misses) = provider::find(other, Choice::Auto, None)?;
        let Some(Source::Program(other)) = found else {
            let System { name, install, .. } = other;
            notes.push(format!("no {name}: {}. To get it: {install}", misses.join("; ")));
            continue;
        };
        let proxies = proxies(&program, &other);
        let mut rounds = rounds(context, &proxies, load::seconds(context.effort, false));
        comparisons.extend(load::compare(&mut rounds, context, &proxies, false)?);
    }
    let missing = ["h2load", "openssl", "strace", "valgrind"]
        .into_iter()
        .filter(|it| provider::on_path(it).is_none())
        .collect::<Vec<_>>();
    if !missing.is_empty() {
        let names = missing.join(", ");
        notes.push(format!("not measured for want of a program: {names} (apt-get install)"));
    }
    let theirs = Some(identity(&NGINX, &nginx));
    Ok(pair(context, ours, theirs, notes, comparisons))
}

/// All questions: those of a quick run are answered by `load.rs`, `counts.rs` and `idle.rs`.
fn beside_nginx(
    context: &Context,
    program: &Path,
    nginx: &Path,
    origin: &Origin,
) -> Result<Vec<Comparison>> {
    let Context { effort, cores, .. } = *context;
    let proxies = Proxies::beside_nginx(program, nginx);
    let is_quick = effort == Effort::Quick;
    let mut planned = load::seconds(effort, true) + 4.0 * idle::SECONDS;
    // Counts are taken once.
    planned += counts::seconds(effort) / context.rounds() as f64;
    if !is_quick {
        planned += 2.0 * (floor::SECONDS + embedded::SECONDS + 2.0);
    }
    let mut rounds = rounds(context, &proxies, planned);
    let mut comparisons = load::compare(&mut rounds, context, &proxies, true)?;
    comparisons.extend(counts::compare(&mut rounds, effort, cores, &proxies)?);
    comparisons.push(idle::memory(&mut rounds, cores, &proxies)?);
    if is_quick {
        return Ok(comparisons);
    }

    let address = Origin::address();
    comparisons.push(floor::compare(&mut rounds, cores, &proxies, address)?);
    comparisons.push(embedded::compare(&mut rounds, effort, cores, &proxies, address)?);
    // The last one, because the origin changes its core for it.
    if let Some(cores) = cores {
        cores.pin_server(origin.pid());
    }
    comparisons.push(idle::latency(&mut rounds, effort, cores, &proxies)?);
    if let Some(cores) = cores {
        cores.pin_client(origin.pid());
    }
    Ok(comparisons)
}

/// What is measured if there is no NGINX on this machine: it is the origin as well.
fn alone(context: &Context, ours: Identity, program: &Path, note: String) -> Result<Pair> {
    println!("\nNo NGINX was found; minilb runs beside a proxy on hyper instead.");
    println!("To get one: {}\n", NGINX.install);
    if let Some(cores) = context.cores {
        cores.take_client_core();
    }
    let origin = embedded::start_origin()?;
    Origin::take(origin);
    let proxies = Proxies::beside_nginx(program, &PathBuf::new());
    let mut rounds = rounds(context, &proxies, 2.0 * embedded::SECONDS);
    let (effort, cores) = (context.effort, context.cores);
    let comparison = embedded::compare(&mut rounds, effort, cores, &proxies, origin)?;
    Ok(pair(context, ours, None, vec![note], vec![comparison]))
}

/// Turns of both sides; `planned` are the seconds of one round.
fn rounds(context: &Context, proxies: &Proxies, planned: f64) -> Rounds {
    let count = context.rounds();
    let names = [MINILB.name, proxies.theirs()];
    Rounds { count, names, progress: Progress::new(count as f64 * planned) }
}

fn pair(
    context: &Context,
    ours: Identity,
    theirs: Option<Identity>,
    notes: Vec<String>,
    comparisons: Vec<Comparison>,
) -> Pair {
    let System { name, .. } = NGINX;
    let settings = vec![
        placement(context.cores, context.cores),
        format!(
            "one thread in each proxy, no access log; 64 connections of clients and up to 256 \
             kept to the origin, an {name} on the core of the load"
        ),
        "minilb and HAProxy splice bulk data in the kernel; NGINX and Envoy copy it".into(),
        "TLS: a P-256 certificate, versions 1.2 and 1.3, each with its own preferred ciphers"
            .into(),
        format!("rounds: {} of each, ours and theirs in turn", context.rounds()),
        other_load(),
    ];
    Pair { ours, theirs, settings, notes, comparisons, goals: goals::goals() }
}
