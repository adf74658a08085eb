//! Ours, theirs, ours, theirs.
//!
//! On a machine shared with others the speed of everything drifts from minute to minute. Ten rounds
//! of ours and then ten of theirs compare two different hours. Taken in turn, each round of ours has
//! a round of theirs next to it, and the two can be divided by each other (see `stats.rs`).
//!
//! ```text
//! time ->   ours₁ theirs₁ ours₂ theirs₂ ours₃ theirs₃
//! pairs     └──────┘      └──────┘      └──────┘
//! ```

use crate::Result;
use crate::progress::Progress;

/// Takes rounds in turn and tells the person about it.
pub struct Rounds {
    /// Rounds for each side.
    pub count: usize,
    /// Names of ours and theirs, for the progress line.
    pub names: [&'static str; 2],
    /// The progress line.
    pub progress: Progress,
}

impl Rounds {
    /// Calls `measure` with side 0 (ours), side 1 (theirs), side 0 … and collects what each gave.
    /// `seconds` is what one call was planned to take.
    pub fn interleave<T>(
        &mut self,
        what: &str,
        seconds: f64,
        mut measure: impl FnMut(usize) -> Result<T>,
    ) -> Result<[Vec<T>; 2]> {
        let mut results = [Vec::new(), Vec::new()];
        for round in 1..=self.count {
            for (side, results) in results.iter_mut().enumerate() {
                let (count, name) = (self.count, self.names[side]);
                self.progress.step(&format!("{what}, round {round} of {count}, {name}"), seconds);
                let result = measure(side);
                results.push(result.map_err(|error| format!("{what}, {name}: {error}"))?);
            }
        }
        Ok(results)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_take_turns() {
        let mut rounds = Rounds { count: 3, names: ["a", "b"], progress: Progress::new(1.0) };
        let mut order = Vec::new();
        let results = rounds.interleave("x", 0.1, |side| {
            order.push(side);
            Ok(order.len())
        });
        assert_eq!(results.unwrap(), [vec![1, 3, 5], vec![2, 4, 6]]);
        assert_eq!(order, [0, 1, 0, 1, 0, 1]);
    }

    #[test]
    fn a_failure_says_where() {
        let mut rounds = Rounds { count: 1, names: ["a", "b"], progress: Progress::new(1.0) };
        let result = rounds.interleave("x", 0.1, |side| match side {
            0 => Ok(()),
            _ => Err("broken".into()),
        });
        assert_eq!(result.unwrap_err().to_string(), "x, b: broken");
    }
}
