//! The few statistics that survive a noisy machine.
//!
//! Rounds of two systems are taken in turn, so round *i* of ours and round *i* of theirs ran on
//! nearly the same machine. Their quotient cancels what slowed both; the median of the quotients
//! ignores a round in which only one was slowed. There are no averages: one stall moves them.
//!
//! ```text
//! round     1     2     3     4     5
//! ours    1.0   1.1   1.0   3.0   1.0      another process ran in round 4, before theirs
//! theirs  2.0   2.2   2.1   2.1   2.0
//! ratio  0.50  0.50  0.48  1.43  0.50      median 0.50, from 0.48 to 1.43
//! ```

/// The middle value; the mean of the two middle ones for an even count; 0 for none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        count if count % 2 == 1 => sorted[half],
        _ => (sorted[half - 1] + sorted[half]) / 2.0,
    }
}

/// The smallest value; 0 for none.
pub fn least(values: &[f64]) -> f64 {
    values.iter().copied().min_by(f64::total_cmp).unwrap_or(0.0)
}

/// The largest value; 0 for none.
pub fn greatest(values: &[f64]) -> f64 {
    values.iter().copied().max_by(f64::total_cmp).unwrap_or(0.0)
}

/// `ours[i] / theirs[i]` for each round that both have.
pub fn pairwise_ratios(ours: &[f64], theirs: &[f64]) -> Vec<f64> {
    ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect()
}

/// The n-th root of the product: the mean that treats 2x and 0.5x as opposites. 1 for none.
pub fn geometric_mean(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) =
        values.fold((0u32, 0.0), |(count, sum), value| (count + 1, sum + value.ln()));
    if count == 0 { 1.0 } else { (sum / f64::from(count)).exp() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_essay() {
        let ratios = pairwise_ratios(&[1.0, 1.1, 1.0, 3.0, 1.0], &[2.0, 2.2, 2.1, 2.1, 2.0]);
        assert_eq!(median(&ratios), 0.5);
        assert!((least(&ratios) - 0.476).abs() < 0.001);
        assert!((greatest(&ratios) - 1.429).abs() < 0.001);
    }

    #[test]
    fn medians_of_even_odd_and_no_counts() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&[]), 0.0);
    }

    #[test]
    fn twice_and_half_cancel_out() {
        assert!((geometric_mean([2.0, 0.5].into_iter()) - 1.0).abs() < 1e-12);
        assert_eq!(geometric_mean(std::iter::empty()), 1.0);
    }
}
