//! Commands: four clients send arbitrary bytes.
//!
//! The input is what they send. Bytes from 0xF8 on, which occur in no UTF-8 text, control the run:
//!
//! | byte | meaning |
//! |---|---|
//! | 0xF8 … 0xFB | the next bytes arrive in a packet of their own from client 0 … 3 |
//! | 0xFC, n | 2 to the power of n mod 32 milliseconds pass |
//! | 0xFD | the client of the last packet disconnects and a new one connects |
//!
//! ```text
//! SET k v\r\n F9 BLPOP jobs 1\r\n F8 RPUSH jobs a\r\n FC 0A F9 GET k\r\n
//!   client 0: +OK   client 1 waits   client 0: :1, client 1 is served   a second   client 1: $1 v
//! ```
//!
//! * [`client`]: a client and its connection; each command gets one reply.
//! * [`host`]: the cache and its clock, and what must hold at the end.
//!
//! Counterpart: `tests/unit/fuzzing.tcl`.

mod client;
pub(crate) mod host;

use client::Client;
use host::Host;

const CLIENTS: usize = 4;

/// The body of the fuzz target `dispatch`.
pub fn check(input: &[u8]) {
    let mut host = Host::new();
    let mut clients: [Client; CLIENTS] = std::array::from_fn(|_| Client::new(&host));
    let mut sender = 0;
    let mut rest = input;
    loop {
        let length = rest.iter().position(|byte| *byte >= 0xF8).unwrap_or(rest.len());
        let (packet, after) = rest.split_at(length);
        clients[sender].receive(&host, packet);
        attend(&host, &mut clients);
        let Some((mark, after)) = after.split_first() else { break };
        rest = after;
        match mark {
            0xF8..0xFC => sender = usize::from(mark - 0xF8),
            0xFC => {
                let power = rest.split_off_first().unwrap_or(&0) % 32;
                host.pass(1 << power);
            }
            0xFD => {
                let gone = std::mem::replace(&mut clients[sender], Client::new(&host));
                gone.disconnect(&host);
            }
            _ => {}
        }
        attend(&host, &mut clients);
    }
    clients.into_iter().for_each(|client| client.disconnect(&host));
    host.check_whole();
    host.check_empty();
}

/// Delivers messages, ends expired waits and replaces disconnected clients. What one client does
/// can affect another, so there is one round per client.
fn attend(host: &Host, clients: &mut [Client; CLIENTS]) {
    for _ in 0..CLIENTS {
        for client in clients.iter_mut() {
            client.attend(host);
            if client.is_done() {
                std::mem::replace(client, Client::new(host)).disconnect(host);
            }
        }
    }
}
