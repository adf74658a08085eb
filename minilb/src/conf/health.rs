//! `health_check` and `circuit_breaker`.
//!
//! ```text
//! health_check interval=5s jitter=1s fails=2 passes=3 uri=/health;
//! circuit_breaker consecutive=5 errors=50% requests=20 window=10s open=30s
//!                 stdev=1.9 max_ejected=50% panic=50% retries=20%;
//! ```
//!
//! Every parameter may be left out. The first directive is that of NGINX Plus; its parameters
//! `mandatory`, `persistent`, `match`, `port`, `type` and `keepalive_time` are refused. The second
//! one is our own.

use super::values::{Precision, decimal, number, time};
use crate::engine::health::breaker::BreakerParams;
use crate::engine::health::check::CheckParams;

/// Reads the arguments of `health_check`; by HTTP if `is_http`.
///
/// # Errors
/// If a parameter is unknown or its value invalid.
pub fn health_check(arguments: &[String], is_http: bool) -> Result<CheckParams, String> {
    let mut params = CheckParams::default();
    if is_http {
        params.uri = Some("/".into());
    }
    for parameter in arguments {
        let invalid = || format!("invalid parameter \"{parameter}\"");
        let (key, value) = parameter.split_once('=').ok_or_else(invalid)?;
        match key {
            "interval" => params.interval_ms = milliseconds(value).ok_or_else(invalid)?.max(1),
            "jitter" => params.jitter_ms = milliseconds(value).ok_or_else(invalid)?,
            "fails" => params.fails = positive(value).ok_or_else(invalid)?,
            "passes" => params.passes = positive(value).ok_or_else(invalid)?,
            // It is sent as it is, so it must not end the request line.
            "uri" if is_http => {
                let is_path = value.starts_with('/') && value.bytes().all(|it| it > b' ');
                params.uri = Some(is_path.then_some(value).ok_or_else(invalid)?.into());
            }
            _ => return Err(invalid()),
        }
    }
    Ok(params)
}

/// Reads the arguments of `circuit_breaker`.
///
/// # Errors
/// If a parameter is unknown or its value invalid.
pub fn circuit_breaker(arguments: &[String]) -> Result<BreakerParams, String> {
    let mut params = BreakerParams::default();
    for parameter in arguments {
        let invalid = || format!("invalid parameter \"{parameter}\"");
        let (key, value) = parameter.split_once('=').ok_or_else(invalid)?;
        let percent = || value.strip_suffix('%').and_then(count).filter(|it| *it <= 100);
        match key {
            "consecutive" => params.consecutive = count(value).ok_or_else(invalid)?,
            "errors" => params.errors_percent = percent().ok_or_else(invalid)?,
            "requests" => params.requests = positive(value).ok_or_else(invalid)?,
            "window" => params.window_ms = milliseconds(value).ok_or_else(invalid)?.max(10),
            "open" => params.open_ms = milliseconds(value).ok_or_else(invalid)?,
            "stdev" => {
                let milli = decimal(value, 3).filter(|it| *it <= 100_000);
                params.stdev_milli = milli.ok_or_else(invalid)? as u32;
            }
            "max_ejected" => params.max_ejected_percent = percent().ok_or_else(invalid)?,
            "panic" => params.panic_percent = percent().ok_or_else(invalid)?,
            "retries" => params.retries_percent = Some(percent().ok_or_else(invalid)?),
            _ => return Err(invalid()),
        }
    }
    Ok(params)
}

/// A time of at most a day, which no sum of such times overflows.
fn milliseconds(text: &str) -> Option<u64> {
    const DAY_MS: u64 = 24 * 60 * 60 * 1000;
    let ms = time(text, Precision::Milliseconds)?.as_millis();
    u64::try_from(ms).ok().filter(|it| *it <= DAY_MS)
}

fn count(text: &str) -> Option<u32> {
    number(text).and_then(|it| u32::try_from(it).ok())
}

fn positive(text: &str) -> Option<u32> {
    count(text).filter(|it| *it > 0)
}
