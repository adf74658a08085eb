//! minilb against NGINX and HAProxy.
//!
//! | file | question |
//! |---|---|
//! | `systems.rs` | the origin behind all of them, and how each is started |
//! | `load.rs` | small requests and bulk, through HTTP and through TCP |
//! | `goals.rs` | where we want to be |
//!
//! The same origin, an NGINX that serves a short text and a large file, is behind each proxy:
//!
//! ```text
//! wrk ─> minilb | NGINX | HAProxy ─> origin      one thread each, 64 connections
//! core:  0                           1           with the load
//! ```
//!
//! Throughput on two cores that proxy, load and origin share says little. What is compared is the
//! CPU time of the proxy alone: per request, and per gigabyte.

mod goals;
mod load;
mod systems;

use crate::conditions::{other_load, placement};
use crate::model::{Comparison, Pair};
use crate::progress::Progress;
use crate::provider::{self, Choice, Side, Source, System};
use crate::rounds::Rounds;
use crate::{Context, Result, ours};
use systems::{HAPROXY, HAPROXY_TCP, MINILB_TCP, NGINX_TCP, Origin, identify};
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
    let ours = |system| Side { system, source: Source::Program(program.clone()) };
    let pair = |notes, theirs, comparisons| Pair {
        ours: identify(&ours(&MINILB)),
        theirs,
        settings: settings(context),
        notes,
        comparisons,
        goals: goals::goals(),
    };
    let tool = provider::on_path("wrk");
    let (Some(Source::Program(nginx)), Some(tool)) = (found, tool) else {
        let miss = format!("no NGINX and wrk on this machine: {}", misses.join("; "));
        return Ok(pair(vec![format!("{miss}. To get them: {}", NGINX.install)], None, Vec::new()));
    };

    let _origin = Origin::start(&nginx)?;
    if let Some(cores) = context.cores {
        cores.take_client_core();
    }
    let (haproxy, misses) = provider::find(&HAPROXY, Choice::Auto, None)?;
    let theirs = |system, program: &std::path::Path| Side {
        system,
        source: Source::Program(program.to_path_buf()),
    };
    let mut comparisons = Vec::new();
    let http = [&ours(&MINILB), &theirs(&NGINX, &nginx)];
    let tcp = [&ours(&MINILB_TCP), &theirs(&NGINX_TCP, &nginx)];
    comparisons.extend(compare(context, &tool, http, tcp)?);
    let mut notes =
        vec!["not measured yet: TLS, HTTP/2, new connections, latency, idle memory".to_owned()];
    match haproxy {
        Some(Source::Program(program)) => {
            let http = [&ours(&MINILB), &theirs(&HAPROXY, &program)];
            let tcp = [&ours(&MINILB_TCP), &theirs(&HAPROXY_TCP, &program)];
            comparisons.extend(compare(context, &tool, http, tcp)?);
        }
        _ => {
            notes.push(format!("no HAProxy: {}. To get it: {}", misses.join("; "), HAPROXY.install))
        }
    }
    Ok(pair(notes, Some(identify(&theirs(&NGINX, &nginx))), comparisons))
}

/// All rows against one system.
fn compare(
    context: &Context,
    tool: &std::path::Path,
    http: [&Side; 2],
    tcp: [&Side; 2],
) -> Result<Vec<Comparison>> {
    let count = context.effort.rounds();
    let names = [MINILB.name, http[1].system.name];
    let seconds = count as f64 * 2.0 * load::seconds(context.effort);
    let mut rounds = Rounds { count, names, progress: Progress::new(seconds) };
    load::compare(&mut rounds, tool, context, http, tcp)
}

fn settings(context: &Context) -> Vec<String> {
    let System { name, .. } = NGINX;
    vec![
        placement(context.cores, context.cores),
        format!(
            "one thread in each proxy, no access log; 64 connections of clients and up to 256 \
             kept to the origin, an {name} on the core of the load"
        ),
        "minilb and HAProxy splice bulk data in the kernel; NGINX copies it".into(),
        format!("rounds: {} of each, ours and theirs in turn", context.effort.rounds()),
        other_load(),
    ]
}
