//! The first message of a TLS client, read without decrypting anything: which server it wants.
//!
//! A proxy that passes TLS through has no key. But the client says in the clear which name it
//! expects, so that a server with several certificates can choose one (SNI, RFC 6066), and which
//! protocols it speaks (ALPN, RFC 7301). `ssl_preread` routes by these.
//!
//! # Example
//!
//! ```text
//! 16 03 01 00 f4                     record: handshake, 244 bytes
//!    01 00 00 f0                     message: ClientHello, 240 bytes
//!       03 03 <random, 32>           TLS 1.2, for old servers
//!       20 <session, 32>
//!       00 02 13 01                  cipher suites
//!       01 00                        compression methods
//!       00 93                        extensions:
//!          00 00 00 0e 00 0c 00 00 09 61 2e 65 78 61 6d 70 6c 65     server_name  a.example
//!          00 10 00 05 00 03 02 68 32                                ALPN         h2
//!          00 2b 00 03 02 03 04                                      versions     TLS 1.3
//! ```
//!
//! A message may be cut into several records, and a record into several segments of TCP.
//!
//! NGINX counterpart: `ngx_stream_ssl_preread_module.c`, a state machine over single bytes. This
//! reads the message anew each time more of it has come, which for one of 16 KiB in the smallest
//! segments (536 bytes) is 31 times; most come in one piece.

/// What `ssl_preread` tells of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// The name of the server, in lower case; empty if the client names none.
    pub server_name: String,
    /// Its protocols, separated by commas.
    pub alpn_protocols: String,
    /// The highest version that it offers, in NGINX's words; empty if none is known.
    pub protocol: &'static str,
}

/// The input is not the start of a TLS connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotTls;

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;

/// Reads the message at the start of `input`. Returns `None` if more bytes are needed.
///
/// # Errors
/// As soon as it is no ClientHello, or a malformed one.
pub fn parse(input: &[u8]) -> Result<Option<ClientHello>, NotTls> {
    let mut message = Vec::new();
    let mut rest = input;
    while let Some(([kind, major, _, high, low], body)) = rest.split_first_chunk() {
        if *kind != HANDSHAKE || *major != 3 {
            return Err(NotTls);
        }
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        // An empty record would be a way to keep us busy.
        if length == 0 {
            return Err(NotTls);
        }
        message.extend_from_slice(&body[..length.min(body.len())]);
        rest = body.get(length..).unwrap_or_default();

        if let Some((&[kind, a, b, c], body)) = message.split_first_chunk() {
            if kind != CLIENT_HELLO {
                return Err(NotTls);
            }
            if let Some(body) = body.get(..u32::from_be_bytes([0, a, b, c]) as usize) {
                return client_hello(Fields(body)).ok_or(NotTls).map(Some);
            }
        }
    }
    match rest {
        [kind, ..] if *kind != HANDSHAKE => Err(NotTls),
        [_, major, ..] if *major != 3 => Err(NotTls),
        _ => Ok(None),
    }
}

/// Returns `None` if a length points beyond its field.
fn client_hello(mut body: Fields<'_>) -> Option<ClientHello> {
    let mut hello = ClientHello::default();
    let mut version = body.number()?;
    body.take(32)?;
    body.with_short_length()?;
    body.with_length()?;
    body.with_short_length()?;

    // Clients before TLS 1.2 may send no extensions at all.
    let mut extensions = match body.0.is_empty() {
        true => Fields(&[]),
        false => body.with_length()?,
    };
    while !extensions.0.is_empty() {
        let kind = extensions.number()?;
        let mut data = extensions.with_length()?;
        match kind {
            SERVER_NAME => {
                let mut names = data.with_length()?;
                // There is one kind of name, and one name of it.
                if let Some(0) = names.take(1)?.first() {
                    hello.server_name = text(names.with_length()?.0)?.to_ascii_lowercase();
                }
            }
            ALPN => {
                let mut names = data.with_length()?;
                while !names.0.is_empty() {
                    if !hello.alpn_protocols.is_empty() {
                        hello.alpn_protocols.push(',');
                    }
                    hello.alpn_protocols.push_str(text(names.with_short_length()?.0)?);
                }
            }
            SUPPORTED_VERSIONS => {
                let mut versions = data.with_short_length()?;
                while !versions.0.is_empty() {
                    // Others are reserved, to find servers that choke on unknown ones (GREASE).
                    let offered = versions.number()?;
                    version = if offered >> 8 == 3 { version.max(offered) } else { version };
                }
            }
            _ => {}
        }
    }
    hello.protocol = match version {
        0x0300 => "SSLv3",
        0x0301 => "TLSv1",
        0x0302 => "TLSv1.1",
        0x0303 => "TLSv1.2",
        0x0304 => "TLSv1.3",
        _ => "",
    };
    Some(hello)
}

/// The text of a name; bytes that are no text could forge a log line.
fn text(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    text.bytes().all(|it| it.is_ascii_graphic()).then_some(text)
}

/// Fields of a message, one after another.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u16> {
        let bytes = self.take(2)?;
        Some(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// A field after its length in two bytes.
    fn with_length(&mut self) -> Option<Fields<'a>> {
        let length = self.number()?;
        self.take(length.into()).map(Fields)
    }

    /// A field after its length in one byte.
    fn with_short_length(&mut self) -> Option<Fields<'a>> {
        let length = self.take(1)?[0];
        self.take(length.into()).map(Fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn field(length_bytes: usize, data: &[u8]) -> Vec<u8> {
        let length = (data.len() as u32).to_be_bytes();
        [&length[4 - length_bytes..], data].concat()
    }

    fn message() -> Vec<u8> {
        let name = field(2, &[&[0], field(2, b"A.example").as_slice()].concat());
        let alpn = field(2, &[field(1, b"h2"), field(1, b"http/1.1")].concat());
        let versions = field(1, &[0x1a, 0x1a, 3, 4, 3, 3]);
        let extensions = [(0, name), (16, alpn), (43, versions), (99, vec![1, 2, 3])];
        let extensions =
            extensions.iter().map(|(kind, it)| [vec![0, *kind], field(2, it)].concat());
        let extensions = extensions.collect::<Vec<_>>().concat();
        let body = [
            [3, 3].as_slice(),
            &[7; 32],
            &field(1, &[8; 32]),
            &field(2, &[0x13, 1]),
            &field(1, &[0]),
            &field(2, &extensions),
        ];
        [vec![1], field(3, &body.concat())].concat()
    }

    fn records(message: &[u8], size: usize) -> Vec<u8> {
        let record = |it: &[u8]| [vec![22, 3, 1], field(2, it)].concat();
        message.chunks(size).map(record).collect::<Vec<_>>().concat()
    }

    fn expected() -> ClientHello {
        ClientHello {
            server_name: "a.example".to_owned(),
            alpn_protocols: "h2,http/1.1".to_owned(),
            protocol: "TLSv1.3",
        }
    }

    #[test]
    fn names_and_versions_are_found() {
        let input = [records(&message(), 1 << 14), b"more".to_vec()].concat();
        assert_eq!(parse(&input), Ok(Some(expected())));
    }

    #[test]
    fn what_is_not_tls_is_seen_at_once() {
        for input in [
            &b"GET / HTTP/1.1"[..],
            b"S",
            &[22, 2],
            &[22, 3, 1, 0, 0],
            &[22, 3, 1, 0, 4, 2, 0, 0, 0],
        ] {
            assert_eq!(parse(input), Err(NotTls), "{input:?}");
        }
    }

    proptest! {
        #[test]
        fn it_may_come_in_pieces(size in 1_usize..400, cut in 0_usize..1000) {
            let all = records(&message(), size);
            prop_assert_eq!(parse(&all), Ok(Some(expected())));
            let cut = cut % all.len();
            prop_assert_eq!(parse(&all[..cut]), Ok(None));
        }

        #[test]
        fn a_wrong_byte_is_no_panic(at in 0_usize..1000, byte: u8) {
            let mut all = records(&message(), 1 << 14);
            let at = at % all.len();
            all[at] = byte;
            let _ = parse(&all);
        }
    }
}
