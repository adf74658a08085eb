//! The table of types.
//!
//! ```text
//! type        OID    value            text
//! int4         23    Int(-7)          -7
//! char(5)    1042    Text("ab   ")    ab___      padded with spaces, which comparisons ignore
//! timestamp  1114    Timestamp(0)     2000-01-01 00:00:00
//! ```
//!
//! A value does not know its type; the plan does. That keeps values small and comparisons short:
//! the integer types share one variant, because the wider type holds every value of the narrower
//! ones.
//!
//! PostgreSQL's `pg_type` and `utils/adt`. There, a type is a row with the functions that read,
//! write and compare it, so that types can be added; ours are fixed. Text compares by bytes, the
//! collation C.

use super::{Value, binary, numeric, text};
use crate::error::{Result, SqlError, code};

/// The types: what `pg_type` says about each, as `size oid name, name in messages, category`.
macro_rules! types {
    ($($base:ident: $size:literal $oid:literal $name:literal $long:literal $category:ident),+ $(,)?)
    => {
        /// A type of a column or expression.
        #[expect(missing_docs, reason = "the table has their names")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Type { $($base),+ }

        impl Type {
            /// All types.
            pub const ALL: &[Type] = &[$(Type::$base),+];

            /// Bytes of a value, or a negative number if they vary.
            pub fn size(self) -> i16 {
                match self { $(Type::$base => $size),+ }
            }

            /// PostgreSQL's number for it.
            pub fn oid(self) -> u32 {
                match self { $(Type::$base => $oid),+ }
            }

            /// The name in `pg_type`.
            pub fn internal_name(self) -> &'static str {
                match self { $(Type::$base => $name),+ }
            }

            /// The name in error messages.
            pub fn name(self) -> &'static str {
                match self { $(Type::$base => $long),+ }
            }

            /// Its kind.
            pub fn category(self) -> Category {
                match self { $(Type::$base => Category::$category),+ }
            }
        }
    };
}

types! {
    Bool: 1 16 "bool" "boolean" Boolean,
    Int2: 2 21 "int2" "smallint" Numeric,
    Int4: 4 23 "int4" "integer" Numeric,
    Int8: 8 20 "int8" "bigint" Numeric,
    Oid: 4 26 "oid" "oid" Numeric,
    Float4: 4 700 "float4" "real" Numeric,
    Float8: 8 701 "float8" "double precision" Numeric,
    Numeric: -1 1700 "numeric" "numeric" Numeric,
    Text: -1 25 "text" "text" String,
    Varchar: -1 1043 "varchar" "character varying" String,
    Bpchar: -1 1042 "bpchar" "character" String,
    Name: 64 19 "name" "name" String,
    Bytea: -1 17 "bytea" "bytea" User,
    Date: 4 1082 "date" "date" DateTime,
    Timestamp: 8 1114 "timestamp" "timestamp without time zone" DateTime,
    TimestampTz: 8 1184 "timestamptz" "timestamp with time zone" DateTime,
    Uuid: 16 2950 "uuid" "uuid" User,
    // One byte of text, by which the catalog tells kinds of things.
    Char: 1 18 "char" "\"char\"" Internal,
    // OIDs that are shown as the names of what they number.
    Regclass: 4 2205 "regclass" "regclass" Numeric,
    Regtype: 4 2206 "regtype" "regtype" Numeric,
    Regnamespace: 4 4089 "regnamespace" "regnamespace" Numeric,
    // Arrays are named for their elements. No table has columns of these types.
    Int2Vector: -1 22 "int2vector" "int2vector" Array,
    BoolArray: -1 1000 "_bool" "boolean[]" Array,
    ByteaArray: -1 1001 "_bytea" "bytea[]" Array,
    CharArray: -1 1002 "_char" "\"char\"[]" Array,
    NameArray: -1 1003 "_name" "name[]" Array,
    Int2Array: -1 1005 "_int2" "smallint[]" Array,
    Int4Array: -1 1007 "_int4" "integer[]" Array,
    TextArray: -1 1009 "_text" "text[]" Array,
    BpcharArray: -1 1014 "_bpchar" "character[]" Array,
    VarcharArray: -1 1015 "_varchar" "character varying[]" Array,
    Int8Array: -1 1016 "_int8" "bigint[]" Array,
    Float4Array: -1 1021 "_float4" "real[]" Array,
    Float8Array: -1 1022 "_float8" "double precision[]" Array,
    OidArray: -1 1028 "_oid" "oid[]" Array,
    AclItemArray: -1 1034 "_aclitem" "aclitem[]" Array,
    TimestampArray: -1 1115 "_timestamp" "timestamp without time zone[]" Array,
    DateArray: -1 1182 "_date" "date[]" Array,
    TimestampTzArray: -1 1185 "_timestamptz" "timestamp with time zone[]" Array,
    NumericArray: -1 1231 "_numeric" "numeric[]" Array,
    UuidArray: -1 2951 "_uuid" "uuid[]" Array,
    // A quoted literal, a parameter or NULL, before something decides its type.
    Unknown: -2 705 "unknown" "unknown" Unknown,
}

/// Kinds of types. An operator prefers arguments of the kind it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// `bool`
    Boolean,
    /// Numbers.
    Numeric,
    /// Characters.
    String,
    /// Days and moments.
    DateTime,
    /// Types on their own.
    User,
    /// Lists of values.
    Array,
    /// Types of the catalog.
    Internal,
    /// Not known yet.
    Unknown,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As `psql` shows it.
    Text,
    /// As its type is sent.
    Binary,
}

/// A type with its modifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnType {
    /// The type.
    pub base: Type,
    /// The n of `char(n)` and `varchar(n)`, plus 4; for `numeric(p,s)` p in the upper 16 bits and s
    /// in the lower, plus 4, as PostgreSQL stores it; else -1.
    pub modifier: i32,
}

impl Type {
    /// The type of this number.
    pub fn from_oid(oid: u32) -> Option<Type> {
        Type::ALL.iter().copied().find(|it| it.oid() == oid)
    }

    /// The type of this name in `pg_type`.
    pub fn named(name: &str) -> Option<Type> {
        let is_meant = |it: &Type| it.internal_name() == name && *it != Type::Unknown;
        Type::ALL.iter().copied().find(is_meant)
    }

    /// Returns true if operators prefer it to other types of its category.
    pub fn is_preferred(self) -> bool {
        use Type::{Bool, Float8, Oid, Text, TimestampTz};
        matches!(self, Bool | Oid | Float8 | Text | TimestampTz)
    }

    /// The type of the elements of an array.
    pub fn element(self) -> Option<Type> {
        match self {
            Type::Int2Vector => Some(Type::Int2),
            Type::AclItemArray => Some(Type::Text),
            base => Type::named(base.internal_name().strip_prefix('_')?),
        }
    }

    /// The array type of these elements.
    pub fn array_of(element: Type) -> Option<Type> {
        Type::named(&format!("_{}", element.internal_name()))
    }

    /// Returns true for numbers of objects that are shown as names.
    pub fn is_object(self) -> bool {
        matches!(self, Type::Regclass | Type::Regtype | Type::Regnamespace)
    }

    /// Returns true for `oid` and for those.
    pub fn is_oid(self) -> bool {
        self == Type::Oid || self.is_object()
    }

    /// Returns true for `int2`, `int4` and `int8`.
    pub fn is_integer(self) -> bool {
        matches!(self, Type::Int2 | Type::Int4 | Type::Int8)
    }

    /// Returns true for types whose values are [`Value::Text`].
    pub fn is_text(self) -> bool {
        matches!(self.category(), Category::Internal | Category::String | Category::Unknown)
    }

    /// Bytes of an average value, for estimates.
    pub fn width(self) -> f64 {
        match self.size() {
            size if size > 0 => f64::from(size),
            _ => 32.0,
        }
    }

    /// Without a modifier.
    pub fn plain(self) -> ColumnType {
        ColumnType { base: self, modifier: -1 }
    }

    /// Reads a value as it is typed or sent as text.
    ///
    /// # Errors
    /// `22P02`, `22003`, `22007` or `22008` with PostgreSQL's message.
    pub fn parse(self, text: &str) -> Result<Value> {
        text::parse(self, text)
    }

    /// Reads a value as it is sent in binary.
    ///
    /// # Errors
    /// `22P03` if the length is wrong, `22021` if text is not UTF-8.
    pub fn receive(self, bytes: &[u8]) -> Result<Value> {
        binary::receive(self, bytes)
    }

    /// Appends a value as it is sent. `value` is of this type and not NULL.
    pub fn send(self, value: &Value, format: Format, out: &mut Vec<u8>) {
        match format {
            Format::Text => text::print(self, value, out),
            Format::Binary => binary::send(self, value, out),
        }
    }

    /// A value as text.
    pub fn text_of(self, value: &Value) -> String {
        let mut out = Vec::new();
        text::print(self, value, &mut out);
        String::from_utf8(out).expect("values are printed as UTF-8")
    }

    /// As `format_type` writes it with the modifier -1: `character` would be `character(1)`.
    pub fn declared_name(self) -> &'static str {
        if self == Type::Bpchar { "bpchar" } else { self.name() }
    }

    /// A constant of this type as SQL.
    pub fn literal(self, value: &Value) -> String {
        let text = match value {
            Value::Null => return format!("NULL::{}", self.declared_name()),
            Value::Bool(on) => return on.to_string(),
            value => self.text_of(value),
        };
        let is_plain = matches!(value, Value::Numeric(_)) || self == Type::Int4;
        match is_plain && !text.starts_with('-') {
            true => text,
            false => format!("'{}'::{}", text.replace('\'', "''"), self.declared_name()),
        }
    }

    /// Returns true if an integer is within the range of this type.
    pub fn holds(self, number: i64) -> bool {
        match self {
            Type::Int2 => i16::try_from(number).is_ok(),
            Type::Int4 => i32::try_from(number).is_ok(),
            it if it.is_oid() => u32::try_from(number).is_ok(),
            _ => true,
        }
    }

    /// The error for a number that this type does not hold.
    pub fn out_of_range(self) -> SqlError {
        let text = match self {
            it if it.is_oid() => "OID out of range".to_owned(),
            Type::Float4 | Type::Float8 => "value out of range: overflow".to_owned(),
            other => format!("{} out of range", other.name()),
        };
        SqlError::new(code::NUMERIC_VALUE_OUT_OF_RANGE, text)
    }
}

impl ColumnType {
    /// Makes a value fit a column: checks the range, rounds, pads and cuts.
    ///
    /// # Errors
    /// `22003` or `22001` if it does not fit.
    pub fn fit(self, value: Value) -> Result<Value> {
        self.fitted(value, false)
    }

    /// The same for an explicit cast, which cuts text that is too long.
    pub fn fit_or_cut(self, value: Value) -> Result<Value> {
        self.fitted(value, true)
    }

    fn fitted(self, value: Value, cut_anything: bool) -> Result<Value> {
        match value {
            Value::Int(number) if !self.base.holds(number) => Err(self.base.out_of_range()),
            Value::Text(text) => self.fit_text(text, cut_anything).map(Value::Text),
            Value::Array(all) if let Some(base) = self.base.element() => {
                let fit = |it: &Value| ColumnType { base, ..self }.fitted(it.clone(), cut_anything);
                all.iter().map(fit).collect::<Result<Vec<_>>>().map(Value::from)
            }
            Value::Numeric(number) if self.modifier >= 4 => {
                let (precision, scale) = self.precision_and_scale();
                numeric::fit(&number, precision, scale).map(Value::from)
            }
            Value::Float(special) if self.modifier >= 4 && special.0.is_infinite() => {
                let (precision, scale) = self.precision_and_scale();
                Err(numeric::no_fit(precision, scale, "cannot hold an infinite value"))
            }
            value => Ok(value),
        }
    }

    /// The p and s of `numeric(p,s)`.
    fn precision_and_scale(self) -> (u32, i64) {
        let packed = self.modifier - 4;
        ((packed >> 16) as u32, i64::from(packed & 0xffff))
    }

    /// As `format_type` shows it: `character(5)`.
    pub fn name(self) -> String {
        let name = self.base.name();
        match self.base {
            _ if self.modifier < 4 => name.to_owned(),
            array if let Some(base) = array.element() => ColumnType { base, ..self }.name() + "[]",
            Type::Numeric => {
                let (precision, scale) = self.precision_and_scale();
                format!("{name}({precision},{scale})")
            }
            _ => format!("{name}({})", self.modifier - 4),
        }
    }

    fn fit_text(self, mut text: String, cut_anything: bool) -> Result<String> {
        let limit = (self.modifier - 4) as usize;
        if self.modifier < 4 || !self.base.is_text() {
            return Ok(text);
        }

        let length = text.chars().count();
        if length > limit {
            // The standard allows to cut spaces, and nothing else.
            let cut = text.char_indices().nth(limit).expect("the text is longer").0;
            if !cut_anything && text[cut..].bytes().any(|byte| byte != b' ') {
                let text = format!("value too long for type {}", self.name());
                return Err(SqlError::new(code::STRING_DATA_RIGHT_TRUNCATION, text));
            }
            text.truncate(cut);
        } else if self.base == Type::Bpchar {
            let padded = text.len() + limit - length;
            let mut bytes = text.into_bytes();
            bytes.resize(padded, b' ');
            return Ok(String::from_utf8(bytes).expect("spaces after text"));
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::compare;

    #[test]
    fn text_and_binary_come_back() {
        for (base, text) in [
            (Type::Bool, "t"),
            (Type::Int2, "-32768"),
            (Type::Int4, "-1"),
            (Type::Int8, "9223372036854775807"),
            (Type::Oid, "4294967295"),
            (Type::Float4, "0.1"),
            (Type::Float8, "-1.5e-07"),
            (Type::Float8, "NaN"),
            (Type::Numeric, "-12345678901234567890.00100"),
            (Type::Numeric, "0.000001"),
            (Type::Numeric, "10000"),
            (Type::Numeric, "0.00"),
            (Type::Numeric, "NaN"),
            (Type::Numeric, "Infinity"),
            (Type::Numeric, "-Infinity"),
            (Type::Text, "it's"),
            (Type::Bytea, "\\x00ff"),
            (Type::Date, "1999-12-31"),
            (Type::Uuid, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
            (Type::Timestamp, "2026-11-28 23:00:49.123456"),
            (Type::Timestamp, "1999-12-31 23:59:59"),
            (Type::TimestampTz, "2000-01-01 00:00:00.5+00"),
        ] {
            let value = base.parse(text).expect(text);
            assert_eq!(base.text_of(&value), text);
            let mut binary = Vec::new();
            base.send(&value, Format::Binary, &mut binary);
            assert_eq!(base.receive(&binary), Ok(value.clone()), "{text}");
            assert_eq!(base.text_of(&base.receive(&binary).expect("sent")), text);
        }
    }

    #[test]
    fn what_is_no_number_is_told_from_what_is_too_large() {
        let code = |base: Type, text| base.parse(text).expect_err(text).code;
        assert_eq!(code(Type::Int4, "1x"), code::INVALID_TEXT_REPRESENTATION);
        assert_eq!(code(Type::Int4, "2147483648"), code::NUMERIC_VALUE_OUT_OF_RANGE);
        assert_eq!(code(Type::Int8, "9223372036854775808"), code::NUMERIC_VALUE_OUT_OF_RANGE);
        assert_eq!(code(Type::Timestamp, "Smarch 1"), code::INVALID_DATETIME_FORMAT);
        assert_eq!(code(Type::Date, "2023-02-29"), "22008");
    }

    #[test]
    fn char_is_padded_and_only_spaces_are_cut() {
        let char_3 = ColumnType { base: Type::Bpchar, modifier: 7 };
        let fit = |text: &str| char_3.fit(Value::Text(text.into()));
        assert_eq!(fit("é"), Ok(Value::Text("é  ".into())));
        assert_eq!(fit("abc   "), Ok(Value::Text("abc".into())));
        let error = fit("abcd").expect_err("four characters");
        assert_eq!(error.message, "value too long for type character(3)");
        assert!(compare(&Value::Text("a".into()), &Value::Text("a  ".into()), true).is_eq());
    }

    #[test]
    fn numeric_is_rounded_to_its_scale() {
        let column = ColumnType { base: Type::Numeric, modifier: (5 << 16 | 2) + 4 };
        let fit = |text: &str| column.fit(Type::Numeric.parse(text).expect(text));
        assert_eq!(Type::Numeric.text_of(&fit("1.005").expect("fits")), "1.01");
        assert_eq!(Type::Numeric.text_of(&fit("-7").expect("fits")), "-7.00");
        assert_eq!(fit("999.995").expect_err("1000.00").code, code::NUMERIC_VALUE_OUT_OF_RANGE);
        assert_eq!(fit("-inf").expect_err("infinite").code, code::NUMERIC_VALUE_OUT_OF_RANGE);
        assert_eq!(Type::Numeric.text_of(&fit("nan").expect("no number")), "NaN");
    }
}
