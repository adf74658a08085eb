//! Golden scripts: limiters under arrivals, one phenomenon per file.
//!
//! `UPDATE_GOLDEN=1 cargo test -p minigateway --test golden` updates the results; check them with
//! `git diff`.
//!
//! In `limiter`, one key of one algorithm:
//!
//! | command | what it does |
//! |---|---|
//! | `limiter ALGORITHM 5/1s [BURST]` | creates a key; `naive_*` are flawed algorithms |
//! | `at 900ms` | sets the clock |
//! | `send COUNT [cost COST]` | sends requests at once; prints how many pass, and the last wait |
//! | `quota` | prints the remaining quota |
//! | `state` | prints the state |
//! | `play ARRIVALS` | plays arrivals on a new key, a column per 100 ms; prints the worst period |
//!
//! In `limits`, several limits with a store each:
//!
//! | command | what it does |
//! |---|---|
//! | `limit NAME ALGORITHM 5/1s [BURST] [keys MAX] [dry_run]` | adds a limit |
//! | `request KEY [COST]` | charges the first limit by KEY, the others by one common key |
//! | `naive KEY` | charges the limits in turn, without a check |
//! | `requests COUNT` | sends one request from each of COUNT new keys |
//! | `end` | ends the oldest admitted request |
//! | `left KEY` | prints the remaining quota of each limit |
#![cfg(not(loom))]

use minigateway::engine::limiter::algorithm::Algorithm;
use minigateway::engine::limiter::concurrency::Concurrency;
use minigateway::engine::limiter::fixed_window::FixedWindow;
use minigateway::engine::limiter::gcra::Gcra;
use minigateway::engine::limiter::leaky_meter::LeakyMeter;
use minigateway::engine::limiter::leaky_queue::LeakyQueue;
use minigateway::engine::limiter::sliding_counter::SlidingCounter;
use minigateway::engine::limiter::sliding_log::SlidingLog;
use minigateway::engine::limiter::token_bucket::TokenBucket;
use minigateway::engine::limiter::{Decision, Limiter, Quota};
use minigateway::engine::limits::{Charge, Limit, charge_all, release};
use minigateway::engine::store::Store;
use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

#[path = "../examples/common/audit.rs"]
#[allow(dead_code, reason = "POC 60 needs more of it")]
mod audit;
#[path = "../examples/common/timeline.rs"]
#[allow(dead_code, reason = "POC 60 needs more of it")]
mod timeline;

use audit::most_in_a_period;
use timeline::play;

fn scripts(folder: &str) -> String {
    format!("{}/tests/golden/{folder}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn limiter() {
    minikit::golden::run_dir(scripts("limiter"), |_| {
        let mut lab = Lab::default();
        move |line: &str| lab.run(line)
    });
}

#[test]
fn limits() {
    minikit::golden::run_dir(scripts("limits"), |_| {
        let mut lab = LimitsLab::default();
        move |line: &str| lab.run(line)
    });
}

/// Reads `900ms`, `1s` or `1m`.
fn duration(text: &str) -> Duration {
    let unit = text.trim_start_matches(|it: char| it.is_ascii_digit());
    let number = text[..text.len() - unit.len()].parse().expect("a number");
    match unit {
        "ns" => Duration::from_nanos(number),
        "us" => Duration::from_micros(number),
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(60 * number),
        _ => panic!("no unit: {text}"),
    }
}

fn nanoseconds(text: &str) -> u64 {
    duration(text).as_nanos().try_into().expect("a short time")
}

/// Reads `5/1s` as a number and a period.
fn rate(text: &str) -> (u64, Duration) {
    let (number, period) = text.split_once('/').expect("NUMBER/PERIOD");
    (number.parse().expect("a number"), duration(period))
}

fn wait(wait_ns: Option<u64>) -> String {
    match wait_ns {
        Some(wait_ns) => format!("{:?}", Duration::from_nanos(wait_ns)),
        None => "unknown".to_owned(),
    }
}

/// A key of any algorithm.
trait Key {
    fn decide(&mut self, now_ns: u64, cost: u64) -> Decision;
    fn quota(&self, now_ns: u64) -> Quota;
    fn state(&self) -> String;
    fn play(&self, line: &str) -> String;
}

struct KeyOf<L: Limiter> {
    limiter: L,
    period: Duration,
    state: L::State,
}

impl<L: Limiter> Key for KeyOf<L>
where
    L::State: Debug,
{
    fn decide(&mut self, now_ns: u64, cost: u64) -> Decision {
        self.limiter.decide(&mut self.state, now_ns, cost)
    }

    fn quota(&self, now_ns: u64) -> Quota {
        self.limiter.quota(&self.state, now_ns)
    }

    fn state(&self) -> String {
        format!("{:?}", self.state)
    }

    fn play(&self, line: &str) -> String {
        let figure = play(&self.limiter, line, 100_000_000);
        let period_ns = self.period.as_nanos() as u64;
        let most = most_in_a_period(&figure.departures_ns, period_ns);
        let leaving = match figure.leaving == figure.admitted {
            true => String::new(),
            false => format!("leaving   {}\n", figure.leaving),
        };
        let (admitted, period) = (figure.admitted, self.period);
        format!("admitted  {admitted}\n{leaving}at most {most} in {period:?}\n")
    }
}

fn key<L: Limiter + 'static>(limiter: Option<L>, period: Duration) -> Box<dyn Key>
where
    L::State: Debug,
{
    let limiter = limiter.expect("a limit that has a meaning");
    Box::new(KeyOf { state: limiter.unused(), limiter, period })
}

#[derive(Default)]
struct Lab {
    key: Option<Box<dyn Key>>,
    now_ns: u64,
}

impl Lab {
    fn run(&mut self, line: &str) -> String {
        let words = line.split(' ').collect::<Vec<_>>();
        match words[..] {
            ["limiter", algorithm, rate, ref rest @ ..] => self.configure(algorithm, rate, rest),
            ["at", moment] => self.now_ns = nanoseconds(moment),
            ["send", count] => return self.send(count, 1),
            ["send", count, "cost", cost] => {
                return self.send(count, cost.parse().expect("a number"));
            }
            ["quota"] => return self.quota(),
            ["state"] => return self.key().state(),
            ["play", arrivals] => return self.key().play(arrivals),
            _ => panic!("unknown command: {line}"),
        }
        String::new()
    }

    fn key(&mut self) -> &mut Box<dyn Key> {
        self.key.as_mut().expect("`limiter` comes first")
    }

    fn configure(&mut self, algorithm: &str, text: &str, rest: &[&str]) {
        let (limit, period) = rate(text);
        let more = rest.first().map_or(limit, |it| it.parse().expect("a burst"));
        self.key = Some(match algorithm {
            "token_bucket" => key(TokenBucket::new(limit, period, more), period),
            "leaky_meter" => key(LeakyMeter::new(limit, period, more), period),
            "gcra" => key(Gcra::new(limit, period, more), period),
            "leaky_queue" => key(LeakyQueue::new(limit, period, more), period),
            "fixed_window" => key(FixedWindow::new(limit, period), period),
            "sliding_log" => key(SlidingLog::new(limit, period), period),
            "sliding_counter" => key(SlidingCounter::new(limit, period), period),
            "naive_token_bucket" => {
                key(Some(NaiveTokenBucket { rate: limit, burst: more }), period)
            }
            "naive_sliding_log" => {
                let (limit, period_ns) = (limit as usize, period.as_nanos() as u64);
                key(Some(NaiveSlidingLog { limit, period_ns }), period)
            }
            _ => panic!("unknown algorithm: {algorithm}"),
        });
    }

    fn send(&mut self, count: &str, cost: u64) -> String {
        let now_ns = self.now_ns;
        let count = count.parse::<usize>().expect("a number of requests");
        let decisions = (0..count).map(|_| self.key().decide(now_ns, cost)).collect::<Vec<_>>();
        let admitted = decisions.iter().filter(|it| it.is_admitted()).count();
        match decisions.last() {
            Some(Decision::Refused { retry_after_ns }) => {
                format!("{admitted} of {count}, retry after {}", wait(*retry_after_ns))
            }
            Some(Decision::Admitted { delay_ns: 1.. }) => {
                let delay = |it: &Decision| match it {
                    Decision::Admitted { delay_ns } => wait(Some(*delay_ns)),
                    Decision::Refused { .. } => "refused".to_owned(),
                };
                let delays = decisions.iter().map(delay).collect::<Vec<_>>();
                format!("{admitted} of {count}, delayed by {}", delays.join(" "))
            }
            _ => format!("{admitted} of {count}"),
        }
    }

    fn quota(&mut self) -> String {
        let now_ns = self.now_ns;
        let Quota { remaining, full_after_ns } = self.key().quota(now_ns);
        format!("{remaining} left, all in {}", wait(Some(full_after_ns)))
    }
}

/// A naive bucket that rounds the refill down at each request.
struct NaiveTokenBucket {
    rate: u64,
    burst: u64,
}

impl Limiter for NaiveTokenBucket {
    type State = (u64, u64);

    fn unused(&self) -> (u64, u64) {
        (self.burst, 0)
    }

    fn decide(&self, (tokens, last_ms): &mut (u64, u64), now_ns: u64, cost: u64) -> Decision {
        let now_ms = now_ns / 1_000_000;
        *tokens = self.burst.min(*tokens + (now_ms - *last_ms) * self.rate / 1000);
        *last_ms = now_ms;
        let Some(left) = tokens.checked_sub(cost) else { return Decision::NEVER };
        *tokens = left;
        Decision::NOW
    }

    fn quota(&self, (tokens, _): &(u64, u64), _now_ns: u64) -> Quota {
        Quota { remaining: *tokens, full_after_ns: 0 }
    }
}

/// The recipe with a sorted set: add the request, remove old ones, and count the rest.
struct NaiveSlidingLog {
    limit: usize,
    period_ns: u64,
}

impl Limiter for NaiveSlidingLog {
    type State = VecDeque<u64>;

    fn unused(&self) -> VecDeque<u64> {
        VecDeque::new()
    }

    fn decide(&self, log: &mut VecDeque<u64>, now_ns: u64, _cost: u64) -> Decision {
        log.push_back(now_ns);
        log.retain(|it| now_ns - it < self.period_ns);
        if log.len() > self.limit { Decision::NEVER } else { Decision::NOW }
    }

    fn quota(&self, log: &VecDeque<u64>, _now_ns: u64) -> Quota {
        Quota { remaining: self.limit.saturating_sub(log.len()) as u64, full_after_ns: 0 }
    }
}

#[derive(Default)]
struct LimitsLab {
    limits: Vec<Limit>,
    now_ns: u64,
    requests: u64,
    in_progress: VecDeque<(Vec<Charge>, u64)>,
}

impl LimitsLab {
    fn run(&mut self, line: &str) -> String {
        let words = line.split(' ').collect::<Vec<_>>();
        match words[..] {
            ["limit", name, ref rest @ ..] => self.limits.push(limit(name, rest)),
            ["at", moment] => self.now_ns = nanoseconds(moment),
            ["request", key] => return self.request(key, 1),
            ["request", key, cost] => return self.request(key, cost.parse().expect("a cost")),
            ["requests", count] => return self.requests(count.parse().expect("a number")),
            ["naive", key] => return self.naive(key),
            ["end"] => {
                let (mut charges, charged_ns) = self.in_progress.pop_front().expect("admitted");
                release(&self.limits, &mut charges, charged_ns);
            }
            ["left", key] => return self.left(key),
            _ => panic!("unknown command: {line}"),
        }
        String::new()
    }

    /// The first limit counts by key; the others count all requests together.
    fn charges(&self, key: &str, cost: u64) -> Vec<Charge> {
        let key = |index| if index == 0 { hash(key) } else { 1 };
        (0..self.limits.len()).map(|index| Charge::new(index, key(index), cost)).collect()
    }

    fn request(&mut self, key: &str, cost: u64) -> String {
        let mut charges = self.charges(key, cost);
        let decision = charge_all(&self.limits, &mut charges, self.now_ns);
        let refusing = charges.iter().filter(|it| !it.decision.is_admitted());
        let name = |it: &Charge| {
            let Limit { name, is_dry_run, .. } = &self.limits[it.limit];
            if *is_dry_run { format!("{name} in dry run") } else { name.clone() }
        };
        let refusing = refusing.map(name).collect::<Vec<_>>().join(", ");
        match decision {
            Decision::Admitted { .. } => {
                self.in_progress.push_back((charges, self.now_ns));
                let refusing =
                    if refusing.is_empty() { refusing } else { format!(", refused by {refusing}") };
                format!("admitted{refusing}")
            }
            Decision::Refused { retry_after_ns } => {
                format!("refused by {refusing}, retry after {}", wait(retry_after_ns))
            }
        }
    }

    fn requests(&mut self, count: u64) -> String {
        let mut admitted = 0;
        for _ in 0..count {
            self.requests += 1;
            let key = format!("key {}", self.requests);
            admitted += u64::from(self.request(&key, 1).starts_with("admitted"));
        }
        let overflowed = self.limits[0].store.overflowed();
        format!("{admitted} of {count}, {overflowed} so far by the overflow bucket")
    }

    fn naive(&self, key: &str) -> String {
        for charge in self.charges(key, 1) {
            let Limit { algorithm, store, name, .. } = &self.limits[charge.limit];
            if !store.decide(algorithm, charge.key, self.now_ns, 1).0.is_admitted() {
                return format!("refused by {name}");
            }
        }
        "admitted".to_owned()
    }

    fn left(&self, key: &str) -> String {
        let charges = self.charges(key, 1);
        let left = charges.iter().map(|it| {
            let remaining = self.limits[it.limit]
                .algorithm
                .quota(&it.word(&self.limits, self.now_ns), self.now_ns)
                .remaining;
            format!("{} {remaining}", self.limits[it.limit].name)
        });
        left.collect::<Vec<_>>().join(", ")
    }
}

fn limit(name: &str, words: &[&str]) -> Limit {
    let mut limit = Limit {
        name: name.to_owned(),
        algorithm: algorithm(words),
        store: Arc::new(Store::new(100)),
        is_dry_run: words.contains(&"dry_run"),
    };
    if let Some(at) = words.iter().position(|it| *it == "keys") {
        limit.store = Arc::new(Store::new(words[at + 1].parse().expect("a number")));
    }
    limit
}

fn algorithm(words: &[&str]) -> Algorithm {
    let burst = words.get(2).and_then(|it| it.parse().ok());
    let made = match words[0] {
        "concurrency" => {
            Concurrency::new(words[1].parse().expect("a number")).map(Algorithm::Concurrency)
        }
        name => {
            let (limit, period) = rate(words[1]);
            let burst = burst.unwrap_or(limit);
            match name {
                "token_bucket" => Gcra::new(limit, period, burst).map(Algorithm::TokenBucket),
                "leaky_bucket" => LeakyQueue::new(limit, period, burst).map(Algorithm::LeakyBucket),
                "fixed_window" => FixedWindow::new(limit, period).map(Algorithm::FixedWindow),
                _ => panic!("unknown algorithm: {name}"),
            }
        }
    };
    made.expect("a limit that has a meaning")
}

/// FNV-1a with a final mix, which the store needs for the upper bits.
fn hash(key: &str) -> u64 {
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325, fold);
    (hash ^ hash >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ hash >> 32
}
