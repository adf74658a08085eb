//! The rows that ANALYZE looks at.

use crate::TableStatistics;
use minibtree_estimate::{ColumnStatistics, shortened};
use minibtree_types::error::Result;
use minibtree_types::values::{Type, Value};

/// Rows of a sample.
const ROWS: usize = 30_000;

/// A sample of the rows of a table, chosen by Vitter's algorithm R while all of them are read.
pub struct Sample {
    /// Each with its number in the table.
    rows: Vec<(u64, Vec<Value>)>,
    count: u64,
    /// Of a xorshift generator. It has a fixed seed: the same table gives the same sample.
    state: u64,
}

impl Default for Sample {
    fn default() -> Sample {
        Sample { rows: Vec::new(), count: 0, state: 0x2545_f491_4f6c_dd1d }
    }
}

impl Sample {
    /// Counts the next row of the table, and reads it if it becomes a part of the sample. Returns
    /// the number of rows so far.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn add(&mut self, read: impl FnOnce() -> Result<Vec<Value>>) -> Result<u64> {
        self.count += 1;
        if self.rows.len() < ROWS {
            self.rows.push((self.count, shortened(read()?)));
            return Ok(self.count);
        }
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let at = (self.state % self.count) as usize;
        if at < ROWS {
            self.rows[at] = (self.count, shortened(read()?));
        }
        Ok(self.count)
    }

    /// The statistics of a table with columns of these types and so many pages.
    pub fn statistics(&self, types: &[Type], pages: u32) -> TableStatistics {
        let column = |(position, base): (usize, &Type)| {
            let values: Vec<(u64, &Value)> =
                self.rows.iter().map(|it| (it.0, &it.1[position])).collect();
            ColumnStatistics::of_sample(*base, &values, self.count)
        };
        let columns = types.iter().enumerate().map(column).collect();
        TableStatistics { rows: self.count as f64, pages, columns }
    }
}
