//! `split_clients`: a variable that divides clients into shares.
//!
//! # Example
//!
//! ```text
//! split_clients "$remote_addr" $variant { 25% blue; 50% green; * gray; }
//!
//! hash of the text    0 ──────── 2³²·0.25 ──────── 2³²·0.75 ──────── 2³²
//! value                   blue              green             gray
//! ```
//!
//! The hash is MurmurHash2 (Austin Appleby), as in NGINX, so both put the same client into the same
//! share. NGINX counterpart: `ngx_http_split_clients_module.c`, `ngx_murmur_hash2`.

use super::template::Template;
use super::values::decimal;

/// A `split_clients` block.
#[derive(Clone, Debug)]
pub struct SplitClients {
    /// What is hashed.
    pub source: Template,
    /// Ends of shares, and their values, in ascending order.
    pub shares: Vec<(u32, String)>,
    /// `*`
    pub rest: String,
    /// Hundredths of a percent that are given away.
    total: u64,
}

/// Hundredths of a percent in the whole.
const WHOLE: u64 = 10_000;

impl SplitClients {
    /// A block without shares.
    pub fn new(source: Template) -> SplitClients {
        let (shares, rest) = (Vec::new(), String::new());
        SplitClients { source, shares, rest, total: 0 }
    }

    /// A line of the block: `25% VALUE` or `* VALUE`.
    pub(super) fn add(&mut self, words: &[String]) -> Result<(), String> {
        let [share, value] = words else {
            return Err("invalid number of arguments in \"split_clients\" directive".to_owned());
        };
        if share == "*" {
            self.rest.clone_from(value);
            return Ok(());
        }
        let percent = share.strip_suffix('%').and_then(|it| decimal(it, 2));
        let percent = percent.filter(|it| (1..=100 * WHOLE).contains(it));
        let percent = percent.ok_or_else(|| format!("invalid percent value \"{share}\""))?;
        self.total += percent;
        let end = self.shares.last().map_or(0, |it| u64::from(it.0));
        let end = end + percent * u64::from(u32::MAX) / WHOLE;
        self.shares.push((end.min(u64::from(u32::MAX)) as u32, value.clone()));
        Ok(())
    }

    /// The block is complete.
    ///
    /// # Errors
    /// If more than the whole is given away.
    pub fn finish(&self) -> Result<(), String> {
        let is_fine = (self.total <= WHOLE).then_some(());
        is_fine.ok_or_else(|| "percent total is greater than 100%".to_owned())
    }

    /// The value for a text.
    pub fn find(&self, text: &[u8]) -> &str {
        let hash = murmur_hash2(text);
        let share = self.shares.iter().find(|(end, _)| hash < *end);
        share.map_or(self.rest.as_str(), |(_, value)| value)
    }
}

/// MurmurHash2 with the seed that NGINX uses: the length.
fn murmur_hash2(data: &[u8]) -> u32 {
    const FACTOR: u32 = 0x5bd1_e995;
    let mut hash = data.len() as u32;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut word = u32::from_le_bytes(word.try_into().expect("four bytes"));
        word = word.wrapping_mul(FACTOR);
        word ^= word >> 24;
        hash = hash.wrapping_mul(FACTOR) ^ word.wrapping_mul(FACTOR);
    }

    // The last one to three bytes.
    let rest = words.remainder();
    if !rest.is_empty() {
        let mut last = [0; 4];
        last[..rest.len()].copy_from_slice(rest);
        hash = (hash ^ u32::from_le_bytes(last)).wrapping_mul(FACTOR);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(FACTOR);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_at_the_head_of_the_file() {
        let mut split = SplitClients::new(Template::default());
        for line in [["25%", "blue"], ["50%", "green"], ["*", "gray"]] {
            split.add(&line.map(str::to_owned)).expect("a share");
        }
        assert_eq!(split.finish(), Ok(()));
        let mut counts = [0; 3];
        for client in 0..10_000 {
            let value = split.find(format!("192.0.2.{client}").as_bytes());
            counts[["blue", "green", "gray"].iter().position(|it| *it == value).expect("one")] += 1;
        }
        let near = |count: i32, expected: i32| (count - expected).abs() < 200;
        assert!(near(counts[0], 2500) && near(counts[1], 5000), "{counts:?}");
    }
}
