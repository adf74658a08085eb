//! Servers in comparison: which one is worse than the others, and how many may be left out.
//!
//! # Far below the mean
//!
//! A fixed limit for errors must be set for each service. A comparison needs none: if all servers
//! fail at 5 %, their database is slow, and leaving one out helps nobody; if one of six fails at
//! 30 %, it is broken.
//!
//! ```text
//! success rates     99  98  99  99  98  70 %       mean 93.8, standard deviation 10.7
//! threshold         93.8 - 1.9 * 10.7 = 73.6 %     the one with 70 % is an outlier
//! ```
//!
//! It takes five servers with enough requests each, or a deviation means nothing. Even then the
//! arithmetic has a limit: one of `n` servers can be at most `sqrt(n - 1)` deviations below the
//! mean, which is 2 for five, so a factor above that never finds any.
//!
//! # How many may be left out
//!
//! If most servers fail at once, the cause is hardly the servers, and the few that are left would
//! get all the traffic and fail as well. `max_ejected` limits how many breakers may be open, with
//! at least one. And with less than `panic` of them usable health is ignored altogether: some
//! answers from all are better than none from a few.
//!
//! Counterpart: Envoy's outlier detection (`success_rate_stdev_factor` 1900, `max_ejection_percent`
//! 10, at least one) and panic threshold (50).

/// Fewer servers say nothing about what is normal; Envoy's `success_rate_minimum_hosts`.
const SERVERS_MIN: usize = 5;

/// The success rate below which a server is an outlier. `None` if there are too few.
pub fn threshold(rates: &[f64], stdev_milli: u32) -> Option<f64> {
    if rates.len() < SERVERS_MIN || stdev_milli == 0 {
        return None;
    }
    let count = rates.len() as f64;
    let mean = rates.iter().sum::<f64>() / count;
    let variance = rates.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / count;
    Some(mean - variance.sqrt() * f64::from(stdev_milli) / 1000.0)
}

/// Returns true if one more of the servers may be left out.
pub fn may_eject(ejected: usize, servers: usize, max_percent: u32) -> bool {
    ejected < (servers * max_percent as usize / 100).max(1)
}

/// Returns true if so few servers are usable that health is to be ignored.
pub fn is_panic(usable: usize, servers: usize, percent: u32) -> bool {
    usable * 100 < servers * percent as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_at_the_head_of_the_file() {
        let rates = [99.0, 98.0, 99.0, 99.0, 98.0, 70.0];
        let threshold = threshold(&rates, 1900).expect("six servers");
        assert_eq!((threshold * 10.0).round(), 736.0);
        assert_eq!(super::threshold(&rates[..4], 1900), None);
    }

    #[test]
    fn one_may_always_be_left_out() {
        let most = |servers| (0..servers).take_while(|it| may_eject(*it, servers, 10)).count();
        assert_eq!([most(1), most(3), most(10), most(30)], [1, 1, 1, 3]);
        assert!(is_panic(1, 3, 50) && !is_panic(2, 4, 50) && !is_panic(0, 3, 0));
    }
}
