//! Latency under an open loop: 50 connections, nine GETs to a SET, requests due at a fixed rate.
//!
//! The rates are below what one core serves: above it the latency of any server grows without
//! bound. p50 is the cost of an answer; p99.9 shows what the server does besides answering.
//!
//! ```text
//! 20,000 requests/s        minicache    Redis
//!   p50                       41 µs     52 µs
//!   p99.9                    310 µs    820 µs
//! ```

use hdrhistogram::Histogram;

use super::commands::{KEYS, Mix};
use super::redis_benchmark::load;
use crate::Result;
use crate::generator::{self, Load, Pace};
use crate::model::{Better, Comparison, figure};
use crate::percentiles;
use crate::provider::Server;
use crate::rounds::{self, Rounds};

/// A common size of values.
const VALUE_BYTES: usize = 256;

/// Connections of the generator.
const CONNECTIONS: usize = 50;

/// The rates, and the time of each in a round.
#[derive(Clone, Copy)]
pub struct Plan {
    /// Requests a second.
    pub rates: &'static [u64],
    /// Length of one round.
    pub seconds: f64,
}

/// The rates and the results of their rounds so far.
pub struct Latency {
    plan: Plan,
    histograms: Vec<[Vec<Histogram<u64>>; 2]>,
}

impl Latency {
    /// A plan without results.
    pub fn new(plan: Plan) -> Latency {
        let histograms = plan.rates.iter().map(|_| [Vec::new(), Vec::new()]).collect();
        Latency { plan, histograms }
    }

    /// Takes one round of every rate on both servers.
    pub fn round(
        &mut self,
        rounds: &mut Rounds,
        number: usize,
        servers: &[Server; 2],
    ) -> Result<()> {
        for server in servers {
            load(server.address, &mut Mix::new(VALUE_BYTES, 100), KEYS)?;
        }
        let seconds = self.plan.seconds;
        for (rate, histograms) in self.plan.rates.iter().zip(&mut self.histograms) {
            let requests = (*rate as f64 * seconds) as u64;
            let turn =
                rounds.turn(number, &format!("open loop, {}", name(*rate)), seconds, |side| {
                    let pace = Pace::Open { per_second: *rate };
                    let address = servers[side].address;
                    let load = Load { address, connections: CONNECTIONS, requests, pace };
                    Ok(generator::drive(load, &mut Mix::new(VALUE_BYTES, 10))?.latency)
                })?;
            rounds::push(histograms, turn);
        }
        Ok(())
    }

    /// Four percentiles as rows and the whole distribution as a curve, for each rate.
    pub fn comparison(&self, theirs: &str) -> Comparison {
        let mut comparison = self.heading(theirs);
        for (rate, histograms) in self.plan.rates.iter().zip(&self.histograms) {
            percentiles::add(&mut comparison, name(*rate), histograms);
        }
        comparison
    }

    fn heading(&self, theirs: &str) -> Comparison {
        Comparison {
            id: "latency".into(),
            title: "Latency at a fixed rate".into(),
            detail: format!("Open loop over {CONNECTIONS} connections, values of {VALUE_BYTES} B"),
            meaning: "From the moment a request was due by the timetable until its answer \
                      arrived, so that a stall counts for every request it delayed. Every value \
                      that came back was compared with the one stored."
                .into(),
            command: format!(
                "our generator: {CONNECTIONS} connections, 90 % GET and 10 % SET, {KEYS} keys of \
                 {VALUE_BYTES} B, {} s a round",
                self.plan.seconds
            ),
            against: theirs.into(),
            unit: "µs".into(),
            better: Better::Lower,
            rows: Vec::new(),
            curves: Vec::new(),
        }
    }
}

fn name(rate: u64) -> String {
    format!("{} requests/s", figure(rate as f64))
}
