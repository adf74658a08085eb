//! How far the run is: a progress bar on standard error.
//!
//! The plan of a run estimates how many seconds each step takes. The bar counts planned seconds, so
//! indicatif's estimate of the time to go corrects the plan by how wrong it was so far.
//!
//! ```text
//! [ 41%] 3m to go   redis-benchmark: SET P16 c50 3 B, round 3 of 5, Redis
//! ```

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// If standard error is not a terminal, a line this often shows that the run is alive.
const QUIET_INTERVAL: Duration = Duration::from_secs(20);

/// Counts planned seconds.
pub struct Progress {
    bar: ProgressBar,
    last_line: Option<Instant>,
}

impl Progress {
    /// Begins a run of about `planned` seconds.
    pub fn new(planned: f64) -> Progress {
        let style = ProgressStyle::with_template("[{percent:>3}%] {eta} to go   {wide_msg}");
        let bar = ProgressBar::new(milliseconds(planned));
        bar.set_style(style.expect("the template is a constant"));
        Progress { bar, last_line: None }
    }

    /// Shows the next step, planned to take `seconds`.
    pub fn step(&mut self, what: &str, seconds: f64) {
        self.bar.set_message(what.to_owned());
        let silent = self.last_line.is_some_and(|last| last.elapsed() < QUIET_INTERVAL);
        if self.bar.is_hidden() && !silent {
            let percent = 100 * self.bar.position() / self.bar.length().unwrap_or(1).max(1);
            eprintln!("[{percent:>3}%] {what}");
            self.last_line = Some(Instant::now());
        }
        self.bar.inc(milliseconds(seconds));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn milliseconds(seconds: f64) -> u64 {
    (1000.0 * seconds) as u64
}
