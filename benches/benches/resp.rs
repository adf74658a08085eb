//! RESP: finding the arguments of requests, and writing replies.
//!
//! `cargo bench -p benches --bench resp`

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use minicache::wire::reply::{Protocol, Reply};
use minicache::wire::request::{Found, Limits, Parser};

const LIMITS: Limits = Limits { bulk_max: 512 << 20, authenticated: true };

/// What comes in one read, how many arguments that is, and of how many bytes.
struct Read {
    name: &'static str,
    bytes: Vec<u8>,
    requests: u64,
    argument_bytes: usize,
}

fn reads() -> Vec<Read> {
    let get = b"*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000042\r\n";
    let set = b"*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000042\r\n$3\r\nxxx\r\n";
    let mixed = [&get[..], set].concat().repeat(8);
    let large = [&b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4096\r\n"[..], &[b'v'; 4096], b"\r\n"].concat();
    vec![
        Read { name: "get", bytes: get.to_vec(), requests: 1, argument_bytes: 19 },
        Read { name: "set", bytes: set.to_vec(), requests: 1, argument_bytes: 22 },
        Read { name: "set_4096", bytes: large, requests: 1, argument_bytes: 4100 },
        Read { name: "pipeline_of_16", bytes: mixed, requests: 16, argument_bytes: 8 * (19 + 22) },
        Read { name: "inline", bytes: b"GET key\r\n".to_vec(), requests: 1, argument_bytes: 6 },
    ]
}

/// Parses all requests; how many there are, and how many bytes of arguments.
fn parse(parser: &mut Parser, mut bytes: &[u8]) -> (u64, usize) {
    let mut sums = (0, 0);
    while let Found::Request { length } = parser.next(bytes, LIMITS) {
        sums.0 += 1;
        sums.1 +=
            parser.args(bytes).iter().map(|argument| black_box(argument).len()).sum::<usize>();
        bytes = &bytes[length..];
    }
    sums
}

fn requests(c: &mut Criterion) {
    let mut group = c.benchmark_group("parse");
    for Read { name, bytes, requests, argument_bytes } in reads() {
        group.throughput(Throughput::Elements(requests));
        group.bench_function(name, |b| {
            let mut parser = Parser::default();
            b.iter(|| {
                let sums = parse(&mut parser, black_box(&bytes));
                assert_eq!(sums, (requests, argument_bytes));
            });
        });
    }
}

/// Writes one reply.
type Write = fn(&mut Reply);

fn replies(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode");
    let kinds: [(&str, Protocol, Write, usize); 6] = [
        ("ok", Protocol::Resp2, |out| out.ok(), 5),
        ("integer", Protocol::Resp2, |out| out.int(black_box(1234567)), 10),
        ("bulk_32", Protocol::Resp2, |out| out.bulk(black_box(&[b'v'; 32])), 39),
        ("null", Protocol::Resp3, |out| out.null(), 3),
        // Seventeen digits, as Redis 7 prints them.
        ("double", Protocol::Resp3, |out| out.double(black_box(2.50625)), 21),
        ("array_of_100", Protocol::Resp2, array_of_100, 1006),
    ];
    for (name, protocol, write, length) in kinds {
        group.throughput(Throughput::Bytes(length as u64));
        group.bench_function(name, |b| {
            let mut out = Reply::new(protocol);
            b.iter(|| {
                out.buffer().clear();
                write(&mut out);
                assert_eq!(black_box(out.bytes()).len(), length);
            });
        });
    }
}

fn array_of_100(out: &mut Reply) {
    out.array(100);
    for _ in 0..100 {
        out.bulk(black_box(b"word"));
    }
}

criterion_group! {
    name = resp;
    config = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = requests, replies
}
criterion_main!(resp);
