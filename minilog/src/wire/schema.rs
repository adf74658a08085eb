//! Messages as tables: one declaration generates the structs, their codec, their documentation, and
//! the tables for `explain`.
//!
//! Kafka's protocol has some 90 requests in up to 18 versions each. Versions add and remove fields,
//! so a message is declared as a table of fields, each with the versions that have it. The notation
//! is Kafka's: `3+` means every version from 3 on, `0-12` ends at 12.
//!
//! # Example
//!
//! ```
//! use minilog::wire::codec::{Decoder, Encoder, WireType};
//!
//! minilog::wire::schema::message! {
//!     /// Asks for a ticket.
//!     pub struct TicketRequest: key 77, versions 0-2, flexible 2+ {
//!         0+   topic:      Option<String>, null 1+, "what to see; null for anything";
//!         0-1  seats:      i32,                     "replaced by `rows`";
//!         2+   rows:       Vec<Row>,                "where to sit";
//!         Row {
//!             2+ number: i32, "from the front";
//!         }
//!         1+   timeout_ms: i32 = 500,               "how long to queue";
//!     }
//! }
//!
//! let request = TicketRequest {
//!     topic: Some("Metropolis".into()),
//!     rows: vec![Row { number: 7 }],
//!     ..TicketRequest::default()
//! };
//!
//! // Version 2 is flexible: short lengths, and a count of tagged fields after every struct.
//! let mut encoder = Encoder::new(2, true);
//! request.encode(&mut encoder);
//! let bytes = encoder.into_vec();
//! assert_eq!(bytes, b"\x0bMetropolis\x02\0\0\0\x07\0\0\0\x01\xf4\0");
//! assert_eq!(TicketRequest::decode(&mut Decoder::new(bytes.into(), 2, true))?, request);
//!
//! // Version 0 has no rows and no timeout: the receiver sees their defaults.
//! let mut encoder = Encoder::new(0, false);
//! request.encode(&mut encoder);
//! let bytes = encoder.into_vec();
//! assert_eq!(bytes, b"\0\x0aMetropolis\0\0\0\0");
//! let decoded = TicketRequest::decode(&mut Decoder::new(bytes.into(), 0, false))?;
//! assert_eq!((decoded.rows, decoded.timeout_ms), (vec![], 500));
//! # Ok::<(), minilog::wire::codec::DecodeError>(())
//! ```
//!
//! # The syntax of a row
//!
//! `versions name: Type = default, null N+, "meaning";` where
//!
//! * the type is an integer, `bool`, `Uuid`, `String`, `Vec<u8>` (bytes that are copied), `Records`
//!   (record batches, which are not copied), another struct, a `Vec`, or an `Option` if it may be
//!   null;
//! * `= default` is the value in versions without the field, if it is not zero, empty or null;
//! * `null N+` limits null to versions from N on. In older ones null is an error for a decoder, and
//!   an encoder writes an empty value.
//!
//! A struct is declared below the first row that uses it, or at the top level without `key`. A
//! struct with `key` is a [`Message`].
//!
//! # Counterpart in Kafka
//!
//! The JSON files in `clients/src/main/resources/common/message`, from which `MessageGenerator`
//! writes 170,000 lines of Java. Names are Kafka's in snake case; a test compares every row with
//! Kafka 4.3.0's files. Differences: a field that the version does not have is dropped silently;
//! Kafka throws if the field is not marked `ignorable` and its value is not the default. Tagged
//! fields are not in the tables ([`codec`](super::codec)): Kafka uses them for replicas, new
//! leaders and features, which a cluster of one node does not need.

use super::codec::{Kind, WireType};
use std::ops::RangeInclusive;

/// The fields of one struct, as data.
#[derive(Debug)]
pub struct Table {
    /// The name of the struct.
    pub name: &'static str,
    /// The fields in the order in which they are sent.
    pub fields: &'static [Field],
    /// The source file of the declaration.
    pub file: &'static str,
}

/// One row of a [`Table`].
#[derive(Debug)]
pub struct Field {
    /// The versions that have the field; up to `i16::MAX` if it was never removed.
    pub versions: RangeInclusive<i16>,
    /// Its name.
    pub name: &'static str,
    /// Its type on the wire.
    pub kind: Kind,
    /// The first version in which the field may be null; `None` if it never may.
    pub null_from: Option<i16>,
    /// The value in versions without the field, as written in the declaration; `None` for zero,
    /// empty or null.
    pub default: Option<&'static str>,
    /// The meaning of the field, in a few words.
    pub meaning: &'static str,
    /// The line that declares it.
    pub line: u32,
}

/// The body of a request or a response.
pub trait Message: WireType + Default {
    /// The key, Kafka's number of the request.
    const KEY: i16;
    /// The versions that can be decoded and encoded.
    const VERSIONS: RangeInclusive<i16>;
    /// The first version with the flexible encoding.
    const FLEXIBLE_FROM: i16;
    /// The fields.
    const TABLE: &'static Table;
    /// False for ApiVersions, whose response has a header without tagged fields in every version.
    const RESPONSE_HAS_TAGS: bool = Self::KEY != super::api_versions::ApiVersionsRequest::KEY;

    /// Returns true if `version` has the flexible encoding.
    fn is_flexible(version: i16) -> bool {
        version >= Self::FLEXIBLE_FROM
    }
}

/// Declares messages; the head of [`schema`](crate::wire::schema) explains the rows.
#[macro_export]
macro_rules! message {
    ($(
        $(#[$attribute:meta])*
        pub struct $name:ident $(<$part:ident>)?
        $(: key $key:literal, versions $first:literal - $last:literal,
            flexible $flexible:literal +)?
        { $(
            $from:literal $(+)? $(- $to:literal)? $field:ident : $kind:ty $(= $default:expr)?
            $(, null $null:literal +)?, $meaning:literal;
            $($inner:ident { $($row:tt)* })?
        )* }
    )*) => { $(
        $(#[$attribute])*
        ///
        /// | versions | field | type | meaning |
        /// |----------|-------|------|---------|
        $(#[doc = concat!("| ", $crate::wire::schema::message!(@versions $from $($to)?), " | `",
            stringify!($field), "` | `", stringify!($kind), "`", $(" = ", stringify!($default),)?
            $(", null ", $null, "+",)? " | ", $meaning, " |")])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name $(<$part>)? { $( #[doc = $meaning] pub $field: $kind, )* }

        // A struct between the rows gets a declaration of its own, documented by the row above it.
        $($( $crate::wire::schema::message! {
            #[doc = concat!("In `", stringify!($field), "`: ", $meaning, ".")]
            pub struct $inner { $($row)* }
        } )?)*

        const _: () = {
            use $crate::wire::codec::{DecodeError, Decoder, Encoder, Kind, WireType};
            use $crate::wire::schema::{Field, Table, line_of, message};
            use ::core::result::Result;

            impl $(<$part: WireType>)? Default for $name $(<$part>)? {
                fn default() -> Self {
                    $name { $( $field: message!(@default $($default)?), )* }
                }
            }

            impl $(<$part: WireType>)? $name $(<$part>)? {
                /// The fields, as data.
                pub const TABLE: &'static Table = &Table {
                    name: stringify!($name),
                    fields: &[$( Field {
                        versions: message!(@range $from $($to)?),
                        name: stringify!($field),
                        kind: <$kind as WireType>::KIND,
                        null_from: message!(@null $kind, $from $(, $null)?),
                        default: message!(@some $(stringify!($default))?),
                        meaning: $meaning,
                        line: line_of!($field),
                    }, )*],
                    file: file!(),
                };
            }

            impl $(<$part: WireType>)? WireType for $name $(<$part>)? {
                const KIND: Kind = Kind::Struct(Self::TABLE);

                fn decode(decoder: &mut Decoder) -> Result<Self, DecodeError> {
                    let mut message = Self::default();
                    $( decoder.field(message!(@range $from $($to)?),
                        message!(@null $kind, $from $(, $null)?), &mut message.$field)
                        .map_err(|it| it.in_field(stringify!($name), stringify!($field)))?; )*
                    decoder.end_struct()?;
                    Ok(message)
                }

                fn encode(&self, encoder: &mut Encoder) {
                    $( encoder.field(message!(@range $from $($to)?),
                        message!(@null $kind, $from $(, $null)?), &self.$field); )*
                    encoder.end_struct();
                }
            }

            $(
                impl $crate::wire::schema::Message for $name {
                    const KEY: i16 = $key;
                    const VERSIONS: ::std::ops::RangeInclusive<i16> = $first..=$last;
                    const FLEXIBLE_FROM: i16 = $flexible;
                    const TABLE: &'static Table = $name::TABLE;
                }
            )?
        };
    )* };

    (@versions $from:literal) => { concat!($from, "+") };
    (@versions $from:literal $to:literal) => { concat!($from, "-", $to) };
    (@range $from:literal) => { ($from..=i16::MAX) };
    (@range $from:literal $to:literal) => { ($from..=$to) };
    (@default) => { Default::default() };
    (@default $default:expr) => { $default };
    (@some) => { None };
    (@some $value:expr) => { Some($value) };
    (@null $kind:ty, $from:literal) => {
        if <$kind as WireType>::IS_NULLABLE { Some($from) } else { None }
    };
    (@null $kind:ty, $from:literal, $null:literal) => { Some($null) };
}

pub use message;
pub use minikit::layout::line_of;
