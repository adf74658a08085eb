//! minilb's heart: the cost of a pick among 3, 100 and 10,000 servers, of reading an nginx.conf,
//! and of a request's head, each beside crates that do the same.
//!
//! `cargo bench -p benches --bench lb`. A pick is one call of the balancer; 64 connections stay
//! open, so that counts of connections differ. Peers, and what of the work they do:
//!
//! | beside | crate | does the same, except |
//! |---|---|---|
//! | round robin | `weighted-rs` | no health, no server that is passed over |
//! | consistent hash | `pingora-ketama` | the same points; picks an address, knows no health |
//! | consistent hash | `hashring` | one point for each server, other hash |
//! | heads | `httparse` alone | finds names and values; no rule of framing is checked |
//! | heads | `httparse` into `http::HeaderMap` | what `hyper` does |
//!
//! Maglev and nginx.conf have no peer: the crate `maglev` takes 80 GB for 10,000 servers, and
//! `nginx-config` depends on a crate that is given up.

use std::collections::VecDeque;
use std::hint::black_box;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use http::{HeaderMap, HeaderName, HeaderValue};
use minilb::conf::host::Host;
use minilb::conf::reader;
use minilb::engine::balance::balancer::{Balancer, Choice, Walk};
use minilb::engine::balance::bounded::Bounded;
use minilb::engine::balance::hash::Hash;
use minilb::engine::balance::ip_hash::IpHash;
use minilb::engine::balance::least_conn::LeastConn;
use minilb::engine::balance::least_time::LeastTime;
use minilb::engine::balance::maglev::Maglev;
use minilb::engine::balance::random::{Compare, Random};
use minilb::engine::balance::ring::Ring;
use minilb::engine::balance::round_robin::RoundRobin;
use minilb::engine::peer::{Peer, PeerId, PeerParams};
use minilb::wire::http1::framing::Framing;
use minilb::wire::http1::head::RequestHead;
use minilb::wire::http1::writer::HeadWriter;
use weighted_rs::{SmoothWeight, Weight};

/// Connections that are open at a time.
const OPEN: usize = 64;
/// Of keys: a power of two, more than there are servers.
const KEYS: u64 = 1 << 14;

/// A request as a browser sends it, with a dozen headers.
const REQUEST: &[u8] = b"GET /articles/consistent-hashing?page=2 HTTP/1.1\r\n\
    Host: www.example.com\r\n\
    Connection: keep-alive\r\n\
    Cache-Control: max-age=0\r\n\
    Upgrade-Insecure-Requests: 1\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/120.0.0.0 Safari/537.36\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8\r\n\
    Sec-Fetch-Site: same-origin\r\n\
    Sec-Fetch-Mode: navigate\r\n\
    Referer: https://www.example.com/articles\r\n\
    Accept-Encoding: gzip, deflate, br\r\n\
    Accept-Language: en-US,en;q=0.9\r\n\
    Cookie: session=0123456789abcdef; theme=dark\r\n\r\n";

fn address(number: usize) -> SocketAddr {
    let [high, low] = (number as u16).to_be_bytes();
    ([10, 0, high, low], 8080).into()
}

fn peers(count: usize) -> Vec<Peer> {
    let peer = |number: usize| {
        let name = address(number).to_string();
        let id = PeerId(number as u64);
        Peer::new(id, name.as_str().into(), name.into(), PeerParams::default())
    };
    (0..count).map(peer).collect()
}

/// Key number `number`: an IPv4 address, which `ip_hash` needs and the others do not mind.
fn key(number: u64) -> [u8; 4] {
    ((number % KEYS) as u32).wrapping_mul(0x9e37_79b9).to_be_bytes()
}

type MakeBalancer = fn(&[Peer]) -> Box<dyn Balancer>;

const BALANCERS: [(&str, MakeBalancer); 11] = [
    ("round robin", |_| Box::new(RoundRobin)),
    ("least_conn", |_| Box::new(LeastConn)),
    ("least_time", |_| Box::new(LeastTime)),
    ("random", |_| Box::new(Random { two: None })),
    ("random two", |_| Box::new(Random { two: Some(Compare::Connections) })),
    ("random two by time", |_| Box::new(Random { two: Some(Compare::Time) })),
    ("ip_hash", |_| Box::new(IpHash)),
    ("hash", |_| Box::new(Hash)),
    ("consistent hash", |peers| Box::new(Ring::new(peers))),
    ("bounded hash", |peers| Box::new(Bounded::new(peers, 125))),
    ("Maglev", |peers| Box::new(Maglev::new(peers))),
];

fn pick(c: &mut Criterion) {
    for (name, count) in [("pick/3", 3), ("pick/100", 100), ("pick/10k", 10_000)] {
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(1));
        for (name, make) in BALANCERS {
            // What is built here is built only if the benchmark is wanted.
            group.bench_function(format!("minilb {name}"), |b| {
                let mut peers = peers(count);
                let balancer = make(&peers);
                let mut open = VecDeque::with_capacity(OPEN);
                let mut number = 0;
                b.iter(|| {
                    number += 1;
                    let index = pick_one(&*balancer, &mut peers, number);
                    peers[index].conns += 1;
                    open.push_back(index);
                    if open.len() == OPEN {
                        let oldest = open.pop_front().expect("it is full");
                        peers[oldest].conns -= 1;
                    }
                });
            });
        }
        beside(&mut group, count);
    }
}

fn pick_one(balancer: &dyn Balancer, peers: &mut [Peer], number: u64) -> usize {
    let mut walk = Walk { random: number, ..Walk::default() };
    let key = key(number);
    let mut choice =
        Choice { tried: &[], now_ms: number, ignores_health: false, key: &key, walk: &mut walk };
    balancer.pick(peers, &mut choice).expect("all servers are healthy")
}

/// The crates that do the same.
fn beside(group: &mut BenchmarkGroup<'_, WallTime>, count: usize) {
    group.bench_function("weighted-rs", |b| {
        let mut servers = SmoothWeight::new();
        (0..count).for_each(|it| servers.add(it, 1));
        b.iter(|| servers.next().expect("there are servers"));
    });
    group.bench_function("pingora-ketama", |b| {
        let bucket = |it| pingora_ketama::Bucket::new(address(it), 1);
        let ring = pingora_ketama::Continuum::new(&(0..count).map(bucket).collect::<Vec<_>>());
        // Same points, same answers.
        let ours = Ring::new(&peers(count));
        for key in (0..100).map(key) {
            let theirs = ring.node(&key).map(|it| it.to_string());
            assert_eq!(ours.names_from(&key).next().map(|it| &**it), theirs.as_deref());
        }
        let mut number = 0;
        b.iter(|| {
            number += 1;
            ring.node(&key(number)).expect("there are servers")
        });
    });
    group.bench_function("hashring", |b| {
        let mut ring = hashring::HashRing::new();
        ring.batch_add((0..count).map(address).collect());
        let mut number = 0;
        b.iter(|| {
            number += 1;
            *ring.get(&key(number)).expect("there are servers")
        });
    });
}

/// One file in memory; names are addresses.
struct Memory(Vec<u8>);

impl Host for Memory {
    fn read(&self, _path: &Path) -> io::Result<Vec<u8>> {
        Ok(self.0.clone())
    }

    fn glob(&self, _pattern: &Path) -> Vec<PathBuf> {
        Vec::new()
    }

    fn resolve(&self, name: &str) -> Vec<SocketAddr> {
        name.parse().into_iter().collect()
    }
}

/// An `http` with 50 virtual servers, as many upstreams, and three locations in each.
fn nginx_conf() -> String {
    let mut text =
        "worker_processes auto;\nevents { worker_connections 1024; }\nhttp {\n".to_owned();
    for number in 0..50 {
        let (first, second) = (address(2 * number), address(2 * number + 1));
        text += &format!(
            "upstream app{number} {{\n    server {first} weight=3 fail_timeout=5s;\n    \
             server {second} backup;\n    keepalive 16;\n}}\n\
             server {{\n    listen 80;\n    server_name app{number}.example.com;\n    \
             location / {{\n        proxy_pass http://app{number};\n        \
             proxy_set_header Host $host;\n        \
             proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n        \
             proxy_http_version 1.1;\n    }}\n    \
             location /api/ {{ proxy_pass http://app{number}/v1/; proxy_read_timeout 30s; }}\n    \
             location = /health {{ return 200 \"ok\"; }}\n}}\n"
        );
    }
    text + "}\n"
}

fn configuration(c: &mut Criterion) {
    let text = nginx_conf();
    let mut group = c.benchmark_group("parse/nginx.conf");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("minilb", |b| {
        let host = Memory(text.clone().into_bytes());
        b.iter(|| {
            let path = Path::new("/nginx.conf");
            let config = reader::read(&host, path, "", Path::new("/")).expect("correct");
            assert_eq!(config.http.upstreams.len(), 50);
        });
    });
}

fn heads(c: &mut Criterion) {
    let mut group = c.benchmark_group("parse/head");
    group.throughput(Throughput::Bytes(REQUEST.len() as u64));
    group.bench_function("minilb", |b| {
        let mut head = RequestHead::default();
        b.iter(|| {
            head.clear();
            assert_eq!(head.parse(black_box(REQUEST)), Ok(Some(REQUEST.len())));
        });
    });
    group.bench_function("httparse", |b| {
        b.iter(|| {
            let mut headers = [httparse::EMPTY_HEADER; 32];
            let mut request = httparse::Request::new(&mut headers);
            assert!(request.parse(black_box(REQUEST)).is_ok_and(|it| it.is_complete()));
        });
    });
    group.bench_function("httparse into HeaderMap", |b| {
        b.iter(|| assert_eq!(header_map(black_box(REQUEST)).len(), 12));
    });
    group.finish();

    let mut group = c.benchmark_group("encode/head");
    group.throughput(Throughput::Bytes(REQUEST.len() as u64));
    group.bench_function("minilb", |b| {
        let mut head = RequestHead::default();
        head.parse(REQUEST).expect("correct");
        let mut out = Vec::with_capacity(2 * REQUEST.len());
        b.iter(|| {
            out.clear();
            let mut writer =
                HeadWriter::request(&mut out, head.method(), head.uri(), 1, Framing::None);
            head.end_to_end().for_each(|it| writer.header(it.name, it.value));
            writer.finish();
            // All but `Connection`, which ends at a proxy.
            assert_eq!(out.len(), REQUEST.len() - b"Connection: keep-alive\r\n".len());
        });
    });
    group.bench_function("HeaderMap", |b| {
        let headers = header_map(REQUEST);
        let mut out = Vec::with_capacity(2 * REQUEST.len());
        b.iter(|| {
            out.clear();
            out.extend_from_slice(b"GET /articles/consistent-hashing?page=2 HTTP/1.1\r\n");
            for (name, value) in &headers {
                for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                    out.extend_from_slice(part);
                }
            }
            out.extend_from_slice(b"\r\n");
            assert_eq!(out.len(), REQUEST.len());
        });
    });
}

fn header_map(bytes: &[u8]) -> HeaderMap {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut headers);
    request.parse(bytes).expect("correct");
    let pair = |it: &httparse::Header<'_>| {
        let name = HeaderName::from_bytes(it.name.as_bytes()).expect("a name");
        (name, HeaderValue::from_bytes(it.value).expect("a value"))
    };
    request.headers.iter().map(pair).collect()
}

criterion_group! {
    name = lb;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = pick, configuration, heads
}
criterion_main!(lb);
