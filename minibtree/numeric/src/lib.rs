//! Functions of numerics that need more than a line.
//!
//! | file | what it is |
//! |---|---|
//! | `powers.rs` | roots, powers and logarithms |
//! | `specials.rs` | every function, if NaN or an infinity is among its arguments |
//! | `buckets.rs` | the range of `width_bucket` |
//!
//! The arithmetic is in `minibtree_types::values::numeric`; the names and types of all functions
//! are in `minibtree/functions`. PostgreSQL's `numeric.c`.
//!
//! ```
//! use minibtree_numeric::{powers, special};
//! use minibtree_types::values::Type;
//!
//! let two = "2".parse().unwrap();
//! assert_eq!(powers::sqrt(&two)?.to_string(), "1.414213562373095");
//!
//! let [left, right] = ["-3.75", "Infinity"].map(|it| Type::Numeric.parse(it).unwrap());
//! let product = special("*", &[left, right])?;
//! assert_eq!(Type::Numeric.text_of(&product), "-Infinity");
//! # Ok::<(), minibtree_types::error::SqlError>(())
//! ```

mod buckets;
pub mod powers;
mod specials;

pub use buckets::{check_bounds, check_buckets};
pub use specials::special;
