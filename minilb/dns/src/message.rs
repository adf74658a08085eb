//! Questions to name servers and their answers, without I/O: as much of DNS as it takes to find the
//! addresses of a name.
//!
//! # Example
//!
//! ```text
//! question   12 34 | 01 00 | 00 01  00 00 00 00 00 00 | 01 61 04 74 65 73 74 00 | 00 01 | 00 01
//!            id      recurse one question               "a"   "test"         end    A       IN
//! answer     12 34 | 81 80 | 00 01  00 01 ...         | the same question, and one record:
//!            c0 0c | 00 01 | 00 01 | 00 00 00 3c | 00 04 | c0 00 02 07
//!            name    A       IN      60 seconds    length  192.0.2.7
//! ```
//!
//! # Whom to believe
//!
//! An answer comes by UDP, from anybody who guesses port and id. It must have our id and repeat our
//! question byte for byte. The names of its records are skipped, not followed: the name server has
//! been asked to follow aliases, so all addresses in the answer belong to the name. So a pointer
//! that leads to itself can do no harm.
//!
//! Source: RFC 1035, sections 4.1 and 3.4.1; RFC 3596 for AAAA. NGINX counterpart:
//! `ngx_resolver_create_name_query` and `ngx_resolver_process_a` (`ngx_resolver.c`), which asks
//! again if an answer has an alias and no address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest answer by UDP.
pub const ANSWER_BYTES_MAX: usize = 512;
const HEADER_BYTES: usize = 12;

/// The kind of address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// IPv4
    A = 1,
    /// IPv6
    Aaaa = 28,
}

/// What a name server knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// May be empty.
    pub addresses: Vec<IpAddr>,
    /// How long they hold: the shortest time of the records.
    pub ttl_s: u32,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It is for another question; ours may still come.
    NotOurs,
    /// It does not fit into a datagram; to be asked by TCP.
    Truncated,
    /// It cannot be understood.
    Malformed,
    /// What the name server says: 2 if it has failed, 3 if there is no such name.
    Code(u8),
}

/// The bytes of a question. Returns `None` if the name cannot be one: a label is empty or longer
/// than 63 bytes, or the name is longer than 253.
pub fn question(id: u16, name: &str, kind: Kind) -> Option<Vec<u8>> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.len() > 253 {
        return None;
    }
    let mut out = [&id.to_be_bytes()[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|it| (1..=63).contains(it))?;
        out.push(length);
        out.extend_from_slice(label.as_bytes());
    }
    out.extend_from_slice(&[0, 0, kind as u8, 0, 1]);
    Some(out)
}

/// Reads the answer to a question of [`question`].
///
/// # Errors
/// See [`Failure`].
pub fn answer(question: &[u8], bytes: &[u8]) -> Result<Answer, Failure> {
    let repeated = bytes.get(HEADER_BYTES..question.len()).ok_or(Failure::NotOurs)?;
    let is_ours = bytes[..2] == question[..2]
        && bytes[2] & 0x80 != 0
        && bytes[4..6] == [0, 1]
        && repeated.eq_ignore_ascii_case(&question[HEADER_BYTES..]);
    match (is_ours, bytes[2] & 0x02 != 0, bytes[3] & 0x0f) {
        (false, _, _) => return Err(Failure::NotOurs),
        (true, true, _) => return Err(Failure::Truncated),
        (true, false, 0) => {}
        (true, false, code) => return Err(Failure::Code(code)),
    }

    let kind = question[question.len() - 3];
    let mut rest = &bytes[question.len()..];
    let mut answer = Answer { addresses: Vec::new(), ttl_s: u32::MAX };
    for _ in 0..u16::from_be_bytes([bytes[6], bytes[7]]) {
        let record = record(rest).ok_or(Failure::Malformed)?;
        rest = record.rest;
        // An alias of the name that holds for a shorter time ends the answer, too.
        answer.ttl_s = answer.ttl_s.min(record.ttl_s);
        answer.addresses.extend(match (record.kind, record.data) {
            ([0, 1, 0, 1], data) if kind == Kind::A as u8 => {
                let octets = <[u8; 4]>::try_from(data).map_err(|_| Failure::Malformed)?;
                Some(IpAddr::V4(Ipv4Addr::from(octets)))
            }
            ([0, 28, 0, 1], data) if kind == Kind::Aaaa as u8 => {
                let octets = <[u8; 16]>::try_from(data).map_err(|_| Failure::Malformed)?;
                Some(IpAddr::V6(Ipv6Addr::from(octets)))
            }
            _ => None,
        });
    }
    Ok(answer)
}

/// A record of an answer.
struct Record<'a> {
    /// Type and class.
    kind: [u8; 4],
    ttl_s: u32,
    data: &'a [u8],
    /// What follows it.
    rest: &'a [u8],
}

fn record(bytes: &[u8]) -> Option<Record<'_>> {
    let rest = skip_name(bytes)?;
    let (kind, rest) = rest.split_first_chunk::<4>()?;
    let (ttl, rest) = rest.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (data, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    // A time with the highest bit set is none.
    let ttl_s = u32::from_be_bytes(*ttl);
    Some(Record { kind: *kind, ttl_s: if ttl_s > i32::MAX as u32 { 0 } else { ttl_s }, data, rest })
}

/// What follows a name: labels up to an empty one, or up to a pointer.
fn skip_name(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        let (first, rest) = bytes.split_first()?;
        bytes = match first {
            0 => return Some(rest),
            0xc0.. => return rest.get(1..),
            length @ ..=63 => rest.get(usize::from(*length)..)?,
            _ => return None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const QUESTION: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01a\x04test\0\0\x01\0\x01";

    /// An answer to [`QUESTION`] with these flags and records.
    fn bytes(flags: [u8; 2], records: &[&[u8]]) -> Vec<u8> {
        let mut out = QUESTION.to_vec();
        out[2..4].copy_from_slice(&flags);
        out[7] = records.len() as u8;
        out.extend(records.concat());
        out
    }

    const A: &[u8] = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x07";

    #[test]
    fn the_example_at_the_head_of_the_file() {
        assert_eq!(question(0x1234, "a.test", Kind::A).as_deref(), Some(QUESTION));
        let expected = Answer { addresses: vec!["192.0.2.7".parse().expect("an IP")], ttl_s: 60 };
        assert_eq!(answer(QUESTION, &bytes([0x81, 0x80], &[A])), Ok(expected));
    }

    #[test]
    fn aliases_are_skipped_and_shorten_the_time() {
        let alias = b"\xc0\x0c\0\x05\0\x01\0\0\0\x05\0\x04\x01b\xc0\x0e";
        let read = answer(QUESTION, &bytes([0x81, 0x80], &[alias, A])).expect("well-formed");
        assert_eq!((read.addresses.len(), read.ttl_s), (1, 5));
        // A name that points to itself is not followed.
        let itself = [b"\xc0\x1c", &A[2..]].concat();
        assert!(answer(QUESTION, &bytes([0x81, 0x80], &[&itself])).is_ok());
    }

    #[test]
    fn what_is_no_answer() {
        let fails = |bytes: &[u8]| answer(QUESTION, bytes).expect_err("it must fail");
        assert_eq!(fails(&bytes([0x81, 0x83], &[])), Failure::Code(3));
        assert_eq!(fails(&bytes([0x83, 0x80], &[])), Failure::Truncated);
        assert_eq!(fails(&bytes([0x01, 0x80], &[A])), Failure::NotOurs);
        let mut other = bytes([0x81, 0x80], &[A]);
        other[0] ^= 1;
        assert_eq!(fails(&other), Failure::NotOurs);
        let whole = bytes([0x81, 0x80], &[A]);
        assert_eq!(fails(&whole[..whole.len() - 1]), Failure::Malformed);
        assert_eq!(fails(&bytes([0x81, 0x80], &[b"\x40"])), Failure::Malformed);
        assert_eq!(fails(&[]), Failure::NotOurs);

        let long = "a".repeat(64);
        for name in ["", "a..b", ".a", &long, &"a.".repeat(130)] {
            assert_eq!(question(1, name, Kind::A), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(tail in prop::collection::vec(any::<u8>(), 0..99), count in 0u8..9) {
            let mut all = bytes([0x81, 0x80], &[&tail]);
            all[7] = count;
            if let Ok(read) = answer(QUESTION, &all) {
                prop_assert!(read.addresses.len() <= usize::from(count));
            }
        }
    }
}
