//! Checks that bytes are one reply, of any depth.
//!
//! ```text
//! *2\r\n:1\r\n*1\r\n+a\r\n     2 values to come, then 1, 1, 0
//! ```

/// Checks that `bytes` are one whole value of the protocol, and nothing else.
pub fn whole(mut bytes: &[u8], resp3: bool) -> Result<(), String> {
    let mut to_come = 1_u64;
    while to_come > 0 {
        to_come -= 1;
        let end = bytes.windows(2).position(|pair| pair == b"\r\n").ok_or("a line without end")?;
        let (line, rest) = (&bytes[..end], &bytes[end + 2..]);
        bytes = rest;
        let (sign, text) = line.split_first().ok_or("an empty line")?;
        if text.iter().any(|byte| b"\r\n".contains(byte)) {
            return Err("a line break in a line".to_string());
        }
        let text = String::from_utf8_lossy(text);
        let count = || text.parse::<u64>().map_err(|_| format!("the length {text}"));
        match (sign, &*text) {
            (b'$' | b'*', "-1") if !resp3 => {}
            (b'+' | b'-', _) => {}
            (b':', number) if number.parse::<i64>().is_ok() => {}
            (b'$', _) => bytes = payload(bytes, count()?)?,
            (b'=', _) if resp3 => bytes = payload(bytes, count()?)?,
            (b'*', _) => to_come += count()?,
            (b'~', _) if resp3 => to_come += count()?,
            (b'%', _) if resp3 => to_come += 2 * count()?,
            (b'_', "") | (b'#', "t" | "f") | (b'(', _) if resp3 => {}
            (b',', number) if resp3 && number.parse::<f64>().is_ok() => {}
            _ => return Err(format!("the line {}", line.escape_ascii())),
        }
    }
    if bytes.is_empty() { Ok(()) } else { Err("more than one value".to_string()) }
}

/// Skips a payload and its line break.
fn payload(bytes: &[u8], length: u64) -> Result<&[u8], String> {
    let (_, rest) = bytes.split_at_checked(length as usize).ok_or("a short payload")?;
    rest.strip_prefix(b"\r\n").ok_or_else(|| "a payload without end".to_string())
}

#[cfg(test)]
mod tests {
    use super::whole;

    #[test]
    fn values_are_whole() {
        for good in [&b"*2\r\n:1\r\n*1\r\n+a\r\n"[..], b"$-1\r\n", b"$2\r\n\r\n\r\n", b"*0\r\n"] {
            assert_eq!(whole(good, false), Ok(()));
        }
        for bad in [&b"*2\r\n:1\r\n"[..], b"_\r\n", b"$3\r\nab\r\n", b":1\r\n:2\r\n", b""] {
            assert!(whole(bad, false).is_err());
        }
        assert_eq!(whole(b"%1\r\n,1.5\r\n~1\r\n#t\r\n", true), Ok(()));
        assert!(whole(b"$-1\r\n", true).is_err());
    }
}
