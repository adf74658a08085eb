//! Ours, theirs, ours, theirs.
//!
//! On a machine shared with others the speed of everything drifts from minute to minute. Ten rounds
//! of ours and then ten of theirs compare two different hours. Taken in turn, each round of ours
//! has a round of theirs next to it, and the two can be divided by each other (see `stats.rs`).
//!
//! A round goes through all questions before the next one begins, with processes started for it.
//! Redis against itself was once a tenth faster in one process than in the other for every round of
//! LRANGE, and level in the next run: five rounds in one process print such luck as a difference.
//!
//! ```text
//! time ->   ours₁ SET  theirs₁ SET  ours₁ GET  theirs₁ GET …  restart  ours₂ SET  theirs₂ SET …
//! pairs     └───────────────┘       └───────────────┘                  └───────────────┘
//! ```

use crate::Result;
use crate::progress::Progress;

/// Both sides get a turn, and the person hears about it.
pub struct Rounds {
    /// Rounds of each question.
    pub count: usize,
    /// Names of ours and theirs, for the progress line.
    pub names: [&'static str; 2],
    /// The progress line.
    pub progress: Progress,
}

impl Rounds {
    /// Calls `measure` with side 0 (ours), then with side 1 (theirs). `seconds` is what one call
    /// was planned to take.
    pub fn turn<T>(
        &mut self,
        round: usize,
        what: &str,
        seconds: f64,
        mut measure: impl FnMut(usize) -> Result<T>,
    ) -> Result<[T; 2]> {
        let mut one = |side: usize| {
            let (count, name) = (self.count, self.names[side]);
            let step = format!("{what}, round {} of {count}, {name}", round + 1);
            self.progress.step(&step, seconds);
            measure(side).map_err(|error| format!("{what}, {name}: {error}"))
        };
        Ok([one(0)?, one(1)?])
    }

    /// All rounds of one question at once, for questions that start their own servers.
    pub fn all<T>(
        &mut self,
        what: &str,
        seconds: f64,
        mut measure: impl FnMut(usize) -> Result<T>,
    ) -> Result<[Vec<T>; 2]> {
        let mut results = [Vec::new(), Vec::new()];
        for round in 0..self.count {
            push(&mut results, self.turn(round, what, seconds, &mut measure)?);
        }
        Ok(results)
    }
}

/// Adds what a turn gave to what was there before.
pub fn push<T>(results: &mut [Vec<T>; 2], turn: [T; 2]) {
    results.iter_mut().zip(turn).for_each(|(results, result)| results.push(result));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three_rounds() -> Rounds {
        Rounds { count: 3, names: ["a", "b"], progress: Progress::new(1.0) }
    }

    #[test]
    fn sides_take_turns() {
        let mut order = Vec::new();
        let results = three_rounds().all("x", 0.1, |side| {
            order.push(side);
            Ok(order.len())
        });
        assert_eq!(results.unwrap(), [vec![1, 3, 5], vec![2, 4, 6]]);
        assert_eq!(order, [0, 1, 0, 1, 0, 1]);
    }

    #[test]
    fn a_failure_says_where() {
        let result = three_rounds().turn(0, "x", 0.1, |side| match side {
            0 => Ok(()),
            _ => Err("broken".into()),
        });
        assert_eq!(result.unwrap_err().to_string(), "x, b: broken");
    }
}
