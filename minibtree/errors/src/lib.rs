//! An error as PostgreSQL's clients know it: a SQLSTATE, a message, and what to do about it.
//!
//! ```
//! use minibtree_errors::{SqlError, code};
//!
//! let error = SqlError::new(code::UNDEFINED_TABLE, "relation \"t\" does not exist");
//! assert_eq!(error.to_string(), "ERROR: relation \"t\" does not exist (SQLSTATE 42P01)");
//! ```
//!
//! Drivers decide by the code, so the codes are PostgreSQL's (`utils/errcodes.txt`): pgbench runs a
//! transaction again after `40001` and `40P01`. Drivers show the names of tables, columns and
//! constraints, which [`relations`] adds. PostgreSQL's `elog.c` also sends the source file and
//! line; ours does not.

pub mod queries;
pub mod relations;

use std::fmt;
use std::io;

/// The SQLSTATEs that the server uses, by PostgreSQL's names.
pub mod code {
    #![expect(missing_docs, reason = "the names are those of errcodes.txt")]

    pub const SUCCESSFUL_COMPLETION: &str = "00000";
    pub const PROTOCOL_VIOLATION: &str = "08P01";
    pub const FEATURE_NOT_SUPPORTED: &str = "0A000";
    pub const CARDINALITY_VIOLATION: &str = "21000";
    pub const STRING_DATA_RIGHT_TRUNCATION: &str = "22001";
    pub const NUMERIC_VALUE_OUT_OF_RANGE: &str = "22003";
    pub const NULL_VALUE_NOT_ALLOWED: &str = "22004";
    pub const INVALID_DATETIME_FORMAT: &str = "22007";
    pub const DATETIME_FIELD_OVERFLOW: &str = "22008";
    pub const INVALID_TIME_ZONE_DISPLACEMENT: &str = "22009";
    pub const DIVISION_BY_ZERO: &str = "22012";
    pub const INVALID_REGULAR_EXPRESSION: &str = "2201B";
    pub const INVALID_ARGUMENT_FOR_LOG: &str = "2201E";
    pub const INVALID_ARGUMENT_FOR_POWER: &str = "2201F";
    pub const INVALID_ARGUMENT_FOR_WIDTH_BUCKET: &str = "2201G";
    pub const INVALID_ROW_COUNT_IN_LIMIT: &str = "2201W";
    pub const INVALID_ROW_COUNT_IN_OFFSET: &str = "2201X";
    pub const CHARACTER_NOT_IN_REPERTOIRE: &str = "22021";
    pub const ARRAY_SUBSCRIPT_ERROR: &str = "2202E";
    pub const INVALID_PARAMETER_VALUE: &str = "22023";
    pub const INVALID_ESCAPE_SEQUENCE: &str = "22025";
    pub const INVALID_TEXT_REPRESENTATION: &str = "22P02";
    pub const INVALID_BINARY_REPRESENTATION: &str = "22P03";
    pub const BAD_COPY_FILE_FORMAT: &str = "22P04";
    pub const NOT_NULL_VIOLATION: &str = "23502";
    pub const FOREIGN_KEY_VIOLATION: &str = "23503";
    pub const UNIQUE_VIOLATION: &str = "23505";
    pub const CHECK_VIOLATION: &str = "23514";
    pub const ACTIVE_SQL_TRANSACTION: &str = "25001";
    pub const NO_ACTIVE_SQL_TRANSACTION: &str = "25P01";
    pub const IN_FAILED_SQL_TRANSACTION: &str = "25P02";
    pub const IDLE_IN_TRANSACTION_SESSION_TIMEOUT: &str = "25P03";
    pub const INVALID_SQL_STATEMENT_NAME: &str = "26000";
    pub const INVALID_AUTHORIZATION_SPECIFICATION: &str = "28000";
    pub const INVALID_PASSWORD: &str = "28P01";
    pub const DEPENDENT_OBJECTS_STILL_EXIST: &str = "2BP01";
    pub const INVALID_CURSOR_NAME: &str = "34000";
    pub const INVALID_SAVEPOINT: &str = "3B001";
    pub const UNDEFINED_DATABASE: &str = "3D000";
    pub const UNDEFINED_SCHEMA: &str = "3F000";
    pub const SERIALIZATION_FAILURE: &str = "40001";
    pub const DEADLOCK_DETECTED: &str = "40P01";
    pub const SYNTAX_ERROR: &str = "42601";
    pub const DUPLICATE_COLUMN: &str = "42701";
    pub const AMBIGUOUS_COLUMN: &str = "42702";
    pub const AMBIGUOUS_PARAMETER: &str = "42P08";
    pub const AMBIGUOUS_ALIAS: &str = "42P09";
    pub const UNDEFINED_COLUMN: &str = "42703";
    pub const UNDEFINED_OBJECT: &str = "42704";
    pub const DUPLICATE_OBJECT: &str = "42710";
    pub const DUPLICATE_ALIAS: &str = "42712";
    pub const AMBIGUOUS_FUNCTION: &str = "42725";
    pub const GROUPING_ERROR: &str = "42803";
    pub const DATATYPE_MISMATCH: &str = "42804";
    pub const WRONG_OBJECT_TYPE: &str = "42809";
    pub const INDETERMINATE_DATATYPE: &str = "42P18";
    pub const WINDOWING_ERROR: &str = "42P20";
    pub const INVALID_COLUMN_REFERENCE: &str = "42P10";
    pub const INVALID_FOREIGN_KEY: &str = "42830";
    pub const CANNOT_COERCE: &str = "42846";
    pub const UNDEFINED_FUNCTION: &str = "42883";
    pub const UNDEFINED_TABLE: &str = "42P01";
    pub const UNDEFINED_PARAMETER: &str = "42P02";
    pub const DUPLICATE_CURSOR: &str = "42P03";
    pub const DUPLICATE_PREPARED_STATEMENT: &str = "42P05";
    pub const DUPLICATE_TABLE: &str = "42P07";
    pub const INVALID_TABLE_DEFINITION: &str = "42P16";
    pub const DISK_FULL: &str = "53100";
    pub const OUT_OF_MEMORY: &str = "53200";
    pub const TOO_MANY_CONNECTIONS: &str = "53300";
    pub const PROGRAM_LIMIT_EXCEEDED: &str = "54000";
    pub const TOO_MANY_COLUMNS: &str = "54011";
    pub const STATEMENT_TOO_COMPLEX: &str = "54001";
    pub const OBJECT_NOT_IN_PREREQUISITE_STATE: &str = "55000";
    pub const OBJECT_IN_USE: &str = "55006";
    pub const LOCK_NOT_AVAILABLE: &str = "55P03";
    pub const QUERY_CANCELED: &str = "57014";
    pub const ADMIN_SHUTDOWN: &str = "57P01";
    pub const IO_ERROR: &str = "58030";
    pub const INTERNAL_ERROR: &str = "XX000";
    pub const DATA_CORRUPTED: &str = "XX001";
}

/// `error!(UNDEFINED_TABLE, "no {name}")`: an error with a code of [`code`] and a message as of
/// `format!`.
#[macro_export]
macro_rules! error {
    ($code:ident, $($message:tt)+) => {
        $crate::SqlError::new($crate::code::$code, format!($($message)+))
    };
}

/// `unsupported!("the join {join}")`: the refusal of what a message as of `format!` names.
#[macro_export]
macro_rules! unsupported {
    ($($what:tt)+) => { $crate::SqlError::unsupported(format!($($what)+)) };
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The statement failed.
    Error,
    /// The connection ends.
    Fatal,
    /// The server ends.
    Panic,
    /// The statement goes on, and something is odd.
    Warning,
    /// The statement goes on.
    Notice,
    /// What the client asked to be told.
    Info,
}

impl Severity {
    /// As it is sent.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "ERROR",
            Severity::Fatal => "FATAL",
            Severity::Panic => "PANIC",
            Severity::Warning => "WARNING",
            Severity::Notice => "NOTICE",
            Severity::Info => "INFO",
        }
    }
}

/// An error or a notice for a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlError {
    /// How bad it is.
    pub severity: Severity,
    /// The SQLSTATE, of five characters.
    pub code: &'static str,
    /// What is wrong, in one line.
    pub message: String,
    /// More about it.
    pub detail: Option<String>,
    /// What to try.
    pub hint: Option<String>,
    /// The character of the statement that it is about, from 1 on.
    pub position: Option<u64>,
    /// What else it is about.
    pub about: Option<Box<About>>,
}

/// Fields that few errors have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// What was being done, like the line of a COPY.
    pub context: Option<String>,
    /// The table, whose schema is `public`.
    pub table: Option<String>,
    /// Its column.
    pub column: Option<String>,
    /// Its constraint or unique index.
    pub constraint: Option<String>,
    /// The function of PostgreSQL that reports it, where drivers look at that.
    pub routine: Option<&'static str>,
}

/// What can fail with an error for the client.
pub type Result<T, E = SqlError> = std::result::Result<T, E>;

impl SqlError {
    /// An error with this SQLSTATE.
    pub fn new(code: &'static str, message: impl Into<String>) -> SqlError {
        let (severity, message) = (Severity::Error, message.into());
        SqlError { severity, code, message, detail: None, hint: None, position: None, about: None }
    }

    /// The refusal of what this server does not do: `0A000`.
    pub fn unsupported(what: impl fmt::Display) -> SqlError {
        SqlError::new(code::FEATURE_NOT_SUPPORTED, format!("{what} is not supported by minibtree"))
    }

    /// The same with another severity.
    pub fn severity(self, severity: Severity) -> SqlError {
        SqlError { severity, ..self }
    }

    /// The same with a second line.
    pub fn detail(self, detail: impl Into<String>) -> SqlError {
        SqlError { detail: Some(detail.into()), ..self }
    }

    /// The same with a place in the statement; 0 is none.
    pub fn at(self, position: u64) -> SqlError {
        SqlError { position: self.position.or((position > 0).then_some(position)), ..self }
    }

    /// The same at the place of an expression, unless it has one. 0 keeps the expressions around
    /// from giving it another one. Errors of values, class 22, are only placed at constants.
    pub fn inside(mut self, place: u64) -> SqlError {
        if !self.code.starts_with("22") {
            self.position.get_or_insert(place);
        }
        self
    }

    /// The same with advice.
    pub fn hint(self, hint: impl Into<String>) -> SqlError {
        SqlError { hint: Some(hint.into()), ..self }
    }

    /// The same with what was being done, unless that is known.
    pub fn context(self, context: impl FnOnce() -> String) -> SqlError {
        self.about(|it| it.context = it.context.take().or_else(|| Some(context())))
    }

    /// The same with the name of a table.
    pub fn table(self, name: &str) -> SqlError {
        self.about(|it| it.table = Some(name.to_owned()))
    }

    /// The same with the name of a column of the table.
    pub fn column(self, name: &str) -> SqlError {
        self.about(|it| it.column = Some(name.to_owned()))
    }

    /// The same with the name of a constraint of the table.
    pub fn constraint(self, name: &str) -> SqlError {
        self.about(|it| it.constraint = Some(name.to_owned()))
    }

    /// The same with the function of PostgreSQL that reports it.
    pub fn routine(self, name: &'static str) -> SqlError {
        self.about(|it| it.routine = Some(name))
    }

    fn about(mut self, set: impl FnOnce(&mut About)) -> SqlError {
        set(self.about.get_or_insert_default());
        self
    }

    /// The fields as clients get them: a letter each, and its text.
    pub fn fields(&self) -> impl Iterator<Item = (u8, String)> {
        let severity = Some(self.severity.name().to_owned());
        let About { context, table, column, constraint, routine } =
            self.about.as_deref().cloned().unwrap_or_default();
        let fields = [
            (b'S', severity.clone()),
            (b'V', severity),
            (b'C', Some(self.code.to_owned())),
            (b'M', Some(self.message.clone())),
            (b'D', self.detail.clone()),
            (b'H', self.hint.clone()),
            (b'P', self.position.map(|it| it.to_string())),
            (b'W', context),
            (b's', table.is_some().then(|| "public".to_owned())),
            (b't', table),
            (b'c', column),
            (b'n', constraint),
            (b'R', routine.map(str::to_owned)),
        ];
        fields.into_iter().filter_map(|(letter, text)| Some((letter, text?)))
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (SQLSTATE {})", self.severity.name(), self.message, self.code)
    }
}

impl std::error::Error for SqlError {}

impl From<io::Error> for SqlError {
    /// `53100` if the disk is full, `58030` if it fails.
    fn from(error: io::Error) -> SqlError {
        let is_full = error.kind() == io::ErrorKind::StorageFull;
        let code = if is_full { code::DISK_FULL } else { code::IO_ERROR };
        SqlError::new(code, error.to_string())
    }
}
