//! How far the run is: one line on standard error that is written over and over.
//!
//! The plan of a run says beforehand roughly how many seconds each step costs. What is left of the
//! plan, times how wrong the plan has been so far, is the time still to go.
//!
//! ```text
//! [ 41%] 2 min 50 s to go   redis-benchmark: SET P16 c50 3 B, round 3 of 5, Redis
//! ```

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Where standard error is no terminal, a line every now and then shows that the run is alive.
const QUIET_INTERVAL: Duration = Duration::from_secs(20);

/// Counts planned seconds down.
pub struct Progress {
    planned: f64,
    done: f64,
    began: Instant,
    said: Option<Instant>,
    terminal: bool,
}

impl Progress {
    /// Begins a run of about `planned` seconds.
    pub fn new(planned: f64) -> Progress {
        let terminal = std::io::stderr().is_terminal();
        Progress { planned, done: 0.0, began: Instant::now(), said: None, terminal }
    }

    /// Says what comes next and that it was planned to take `seconds`.
    pub fn step(&mut self, what: &str, seconds: f64) {
        let line = line(self.planned, self.done, self.began.elapsed().as_secs_f64(), what);
        self.done += seconds;
        let silent = self.said.is_some_and(|said| said.elapsed() < QUIET_INTERVAL);
        if self.terminal {
            eprint!("\r\x1b[2K{}", line.chars().take(100).collect::<String>());
        } else if !silent {
            eprintln!("{line}");
            self.said = Some(Instant::now());
        }
        let _ = std::io::stderr().flush();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.terminal {
            eprint!("\r\x1b[2K");
        }
    }
}

fn line(planned: f64, done: f64, elapsed: f64, what: &str) -> String {
    let pace = if done > 0.0 { elapsed / done } else { 1.0 };
    let left = ((planned - done).max(0.0) * pace).round() as u64;
    let percent = (100.0 * done / planned.max(1e-9)).min(100.0);
    format!("[{percent:>3.0}%] {} min {:02} s to go   {what}", left / 60, left % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_go_learns_from_the_time_gone() {
        assert_eq!(line(100.0, 0.0, 0.0, "a"), "[  0%] 1 min 40 s to go   a");
        assert_eq!(line(100.0, 50.0, 100.0, "b"), "[ 50%] 1 min 40 s to go   b");
        assert_eq!(line(100.0, 110.0, 90.0, "c"), "[100%] 0 min 00 s to go   c");
    }
}
