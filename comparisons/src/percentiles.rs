//! What histograms of latency become: percentiles as rows, and the whole distribution as a curve.
//!
//! ```text
//! 20,000 requests/s        minicache    Redis
//!   p50                       41 µs     52 µs
//!   p99.9                    310 µs    820 µs
//! ```

use hdrhistogram::Histogram;

use crate::model::{Comparison, Curve, Row};

/// The percentiles that become rows; 100 is the maximum.
const PERCENTILES: [f64; 4] = [50.0, 99.0, 99.9, 100.0];

/// Adds the rounds of both sides at the load called `name` to a comparison in microseconds. The
/// histograms hold nanoseconds.
pub fn add(comparison: &mut Comparison, name: String, histograms: &[Vec<Histogram<u64>>; 2]) {
    let rows = PERCENTILES.map(|percentile| row(&name, percentile, histograms));
    comparison.rows.extend(rows);
    let [ours, theirs] = histograms.each_ref().map(|rounds| curve(rounds));
    comparison.curves.push(Curve { name, ours, theirs });
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
