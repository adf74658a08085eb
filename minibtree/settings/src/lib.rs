//! SET and SHOW: what clients send when they start.
//!
//! A setting that would change what a query returns is only accepted if it asks for what is the
//! case anyway:
//!
//! ```
//! use minibtree_settings::{LOCK_TIMEOUT, Settings};
//! use std::time::Duration;
//!
//! let mut settings = Settings::default();
//! settings.set("lock_timeout", "90s")?;
//! assert_eq!(settings.timeout(LOCK_TIMEOUT), Some(Duration::from_secs(90)));
//! assert_eq!(settings.show("lock_timeout")?, "90s");
//!
//! settings.set("TimeZone", "UTC")?;
//! let error = settings.set("TimeZone", "Europe/Berlin").expect_err("refused");
//! assert_eq!(error.code, "0A000");
//! # Ok::<(), minibtree_types::error::SqlError>(())
//! ```
//!
//! PostgreSQL's `guc.c`.

use minibtree_cost::{Model, methods::Methods};
use minibtree_types::error::{Result, SqlError, code};
use minibtree_types::{error, unsupported};
use std::collections::BTreeMap;
use std::time::Duration;

/// Settings that change nothing here, with their defaults. Any value is accepted and shown.
const FREE: &str = " application_name= client_min_messages=notice default_toast_compression=pglz \
    escape_string_warning=on force_parallel_mode=off geqo=on geqo_threshold=12 jit=on \
    jit_above_cost=100000 max_parallel_workers_per_gather=0 \
    min_parallel_table_scan_size=8MB parallel_leader_participation=on parallel_setup_cost=1000 \
    parallel_tuple_cost=0.1 random_page_cost=4 seq_page_cost=1 ";

/// Settings with one value, in the forms in which clients write it.
const FIXED: [(&str, &[&str]); 18] = [
    ("bytea_output", &["hex"]),
    ("client_encoding", &["UTF8", "utf8", "UTF-8", "utf-8", "unicode"]),
    ("datestyle", &["ISO, MDY", "iso, mdy", "ISO", "iso", "ISO,MDY"]),
    ("default_transaction_read_only", &["off", "false"]),
    // Fewer digits would be other numbers.
    ("extra_float_digits", &["1", "2", "3"]),
    ("integer_datetimes", &["on"]),
    ("intervalstyle", &["postgres"]),
    ("lc_numeric", &["C"]),
    ("role", &["none"]),
    ("row_security", &["on", "off"]),
    ("search_path", &["\"$user\", public", "$user, public", "public"]),
    ("server_encoding", &["UTF8"]),
    ("server_version", &["15.0"]),
    ("standard_conforming_strings", &["on", "true"]),
    ("synchronous_commit", &["on"]),
    ("transaction_deferrable", &["off", "false"]),
    ("transaction_read_only", &["off", "false"]),
    ("timezone", &["UTC", "utc", "Etc/UTC", "GMT", "0"]),
];

/// An isolation level.
pub const READ_COMMITTED: &str = "read committed";
/// An isolation level.
pub const REPEATABLE_READ: &str = "repeatable read";

/// How long a statement may take.
pub const STATEMENT_TIMEOUT: &str = "statement_timeout";
/// How long a client may be silent in a block.
pub const IDLE_TIMEOUT: &str = "idle_in_transaction_session_timeout";
/// How long a statement may wait for a lock.
pub const LOCK_TIMEOUT: &str = "lock_timeout";

/// A unit, and how many of the smallest one it is. Lists begin with the largest.
type Unit = (&'static str, u64);
const TIME: &[Unit] =
    &[("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1)];
const MEMORY: &[Unit] = &[("TB", 1 << 30), ("GB", 1 << 20), ("MB", 1 << 10), ("kB", 1)];

/// Settings that are numbers: the default, the least value, and the units.
const NUMBERS: [(&str, u64, u64, &[Unit]); 5] = [
    (STATEMENT_TIMEOUT, 0, 0, TIME),
    (IDLE_TIMEOUT, 0, 0, TIME),
    (LOCK_TIMEOUT, 0, 0, TIME),
    ("work_mem", 4 << 10, 64, MEMORY),
    ("maintenance_work_mem", 64 << 10, 1_024, MEMORY),
];

/// The settings of a session.
#[derive(Clone, Default)]
pub struct Settings {
    values: BTreeMap<String, String>,
    /// In the smallest unit.
    numbers: BTreeMap<&'static str, u64>,
    methods: Methods,
    /// The isolation level of transactions that do not name one, by its name.
    pub isolation: Option<&'static str>,
}

impl Settings {
    /// SET.
    ///
    /// # Errors
    /// `42704` for a name that is none, `0A000` for a value that we do not have.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let name = name.to_lowercase();
        if value.eq_ignore_ascii_case("default") {
            return self.show(&name).map(|_| self.reset(Some(&name)));
        }
        if name == "transaction_isolation" || name == "default_transaction_isolation" {
            self.isolation = Some(isolation(value)?);
            return Ok(());
        }
        if let Some((name, _, least, units)) = NUMBERS.iter().find(|it| it.0 == name) {
            let text = match number(value, units) {
                Some(number) if number >= *least => {
                    self.numbers.insert(*name, number);
                    return Ok(());
                }
                Some(number) => {
                    let (unit, max) = (units[units.len() - 1].0, i32::MAX);
                    let range = format!("the valid range for parameter \"{name}\"");
                    format!("{number} {unit} is outside {range} ({least} .. {max})")
                }
                None => format!("invalid value for parameter \"{name}\": \"{value}\""),
            };
            return Err(SqlError::new(code::INVALID_PARAMETER_VALUE, text));
        }
        if let Some(set) = self.methods.set(&name, value) {
            return set;
        }
        if free(&name).is_some() {
            self.values.insert(name, value.to_owned());
            return Ok(());
        }
        let (_, values) =
            FIXED.iter().find(|it| it.0 == name).ok_or_else(|| unrecognized(&name))?;
        if values.contains(&value) { Ok(()) } else { Err(unsupported!("{name} = {value}")) }
    }

    /// RESET; all of them without a name.
    pub fn reset(&mut self, name: Option<&str>) {
        let Some(name) = name.map(str::to_lowercase) else { return *self = Settings::default() };
        self.values.remove(&name);
        self.numbers.remove(&*name);
        self.methods.reset(&name);
        if name == "default_transaction_isolation" {
            self.isolation = None;
        }
    }

    /// The limit of a setting that is one of time; `None`: there is none.
    pub fn timeout(&self, name: &str) -> Option<Duration> {
        let ms = self.numbers.get(name).copied().filter(|it| *it > 0);
        ms.map(Duration::from_millis)
    }

    /// The bytes of a setting that is one of memory.
    pub fn memory(&self, name: &str) -> usize {
        let default = NUMBERS.iter().find(|it| it.0 == name).map_or(0, |it| it.1);
        self.numbers.get(name).copied().unwrap_or(default) as usize * 1024
    }

    /// What the planner counts with.
    pub fn cost_model(&self) -> Model {
        Model { methods: self.methods.clone(), work_mem: self.memory("work_mem") as f64 }
    }

    /// SHOW.
    ///
    /// # Errors
    /// `42704` for a name that is none.
    pub fn show(&self, name: &str) -> Result<String> {
        let name = name.to_lowercase();
        if name == "transaction_isolation" || name == "default_transaction_isolation" {
            return Ok(self.isolation.unwrap_or(READ_COMMITTED).to_owned());
        }
        if let Some((_, default, _, units)) = NUMBERS.iter().find(|it| it.0 == name) {
            let number = self.numbers.get(&*name).unwrap_or(default);
            let unit = units.iter().find(|it| *number > 0 && number.is_multiple_of(it.1));
            let text = unit.map(|(unit, size)| format!("{}{unit}", number / size));
            return Ok(text.unwrap_or("0".to_owned()));
        }
        let set = self.values.get(&name).map(String::as_str);
        let fixed = || FIXED.iter().find(|it| it.0 == name).map(|it| it.1[0]);
        let value = set.or_else(|| free(&name)).or_else(fixed).or_else(|| self.methods.show(&name));
        value.map(str::to_owned).ok_or_else(|| unrecognized(&name))
    }
}

/// The default of a setting that is free.
fn free(name: &str) -> Option<&'static str> {
    FREE.split(' ').find_map(|it| it.strip_prefix(name)?.strip_prefix('='))
}

/// `100`, `'100ms'` or `'2min'` in the smallest unit.
fn number(value: &str, units: &[Unit]) -> Option<u64> {
    let value = value.trim();
    let digits = value.trim_end_matches(|it: char| !it.is_ascii_digit());
    let unit = value[digits.len()..].trim();
    let size =
        if unit.is_empty() { Some(1) } else { units.iter().find(|it| it.0 == unit).map(|it| it.1) };
    digits.parse::<u64>().ok()?.checked_mul(size?).filter(|it| *it <= i32::MAX as u64)
}

fn unrecognized(name: &str) -> SqlError {
    error!(UNDEFINED_OBJECT, "unrecognized configuration parameter \"{name}\"")
}

/// The isolation level of this name. READ UNCOMMITTED is READ COMMITTED, as in PostgreSQL.
///
/// # Errors
/// `0A000` for SERIALIZABLE, `22023` for others.
pub fn isolation(name: &str) -> Result<&'static str> {
    match name.to_lowercase().as_str() {
        READ_COMMITTED | "read uncommitted" => Ok(READ_COMMITTED),
        REPEATABLE_READ => Ok(REPEATABLE_READ),
        "serializable" => Err(SqlError::unsupported("ISOLATION LEVEL SERIALIZABLE")),
        _ => {
            let text = format!("invalid value for parameter \"transaction_isolation\": \"{name}\"");
            Err(SqlError::new(code::INVALID_PARAMETER_VALUE, text))
        }
    }
}
