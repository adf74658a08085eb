//! What lies outside the cache and has to change with its parameters: addresses, the working
//! folder, limits of the process (the `apply` functions of `config.c`).
//!
//! ```text
//! CONFIG SET port 7000 ─> texts checked ─> World::follow: bind port 7000 ─> parameters in force
//!                                               └─ taken: nothing has changed, the reply says why
//! ```
//!
//! The engine does no input or output. Whoever runs it hands one of these in; in tests there is
//! none, and parameters change by themselves.

use super::config::{ConfigError, Settings};

/// The surroundings of a cache.
pub trait World: Send + Sync {
    /// Makes the surroundings fit new settings.
    ///
    /// # Errors
    /// Why they cannot be made to; then they are as before.
    fn follow(&self, before: &Settings, after: &Settings) -> Result<(), ConfigError>;

    /// Writes a line into the log.
    fn log(&self, line: &str);
}
