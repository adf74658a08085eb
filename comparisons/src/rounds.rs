//! Ours, theirs, ours, theirs.
//!
//! The speed of a shared machine drifts from minute to minute. Ten rounds of ours and then ten of
//! theirs would compare two different minutes. Taken in turn, each round of ours is next to one of
//! theirs, and the two can be divided by each other (see `stats.rs`).
//!
//! A round asks all questions before the next one begins, with processes started for it. A server
//! compared with itself was once 10 % faster in one process than in the other for all five rounds
//! of one command, and level in the next run: the layout of one process is luck, and five rounds in
//! one process would print it as a difference.
//!
//! ```text
//! time ->   ours₁ SET  theirs₁ SET  ours₁ GET  theirs₁ GET …  restart  ours₂ SET  theirs₂ SET …
//! pairs     └───────────────┘       └───────────────┘                  └───────────────┘
//! ```

use crate::Result;
use crate::progress::Progress;

/// Gives each side its turn and shows the progress.
pub struct Rounds {
    /// Rounds of each question.
    pub count: usize,
    /// Names of ours and theirs, for the progress line.
    pub names: [&'static str; 2],
    /// The progress line.
    pub progress: Progress,
}

impl Rounds {
    /// Calls `measure` with side 0 (ours), then with side 1 (theirs). `seconds` is the planned time
    /// of one call.
    ///
    /// # Errors
    /// The error of `measure`, with the question and the side in front.
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

    /// All rounds of one question, for questions that start their own servers.
    ///
    /// # Errors
    /// As [`Rounds::turn`].
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

/// Appends the results of a turn.
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
