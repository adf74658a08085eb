//! Commands: four clients send whatever they like.
//!
//! The input is what they send, with bytes from 0xF8 on between that no text has:
//!
//! | byte | meaning |
//! |---|---|
//! | 0xF8 … 0xFB | what follows comes in a packet of its own from client 0 … 3 |
//! | 0xFC, n | 2 to the power of n mod 32 milliseconds pass |
//! | 0xFD | the client of the last packet hangs up and another comes |
//!
//! ```text
//! SET k v\r\n F9 BLPOP jobs 1\r\n F8 RPUSH jobs a\r\n FC 0A F9 GET k\r\n
//!   client 0: +OK   client 1 waits   client 0: :1, client 1 is served   a second   client 1: $1 v
//! ```
//!
//! * [`guest`]: a client and its connection; each command has its one reply.
//! * [`host`]: the cache and its clock; nothing is left behind.
//!
//! Counterpart: `tests/unit/fuzzing.tcl`.

mod guest;
mod host;

use guest::Guest;
use host::Host;

const CLIENTS: usize = 4;

/// The body of the fuzz target `dispatch`.
pub fn check(input: &[u8]) {
    let mut host = Host::new();
    let mut guests: [Guest; CLIENTS] = std::array::from_fn(|_| Guest::new(&host));
    let mut speaks = 0;
    let mut rest = input;
    loop {
        let length = rest.iter().position(|byte| *byte >= 0xF8).unwrap_or(rest.len());
        let (packet, behind) = rest.split_at(length);
        guests[speaks].receive(&host, packet);
        attend(&host, &mut guests);
        let Some((mark, behind)) = behind.split_first() else { break };
        rest = behind;
        match mark {
            0xF8..0xFC => speaks = usize::from(mark - 0xF8),
            0xFC => {
                let power = rest.split_off_first().unwrap_or(&0) % 32;
                host.pass(1 << power);
            }
            0xFD => {
                let gone = std::mem::replace(&mut guests[speaks], Guest::new(&host));
                gone.hang_up(&host);
            }
            _ => {}
        }
        attend(&host, &mut guests);
    }
    guests.into_iter().for_each(|guest| guest.hang_up(&host));
    host.check_whole();
    host.check_empty();
}

/// Lets every client do what is to be done: take letters, give up waiting, come anew after it was
/// sent away. What one does may concern another, so it takes a few rounds.
fn attend(host: &Host, guests: &mut [Guest; CLIENTS]) {
    for _ in 0..CLIENTS {
        for guest in guests.iter_mut() {
            guest.attend(host);
            if guest.is_done() {
                std::mem::replace(guest, Guest::new(host)).hang_up(host);
            }
        }
    }
}
