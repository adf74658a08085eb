//! The load generator: open loop for latency, closed loop for loading data and as a stand-in if the
//! real system's own tool is not installed.
//!
//! A closed loop sends the next request after the last answer. If the server stalls for a second, a
//! closed loop waits and records *one* slow request, although a thousand clients would have been
//! waiting: *coordinated omission*. An open loop has a timetable. Request `i` is due at
//! `start + i / rate` whatever the server does, and its latency counts from when it was due, not
//! from when it could be sent.
//!
//! ```text
//! rate 1,000/s, the server stalls from 3 ms to 8 ms
//! due at       0    1    2    3    4    5    6    7    8  ms
//! closed loop  .1   .1   .1  5.1   -    -    -    -   .1      one request saw the stall
//! open loop    .1   .1   .1  5.1  4.1  3.1  2.1  1.1  .1      five requests did
//! ```
//!
//! One thread, non-blocking sockets, no timer: it spins, because the granularity of a timer (1 ms)
//! would be most of the latency measured. A [`Traffic`] knows the bytes of a request and where a
//! reply ends, so one generator serves every protocol. Counterparts: `wrk2`, `memtier_benchmark
//! --rate-limiting`.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::Result;

/// No answer at all for this long means that the server hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// The requests of a protocol, and the check of their answers.
pub trait Traffic {
    /// What must be remembered of a request to check its answer.
    type Asked;
    /// Appends request number `sequence` to `out`.
    fn request(&mut self, sequence: u64, out: &mut Vec<u8>) -> Self::Asked;
    /// The length of the complete answer at the start of `bytes`; `None` while it is incomplete.
    ///
    /// # Errors
    /// If the answer is wrong. That ends the run.
    fn answer(&mut self, asked: &Self::Asked, bytes: &[u8]) -> Result<Option<usize>>;
}

/// When requests are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// A fixed number a second, whatever the server does.
    Open { per_second: u64 },
    /// After each answer, with `pipeline` requests in flight on each connection.
    Closed { pipeline: u64 },
}

/// How much is sent, over how many connections, at which pace.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// The server.
    pub address: SocketAddr,
    /// Connections, used in turn.
    pub connections: usize,
    /// Requests in all.
    pub requests: u64,
    /// Open or closed loop.
    pub pace: Pace,
}

/// The result of a load. Every answer was checked.
pub struct Outcome {
    /// From when a request was due to when its answer was complete, in nanoseconds. For a closed
    /// loop a request is due when it is sent.
    pub latency: Histogram<u64>,
    /// First request to last answer.
    pub elapsed: Duration,
}

/// Puts `load` on a server and waits for the last answer.
///
/// # Errors
/// If a connection breaks, an answer is wrong, or none arrives for 20 s.
pub fn drive<T: Traffic>(load: Load, traffic: &mut T) -> Result<Outcome> {
    Driver::connect(load, traffic)?.run()
}

struct Driver<'a, T: Traffic> {
    load: Load,
    traffic: &'a mut T,
    poll: Poll,
    connections: Vec<Connection<T::Asked>>,
    latency: Histogram<u64>,
    sent: u64,
    answered: u64,
}

struct Connection<A> {
    stream: TcpStream,
    outbox: Vec<u8>,
    inbox: Vec<u8>,
    /// When each request was due and what it asked, oldest first: answers come in that order.
    waiting: VecDeque<(Duration, A)>,
}

impl<'a, T: Traffic> Driver<'a, T> {
    fn connect(load: Load, traffic: &'a mut T) -> Result<Self> {
        let poll = Poll::new()?;
        let mut connections = Vec::with_capacity(load.connections);
        for number in 0..load.connections {
            let stream = std::net::TcpStream::connect_timeout(&load.address, PATIENCE)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut stream, Token(number), interest)?;
            connections.push(Connection {
                stream,
                outbox: Vec::new(),
                inbox: Vec::new(),
                waiting: VecDeque::new(),
            });
        }
        // Nanoseconds up to a minute in three digits.
        let latency = Histogram::new_with_bounds(1, 60_000_000_000, 3)?;
        Ok(Driver { load, traffic, poll, connections, latency, sent: 0, answered: 0 })
    }

    fn run(mut self) -> Result<Outcome> {
        let start = Instant::now();
        let mut events = Events::with_capacity(256);
        let mut last_answer = Duration::ZERO;
        self.send_what_is_due(start)?;
        while self.answered < self.load.requests {
            self.poll.poll(&mut events, Some(self.nap()))?;
            let answered = self.answered;
            for event in &events {
                let Token(number) = event.token();
                self.take_answers(number, start)?;
                self.connections[number].flush()?;
            }
            self.send_what_is_due(start)?;
            let now = start.elapsed();
            if self.answered > answered || self.sent == self.answered {
                last_answer = now;
            } else if now - last_answer > PATIENCE {
                return Err(format!("no answer for {} s", PATIENCE.as_secs()).into());
            }
        }
        Ok(Outcome { latency: self.latency, elapsed: start.elapsed() })
    }

    /// How long `poll` may wait. A closed loop has nothing to do before an answer comes; an open
    /// loop must not miss the next request.
    fn nap(&self) -> Duration {
        match self.load.pace {
            Pace::Closed { .. } => Duration::from_secs(1),
            Pace::Open { .. } if self.sent == self.load.requests => Duration::from_secs(1),
            Pace::Open { .. } => Duration::ZERO,
        }
    }

    fn send_what_is_due(&mut self, start: Instant) -> Result<()> {
        match self.load.pace {
            Pace::Open { per_second } => self.send_by_timetable(start, per_second),
            Pace::Closed { pipeline } => self.fill_pipelines(start, pipeline),
        }
    }

    fn send_by_timetable(&mut self, start: Instant, per_second: u64) -> Result<()> {
        while self.sent < self.load.requests {
            let due = Duration::from_secs_f64(self.sent as f64 / per_second as f64);
            if due > start.elapsed() {
                break;
            }
            let number = (self.sent % self.load.connections as u64) as usize;
            self.ask(number, due);
            self.connections[number].flush()?;
        }
        Ok(())
    }

    /// Refills a connection when all its answers have come, a whole batch at a time.
    fn fill_pipelines(&mut self, start: Instant, pipeline: u64) -> Result<()> {
        for number in 0..self.connections.len() {
            if !self.connections[number].waiting.is_empty() || self.sent == self.load.requests {
                continue;
            }
            let now = start.elapsed();
            for _ in 0..pipeline.min(self.load.requests - self.sent) {
                self.ask(number, now);
            }
            self.connections[number].flush()?;
        }
        Ok(())
    }

    fn ask(&mut self, number: usize, due: Duration) {
        let connection = &mut self.connections[number];
        let asked = self.traffic.request(self.sent, &mut connection.outbox);
        connection.waiting.push_back((due, asked));
        self.sent += 1;
    }

    fn take_answers(&mut self, number: usize, start: Instant) -> Result<()> {
        let connection = &mut self.connections[number];
        connection.receive()?;
        let now = start.elapsed();
        let mut at = 0;
        while let Some((due, asked)) = connection.waiting.front() {
            let Some(length) = self.traffic.answer(asked, &connection.inbox[at..])? else { break };
            at += length;
            let nanoseconds = u64::try_from((now - *due).as_nanos()).unwrap_or(u64::MAX);
            self.latency.saturating_record(nanoseconds.max(1));
            connection.waiting.pop_front();
            self.answered += 1;
        }
        connection.inbox.drain(..at);
        if connection.waiting.is_empty() && !connection.inbox.is_empty() {
            return Err("the server sent an answer without a request".into());
        }
        Ok(())
    }
}

impl<A> Connection<A> {
    /// Writes as much as the socket takes. The rest is sent when it is writable again.
    fn flush(&mut self) -> Result<()> {
        while !self.outbox.is_empty() {
            match self.stream.write(&self.outbox) {
                Ok(count) => drop(self.outbox.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Reads what has arrived. A read that did not fill the buffer has emptied the socket, so the
    /// next event comes with the next bytes.
    fn receive(&mut self) -> Result<()> {
        let mut chunk = [0; 64 * 1024];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err("the server closed a connection".into()),
                Ok(count) => {
                    self.inbox.extend_from_slice(&chunk[..count]);
                    if count < chunk.len() {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// Asks for a byte back: the sequence number's last.
    struct Echo;

    impl Traffic for Echo {
        type Asked = u8;
        fn request(&mut self, sequence: u64, out: &mut Vec<u8>) -> u8 {
            out.push(sequence as u8);
            sequence as u8
        }
        fn answer(&mut self, asked: &u8, bytes: &[u8]) -> Result<Option<usize>> {
            match bytes.first() {
                Some(byte) if byte == asked => Ok(Some(1)),
                Some(byte) => Err(format!("asked {asked}, got {byte}").into()),
                None => Ok(None),
            }
        }
    }

    /// A server that sends back what it reads, changed by `change`, on one connection.
    fn serve(change: fn(u8) -> u8) -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                std::thread::spawn(move || {
                    let mut chunk = [0; 100];
                    while let Ok(count @ 1..) = stream.read(&mut chunk) {
                        let reply: Vec<u8> = chunk[..count].iter().map(|b| change(*b)).collect();
                        stream.write_all(&reply).unwrap();
                    }
                });
            }
        });
        address
    }

    #[test]
    fn both_paces_ask_and_check_every_request() {
        let address = serve(|byte| byte);
        for pace in [Pace::Open { per_second: 100_000 }, Pace::Closed { pipeline: 16 }] {
            let load = Load { address, connections: 3, requests: 5_000, pace };
            let outcome = drive(load, &mut Echo).unwrap();
            assert_eq!(outcome.latency.len(), 5_000);
        }
    }

    #[test]
    fn an_open_loop_keeps_its_timetable() {
        let load = Load {
            address: serve(|byte| byte),
            connections: 2,
            requests: 201,
            pace: Pace::Open { per_second: 10_000 },
        };
        // The last of 201 requests is due after exactly 20 ms, so no run can be shorter.
        assert!(drive(load, &mut Echo).unwrap().elapsed >= Duration::from_millis(20));
    }

    #[test]
    fn a_wrong_answer_ends_the_run() {
        let load = Load {
            address: serve(|byte| byte.wrapping_add(u8::from(byte == 77))),
            connections: 1,
            requests: 100,
            pace: Pace::Closed { pipeline: 4 },
        };
        let error = drive(load, &mut Echo).err().unwrap().to_string();
        assert_eq!(error, "asked 77, got 78");
    }
}
