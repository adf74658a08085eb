//! The ids of a request in the logs of all services: the request id, and the W3C trace context.
//!
//! ```text
//! traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
//!              │  trace: the same everywhere       parent: new in     sampled
//!              version                             each service
//! X-Request-Id: 4bf92f3577b34da6a3ce929d0e0e4736   the client's, or the trace id
//! ```
//!
//! A valid `traceparent` keeps its trace id and the defined flags, and gets a new parent id. If it
//! is missing, repeated or malformed, a new unsampled trace begins here, and `tracestate` is
//! dropped because it belongs to the old trace. Source: W3C Trace Context 2, 3.2.2 and 4.3.

/// The longest id that is accepted from a client.
const ID_MAX: usize = 128;

/// The ids of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// `X-Request-Id`
    pub id: String,
    /// `traceparent`, for the upstream.
    pub parent: String,
    /// True if the client's trace is continued.
    pub is_continued: bool,
}

impl Trace {
    /// Reads the headers of a request. `random` are the ids of a new trace and a new parent.
    pub fn new(id: Option<&[u8]>, traceparent: Option<&[u8]>, random: (u128, u64)) -> Trace {
        // An id of zeros is invalid.
        let (trace, parent) = (random.0.max(1), random.1.max(1));
        let continued = traceparent.and_then(read);
        let new = format!("{trace:032x}");
        let (trace, flags) = continued.unwrap_or((&new, 0));
        let id = id.filter(|it| it.len() <= ID_MAX).and_then(|it| std::str::from_utf8(it).ok());
        let is_safe = |it: &&str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_graphic());
        Trace {
            id: id.filter(is_safe).unwrap_or(trace).to_owned(),
            parent: format!("00-{trace}-{parent:016x}-{flags:02x}"),
            is_continued: continued.is_some(),
        }
    }
}

/// Returns the trace id and the defined flags of a `traceparent`.
fn read(value: &[u8]) -> Option<(&str, u8)> {
    let text = std::str::from_utf8(value).ok()?;
    let is_hex = |it: &str, length| {
        it.len() == length && it.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_id = |it: &str, length| is_hex(it, length) && it.bytes().any(|it| it != b'0');
    let mut parts = text.split('-');
    let [version, trace, parent, flags] = std::array::from_fn(|_| parts.next().unwrap_or_default());
    // Only later versions may have more parts.
    let is_version =
        is_hex(version, 2) && version != "ff" && (version != "00" || parts.next().is_none());
    let is_valid = is_version && is_id(trace, 32) && is_id(parent, 16) && is_hex(flags, 2);
    let flags = u8::from_str_radix(flags, 16).ok()? & 0x03;
    is_valid.then_some((trace, flags))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn a_trace_is_continued_with_a_new_parent() {
        let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
        let trace = Trace::new(None, Some(parent.as_bytes()), (7, 0xabc));
        assert_eq!(trace.id, TRACE);
        assert_eq!(trace.parent, format!("00-{TRACE}-0000000000000abc-01"));
        assert!(trace.is_continued);
        let reserved = format!("00-{TRACE}-00f067aa0ba902b7-fe");
        let trace = Trace::new(None, Some(reserved.as_bytes()), (7, 0xabc));
        assert_eq!(trace.parent, format!("00-{TRACE}-0000000000000abc-02"));
        let trace = Trace::new(Some(b"req-1"), None, (7, 0xabc));
        assert_eq!((trace.id.as_str(), trace.is_continued), ("req-1", false));
        assert_eq!(trace.parent, "00-00000000000000000000000000000007-0000000000000abc-00");
    }

    #[test]
    fn a_malformed_traceparent_begins_a_new_trace() {
        for parent in [
            "".to_owned(),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{TRACE}-00f067aa0ba902b7"),
        ] {
            assert!(!Trace::new(None, Some(parent.as_bytes()), (7, 1)).is_continued, "{parent}");
        }
        assert_eq!(Trace::new(Some(b"a b"), None, (0, 0)).id, format!("{:032x}", 1));
        let long = [b'a'; ID_MAX + 1];
        assert_eq!(Trace::new(Some(&long), None, (2, 0)).id, format!("{:032x}", 2));
    }
}
