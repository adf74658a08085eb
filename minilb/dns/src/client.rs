//! A client of name servers: asks, waits, and keeps the answers for as long as they hold.
//!
//! ```text
//! lookup("app.internal")     A? AAAA? ─> 192.0.2.7 for 30 s
//! lookup("app.internal")     192.0.2.7, until then without a question
//! ```
//!
//! Callers that ask for a name at the same time wait for one question. A failure is kept for a
//! second, so that they do not all ask again one after another.
//!
//! NGINX counterpart: `ngx_resolve_name` and `ngx_resolver_resend_handler` (`ngx_resolver.c`).
//! NGINX starts lists of addresses at a random place; here they are as they came.

use crate::NameServers;
use crate::message::{ANSWER_BYTES_MAX, Answer, Failure, Kind, answer, question};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// Names that are kept. Clients choose them, in part, so there is a limit.
const NAMES_MAX: usize = 10_000;
/// After this the question is sent again, as by NGINX.
const RESEND: Duration = Duration::from_secs(5);
/// How long a failure is kept.
const FAILURE: Duration = Duration::from_secs(1);

/// No server knows the name.
pub const NOT_FOUND: &str = "3: Host not found";

/// The addresses of a name, or why there are none, in NGINX's words.
pub type Found = Result<Arc<[IpAddr]>, &'static str>;

/// What is known of one name, and until when. Locked while it is asked for.
type Slot = Arc<tokio::sync::Mutex<Option<(Found, Instant)>>>;

/// Names with their addresses.
#[derive(Debug, Default)]
pub struct Resolver {
    /// By name, for the name servers that were asked.
    slots: Mutex<HashMap<(Vec<SocketAddr>, String), Slot>>,
}

impl Resolver {
    /// The addresses of a name, or why there are none, and until when that holds.
    pub async fn lookup(&self, params: &NameServers, name: &str) -> (Found, Instant) {
        let name = name.to_ascii_lowercase();
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            let key = (params.servers.clone(), name.clone());
            if slots.len() >= NAMES_MAX && !slots.contains_key(&key) {
                slots.clear();
            }
            Arc::clone(slots.entry(key).or_default())
        };

        let mut known = slot.lock().await;
        let now = Instant::now();
        if let Some(known) = known.as_ref().filter(|(_, until)| now < *until) {
            return known.clone();
        }
        let (found, valid) = match timeout(params.timeout, resolve(params, &name)).await {
            Ok(Ok(answer)) => {
                let ttl = Duration::from_secs(answer.ttl_s.into());
                (Ok(answer.addresses.into()), params.valid.unwrap_or(ttl))
            }
            Ok(Err(reason)) => (Err(reason), FAILURE),
            Err(_) => (Err("110: Operation timed out"), FAILURE),
        };
        known.insert((found, Instant::now() + valid)).clone()
    }
}

/// Asks for both kinds of addresses. One of them is enough.
async fn resolve(params: &NameServers, name: &str) -> Result<Answer, &'static str> {
    let of = |kind| ask(&params.servers, name, kind);
    let (four, six) = match params.ipv6 {
        true => {
            let (four, six) = tokio::join!(of(Kind::A), of(Kind::Aaaa));
            (four, Some(six))
        }
        false => (of(Kind::A).await, None),
    };

    let mut failure = Failure::Code(3);
    let mut all = Answer { addresses: Vec::new(), ttl_s: u32::MAX };
    for answer in [Some(four), six].into_iter().flatten() {
        match answer {
            Ok(answer) if answer.addresses.is_empty() => {}
            Ok(answer) => {
                all.addresses.extend(answer.addresses);
                all.ttl_s = all.ttl_s.min(answer.ttl_s);
            }
            Err(error) => failure = error,
        }
    }
    match failure {
        _ if !all.addresses.is_empty() => Ok(all),
        Failure::Code(1) => Err("1: Format error"),
        Failure::Code(3) => Err(NOT_FOUND),
        Failure::Code(4) => Err("4: Unimplemented"),
        Failure::Code(5) => Err("5: Operation refused"),
        _ => Err("2: Server failure"),
    }
}

/// Asks the name servers in turn until one has answered.
async fn ask(servers: &[SocketAddr], name: &str, kind: Kind) -> Result<Answer, Failure> {
    let id = RandomState::new().hash_one(name) as u16;
    let question = question(id, name, kind).ok_or(Failure::Code(3))?;
    for server in servers.iter().cycle() {
        let asked = timeout(RESEND, by_udp(*server, &question));
        match asked.await {
            Ok(Ok(Err(Failure::Truncated))) => {
                return by_tcp(*server, &question).await.unwrap_or(Err(Failure::Truncated));
            }
            Ok(Ok(answer)) => return answer,
            // Nobody listens there. The name server may be starting; do not ask in a loop.
            Ok(Err(_)) => tokio::time::sleep(FAILURE).await,
            Err(_) => {}
        }
    }
    Err(Failure::Code(2))
}

async fn by_udp(server: SocketAddr, question: &[u8]) -> io::Result<Result<Answer, Failure>> {
    let any: IpAddr = match server.is_ipv4() {
        true => Ipv4Addr::UNSPECIFIED.into(),
        false => Ipv6Addr::UNSPECIFIED.into(),
    };
    // A port that nobody can guess, and datagrams of this server alone.
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut bytes = [0; ANSWER_BYTES_MAX];
    loop {
        let length = socket.recv(&mut bytes).await?;
        match answer(question, &bytes[..length]) {
            Err(Failure::NotOurs) => {}
            answer => return Ok(answer),
        }
    }
}

async fn by_tcp(server: SocketAddr, question: &[u8]) -> io::Result<Result<Answer, Failure>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = (question.len() as u16).to_be_bytes();
    stream.write_all(&[&length, question].concat()).await?;
    let length = stream.read_u16().await?;
    let mut bytes = vec![0; length.into()];
    stream.read_exact(&mut bytes).await?;
    Ok(answer(question, &bytes))
}
