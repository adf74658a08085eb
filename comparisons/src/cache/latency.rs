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
use crate::model::{Better, Comparison, Curve, Row, figure};
use crate::provider::Server;
use crate::rounds::{self, Rounds};

/// A common size of values.
const VALUE_BYTES: usize = 256;

/// The percentiles that become rows; 100 is the maximum.
const PERCENTILES: [f64; 4] = [50.0, 99.0, 99.9, 100.0];

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
            let name = name(*rate);
            let rows = PERCENTILES.map(|percentile| row(&name, percentile, histograms));
            comparison.rows.extend(rows);
            let [ours, theirs] = histograms.each_ref().map(|rounds| curve(rounds));
            comparison.curves.push(Curve { name, ours, theirs });
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

fn row(rate: &str, percentile: f64, histograms: &[Vec<Histogram<u64>>; 2]) -> Row {
    let [ours, theirs] = histograms.each_ref().map(|rounds| {
        rounds.iter().map(|round| microseconds(round, percentile)).collect::<Vec<f64>>()
    });
    let label = if percentile == 100.0 { "max".into() } else { format!("p{percentile}") };
    Row { name: format!("{label} at {rate}"), ours, theirs, command: String::new(), bar: None }
}

fn microseconds(histogram: &Histogram<u64>, percentile: f64) -> f64 {
    histogram.value_at_percentile(percentile) as f64 / 1000.0
}

/// The distribution of all rounds together at the percentiles 0, 10 … 90, 91 … 99, 99.1 …, as far
/// as there are enough requests to tell them apart.
fn curve(rounds: &[Histogram<u64>]) -> Vec<(f64, f64)> {
    let mut all = Histogram::<u64>::new(3).expect("three digits are within its limits");
    for round in rounds {
        all.add(round).expect("it grows to hold every round");
    }
    let mut points = Vec::new();
    let mut rest = 100.0;
    while rest / 100.0 * all.len() as f64 >= 10.0 {
        points.extend((0..9).map(|tenth| 100.0 - rest * (1.0 - f64::from(tenth) / 10.0)));
        rest /= 10.0;
    }
    points.into_iter().map(|percentile| (percentile, microseconds(&all, percentile))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_rise_and_go_as_far_as_the_data() {
        let mut histogram = Histogram::<u64>::new(3).unwrap();
        (1..=10_000u64).for_each(|value| histogram.record(value * 1000).unwrap());
        let points = curve(&[histogram.clone(), histogram]);
        assert!(points.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1));
        assert_eq!(points[0].0, 0.0);
        assert!(points.iter().any(|(percentile, _)| (percentile - 99.9).abs() < 1e-9));
        assert!(points.last().unwrap().0 < 99.999);
    }
}
