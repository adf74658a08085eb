//! Bytes that arrive at the end and leave at the front.
//!
//! ```text
//! append "abc"        abc
//! consume 1           .bc         nothing moves
//! append "d"          bcd         now it does, so that the front stays free
//! consume 3                       empty: the capacity stays for the next message
//! ```

/// A queue of bytes in one allocation.
#[derive(Debug, Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    start: usize,
}

impl Buffer {
    /// The bytes, oldest first.
    pub fn filled(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Bytes in it.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Returns true if there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes bytes from the front; at most [`Buffer::len`].
    pub fn consume(&mut self, count: usize) {
        self.start += count;
        debug_assert!(self.start <= self.bytes.len());
        if self.start >= self.bytes.len() {
            self.clear();
        }
    }

    /// Removes all bytes.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.start = 0;
    }

    /// Adds bytes at the end.
    pub fn append(&mut self, bytes: &[u8]) {
        self.tail().extend_from_slice(bytes);
    }

    /// The vector itself, for writers that append.
    pub fn tail(&mut self) -> &mut Vec<u8> {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        &mut self.bytes
    }

    /// Frees the allocation if it is larger than `max` bytes.
    pub fn shrink(&mut self, max: usize) {
        if self.bytes.capacity() > max {
            self.tail().shrink_to(max);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_at_the_head_of_the_file() {
        let mut buffer = Buffer::default();
        buffer.append(b"abc");
        buffer.consume(1);
        assert_eq!((buffer.filled(), buffer.len()), (&b"bc"[..], 2));
        buffer.append(b"d");
        assert_eq!(buffer.filled(), b"bcd");
        buffer.consume(3);
        assert!(buffer.is_empty());
    }
}
