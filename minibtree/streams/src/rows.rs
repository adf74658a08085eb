//! Rows that are pulled, one at a time: the model of Graefe's Volcano (1994).
//!
//! ```
//! use minibtree_streams::rows::{Rows, given, limited};
//! use minibtree_types::values::Value;
//!
//! let rows = (1..=5).map(|it| vec![Value::Int(it)]).collect();
//! let mut page = limited(given(rows), Some(2), 3); // LIMIT 2 OFFSET 3
//! assert_eq!(page.next()?, Some(vec![Value::Int(4)]));
//! assert_eq!(page.next()?, Some(vec![Value::Int(5)]));
//! assert_eq!(page.next()?, None);
//! # Ok::<(), minibtree_types::error::SqlError>(())
//! ```

use minibtree_spill::batches::Row;
use minibtree_types::error::Result;

/// What pulls the rows of a node: a function that returns the next one, or `None` at the end.
pub trait Rows {
    /// The next row, or `None` at the end.
    ///
    /// # Errors
    /// What the statement ends with.
    fn next(&mut self) -> Result<Option<Row>>;
}

impl<F: FnMut() -> Result<Option<Row>>> Rows for F {
    fn next(&mut self) -> Result<Option<Row>> {
        self()
    }
}

/// Rows that are there already.
pub fn given(rows: Vec<Row>) -> Box<dyn Rows> {
    let mut rows = rows.into_iter();
    Box::new(move || Ok(rows.next()))
}

/// Rows that are all gathered before the first one is returned.
pub fn gathered(gather: impl FnOnce() -> Result<Vec<Row>> + 'static) -> Box<dyn Rows> {
    let (mut gather, mut rows) = (Some(gather), Vec::new().into_iter());
    Box::new(move || {
        if let Some(gather) = gather.take() {
            rows = gather()?.into_iter();
        }
        Ok(rows.next())
    })
}

/// LIMIT and OFFSET.
pub fn limited(mut rows: Box<dyn Rows>, mut left: Option<u64>, mut skipped: u64) -> impl Rows {
    move || {
        if left == Some(0) {
            return Ok(None);
        }
        while skipped > 0 {
            if rows.next()?.is_none() {
                left = Some(0);
                return Ok(None);
            }
            skipped -= 1;
        }
        left = left.map(|left| left - 1);
        rows.next()
    }
}
