//! minigateway against NGINX with `limit_req`, and Envoy with its local rate limit.
//!
//! | file | question |
//! |---|---|
//! | `systems.rs` | how the two are started, configured and identified |
//! | `goals.rs` | where we want to be |
//! | `requests.rs` | processor time per request: routed, checked, limited, refused |
//! | `accuracy.rs` | how often a limit decides otherwise than the exact log |
//!
//! Both proxy to the same origin, an NGINX that answers from memory, with connections kept open on
//! both sides, and count by the client's address:
//!
//! ```text
//! wrk ─> minigateway ─> origin        server core: the gateway of this turn
//! wrk ─> NGINX       ─> origin        load core: wrk and the origin
//! ```

mod accuracy;
mod goals;
mod requests;
mod systems;

use crate::conditions::{other_load, placement};
use crate::model::Pair;
use crate::progress::Progress;
use crate::provider::{self, Choice, Side, Source};
use crate::rounds::Rounds;
use crate::{Context, Effort, Result, ours};
use requests::{CASES, ENVOY_CASES, Wrk};
use systems::{ENVOY, identify, start_origin};
pub use systems::{MINIGATEWAY, NGINX};

/// Seconds of a run.
fn seconds(effort: Effort) -> u64 {
    match effort {
        Effort::Quick => 1,
        Effort::Normal => 3,
        Effort::Full => 5,
    }
}

/// Runs the whole pair.
///
/// # Errors
/// If something is broken. A missing NGINX is a note, unless it was asked for by name.
pub fn run(context: &Context) -> Result<Pair> {
    let address = context.address(&NGINX);
    let (found, misses) = provider::find(&NGINX, context.provider_of(&NGINX), address)?;
    let Some(Source::Program(nginx)) = found else {
        return Ok(alone(context, &misses));
    };
    let program = match context.program(&MINIGATEWAY) {
        Some(path) => path.to_path_buf(),
        None => ours::build("minigateway")?,
    };
    let ours = Side { system: &MINIGATEWAY, source: Source::Program(program) };
    let theirs = Side { system: &NGINX, source: Source::Program(nginx.clone()) };

    if let Some(cores) = context.cores {
        cores.take_client_core();
    }
    let wrk = Wrk::find()?;
    let _origin = start_origin(&nginx)?;
    let (count, seconds) = (context.rounds(), seconds(context.effort));
    // A decision is right or wrong; one round of those shows as much as five.
    let planned = 2.0 * (count * CASES.len()) as f64 * (seconds as f64 + 1.0);
    let planned = planned + 4.0 * accuracy::SECONDS;
    let planned = planned + 2.0 * (count * ENVOY_CASES.len()) as f64 * (seconds as f64 + 1.0);
    let names = [MINIGATEWAY.name, NGINX.name];
    let mut turns = Rounds { count, names, progress: Progress::new(planned) };
    let mut servers = [ours.start(Some(1), context.cores)?, theirs.start(None, context.cores)?];
    let result = requests::compare(&mut turns, &wrk, seconds, &servers, &CASES);
    let result = result.and_then(|(comparison, mut notes)| {
        notes.extend(requests::alone(count, &wrk, seconds, &servers[0])?);
        turns.count = 1;
        Ok((vec![comparison, accuracy::compare(&mut turns, &servers)?], notes))
    });
    let (mut comparisons, mut notes) =
        result.map_err(|error| servers.iter_mut().fold(error, |error, it| it.explain(error)))?;

    // Envoy takes the place of NGINX, where it is installed.
    match provider::find(&ENVOY, Choice::Auto, None)? {
        (Some(source), _) => {
            let [minigateway, _nginx] = servers;
            let envoy = Side { system: &ENVOY, source }.start(Some(1), context.cores)?;
            turns = Rounds { count, names: [MINIGATEWAY.name, ENVOY.name], ..turns };
            let both = [minigateway, envoy];
            let (comparison, admitted) =
                requests::compare(&mut turns, &wrk, seconds, &both, &ENVOY_CASES)?;
            comparisons.push(comparison);
            notes.extend(admitted);
        }
        (None, misses) => {
            notes.push(format!("no Envoy: {}. To get it: {}", misses.join("; "), ENVOY.install));
        }
    }

    Ok(Pair {
        ours: identify(&ours),
        theirs: Some(identify(&theirs)),
        settings: vec![
            placement(context.cores, context.cores),
            "one thread in minigateway (--threads 1), one process in NGINX; 64 connections to the \
             origin kept open by both; no access log"
                .into(),
            format!("load tool: {}, 64 connections, one thread", wrk.describe()),
            format!("rounds: {count} of each, {seconds} s, ours and theirs in turn"),
            other_load(),
        ],
        notes,
        comparisons,
        goals: goals::goals(),
    })
}

/// What is printed if there is no NGINX on this machine: it is the origin as well.
fn alone(context: &Context, misses: &[String]) -> Pair {
    println!("\nNo NGINX was found, so there is nothing to compare minigateway with.");
    println!("To get one: {}\n", NGINX.install);
    Pair {
        ours: systems::unknown(&MINIGATEWAY),
        theirs: None,
        settings: vec![placement(context.cores, context.cores)],
        notes: vec![format!("no NGINX: {}. To get one: {}", misses.join("; "), NGINX.install)],
        comparisons: Vec::new(),
        goals: goals::goals(),
    }
}
