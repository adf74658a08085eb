//! Limits that several gateways share: one Lua script in Redis does the arithmetic.
//!
//! ```text
//! gateway 1   EVALSHA sha 2 {minigateway}:per_client:..:5f.. {minigateway}:all:..:07..  ─┐
//! gateway 2   EVALSHA ...                                                               ─┼─> in
//! gateway 8   EVALSHA ...                                                               ─┘   turn
//! reply       1 1764460800123456  1764460800100000 0  1764460800 17
//!             │ │                 └ state of limit 1 └ state of limit 2, before the charge
//!             │ └ the time of the store, in microseconds
//!             └ both were charged
//! ```
//!
//! # The naive ways
//!
//! With `GET`, a decision and `SET`, two gateways can read the same state and both admit the last
//! request. `INCR` of a counter per window is atomic, but charges one limit even if another
//! refuses. [`SCRIPT`] checks all limits of a request and then charges them. Redis runs one script
//! at a time, so no request is admitted beyond the limit.
//!
//! # Does the script decide like the local algorithms?
//!
//! The script decides, and replies with the states that it decided on. A state is converted to the
//! [word](KeyState::word) of the local algorithm, so headers and explanations come from the same
//! code as for local limits, and [`ScriptReply::apply`] repeats each decision:
//!
//! ```text
//! state 1764460800100000:250     TAT in us : ns     word 1764460800100000250
//! ```
//!
//! A property test in this file runs the script in a Lua interpreter and compares each decision.
//! `clients/run` checks that eight gateways on a real Redis, and on minicache, keep to the limit.
//!
//! # Differences from the real systems
//!
//! Envoy's ratelimit service uses `INCRBY` and `EXPIRE` per window: no window admits too much, but
//! a request that one limit refuses is counted by all. Kong counts locally and synchronizes, which
//! admits more; [`super::leases`] avoids that. Leaky buckets cannot be shared because of their
//! delays, nor can concurrency limits, because a gateway that dies never releases them.

use super::limiter::algorithm::Algorithm;
use super::limiter::{Decision, Limiter, Quota};
use super::limits::Outcome;
use sha1::{Digest, Sha1};

/// The script that Redis runs.
pub const SCRIPT: &str = include_str!("shared.lua");

/// The largest product or depth in the script: a double holds the sum of two such numbers exactly.
const EXACT_MAX: u64 = 1 << 52;

/// The parameters of a limit, as arguments of the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    kind: &'static str,
    /// The limit, or a token bucket's interval in nanoseconds. In the script, `x`.
    limit_or_interval: u64,
    /// The window in microseconds, or a token bucket's depth in nanoseconds. In the script, `y`.
    window_or_depth: u64,
}

impl Parameters {
    /// # Errors
    /// The reason why this algorithm, or these numbers, cannot be shared.
    pub fn new(algorithm: &Algorithm) -> Result<Parameters, &'static str> {
        let (kind, (limit_or_interval, window_or_depth)) = match algorithm {
            Algorithm::TokenBucket(it) => ("token", it.interval_and_depth_ns()),
            Algorithm::FixedWindow(it) => ("fixed", it.limit_and_window_us()),
            Algorithm::SlidingWindow(it) => ("sliding", it.limit_and_window_us()),
            Algorithm::LeakyBucket(_) | Algorithm::Concurrency(_) => {
                return Err("only token_bucket, fixed_window and sliding_window can be shared");
            }
        };
        // The largest number that the script computes from the parameters.
        let largest = match kind {
            "sliding" => limit_or_interval.saturating_mul(window_or_depth),
            _ => window_or_depth,
        };
        match largest <= EXACT_MAX {
            true => Ok(Parameters { kind, limit_or_interval, window_or_depth }),
            false => {
                Err("a shared limit must be full within 52 days, a sliding_window within fewer")
            }
        }
    }
}

/// A charge of one shared limit for one request.
#[derive(Clone, Copy, Debug)]
pub struct SharedCharge {
    /// The index of the limit.
    pub limit: usize,
    /// The [hash](key) of the key that the limit counts by.
    pub key: u64,
    /// The cost of the request.
    pub cost: u64,
    /// The amount to deduct if enough is left: a lease, or just the cost if there are no leases.
    pub lease: u64,
    /// The decision. Before the reply it is [`Decision::NOW`].
    pub decision: Decision,
    /// True if the store deducted the cost, or a lease paid it.
    pub is_charged: bool,
    /// The state of the key; `None` if the store did not answer.
    pub state: Option<KeyState>,
}

impl SharedCharge {
    /// A charge for a request of `cost` by `key`.
    pub fn new(limit: usize, key: u64, cost: u64) -> SharedCharge {
        let (decision, is_charged) = (Decision::NOW, false);
        SharedCharge { limit, key, cost, lease: cost, decision, is_charged, state: None }
    }

    /// Returns the outcome.
    pub fn outcome(&self) -> Outcome {
        Outcome::new(self.decision, self.is_charged)
    }
}

/// The state of a key of a shared limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyState {
    /// The state, in the format of the local algorithm.
    pub word: u64,
    /// The time of the state, by the store's clock.
    pub now_ns: u64,
    /// The amount that this gateway has leased and not used.
    pub held: u64,
}

impl KeyState {
    /// Returns the quota in the store plus the rest of this gateway's lease.
    pub fn quota(&self, algorithm: &Algorithm) -> Quota {
        let quota = algorithm.quota(&self.word, self.now_ns);
        Quota { remaining: quota.remaining.saturating_add(self.held), ..quota }
    }
}

/// Hashes a key, with the same result in all gateways and with the length of each part. To collide
/// with the key of one given client takes 2^64 attempts.
pub fn key<'a>(parts: impl Iterator<Item = &'a [u8]>) -> u64 {
    let mut hash = Sha1::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let hash = hash.finalize();
    u64::from_be_bytes(std::array::from_fn(|it| hash[it]))
}

/// Returns the name of a key in Redis. A script requires all its keys in one cluster slot, hence
/// the braces. The parameters are in it because limits with others cannot use the same state.
pub fn redis_key(prefix: &str, limit: &str, parameters: Parameters, key: u64) -> String {
    let Parameters { kind, limit_or_interval: x, window_or_depth: y } = parameters;
    format!("{{{prefix}}}:{limit}:{kind}-{x}-{y}:{key:016x}")
}

/// Returns the script's arguments for one limit. `can_refuse` is false in dry run.
pub fn arguments(charge: &SharedCharge, parameters: Parameters, can_refuse: bool) -> [String; 6] {
    let Parameters { kind, limit_or_interval: x, window_or_depth: y } = parameters;
    // Any cost above the limit is refused alike, so cap it to keep it exact in a double.
    let most = if kind == "token" { y / x } else { x };
    let [cost, lease] = [charge.cost, charge.lease].map(|it| it.min(most + 1).to_string());
    let can_refuse = u8::from(can_refuse).to_string();
    [kind.to_owned(), can_refuse, cost, lease, x.to_string(), y.to_string()]
}

/// The reply of the script.
#[derive(Debug, PartialEq, Eq)]
pub struct ScriptReply {
    /// True if every limit that can refuse admitted the request, and the limits were charged.
    pub is_charged: bool,
    /// The word of each limit before the charge.
    words: Vec<u64>,
    now_ns: u64,
}

impl ScriptReply {
    /// Reads the reply to a call with these limits. Returns `None` if it is malformed.
    pub fn read(numbers: &[i64], limits: &[Parameters]) -> Option<ScriptReply> {
        let numbers =
            numbers.iter().map(|it| u64::try_from(*it).ok()).collect::<Option<Vec<_>>>()?;
        let [charged, now_us, states @ ..] = &numbers[..] else { return None };
        let (pairs, []) = states.as_chunks::<2>() else { return None };
        if pairs.len() != limits.len() {
            return None;
        }

        let word = |(&[a, b], limit): (&[u64; 2], &Parameters)| match limit.kind {
            "token" => a.checked_mul(1000)?.checked_add(b),
            _ => Some(u64::from(u32::try_from(a).ok()?) << 32 | u64::from(u32::try_from(b).ok()?)),
        };
        Some(ScriptReply {
            is_charged: *charged == 1,
            words: pairs.iter().zip(limits).map(word).collect::<Option<_>>()?,
            now_ns: now_us.checked_mul(1000)?,
        })
    }

    /// Stores the decision of limit `index` of the call in `charge`, and the state after it.
    ///
    /// Returns the deducted amount: the lease, the cost, or 0.
    pub fn apply(&self, index: usize, algorithm: &Algorithm, charge: &mut SharedCharge) -> u64 {
        let before = self.words[index];
        let mut word = before;
        charge.decision = algorithm.decide(&mut word, self.now_ns, charge.cost);
        let mut deducted = if charge.decision.is_admitted() { charge.cost } else { 0 };

        let mut leased = before;
        if algorithm.decide(&mut leased, self.now_ns, charge.lease).is_admitted() {
            (word, deducted) = (leased, charge.lease);
        }
        if !self.is_charged {
            (word, deducted) = (before, 0);
        }
        charge.is_charged = deducted > 0;
        charge.state = Some(KeyState { word, now_ns: self.now_ns, held: 0 });
        deducted
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::limiter::fixed_window::FixedWindow;
    use super::super::limiter::gcra::Gcra;
    use super::super::limiter::leaky_queue::LeakyQueue;
    use super::super::limiter::sliding_counter::SlidingCounter;
    use super::*;
    use proptest::prelude::*;
    use rilua::{Lua, LuaApiMut};
    use std::time::Duration;

    /// The Redis commands that the script calls, with a settable clock.
    const REDIS: &str = "
        local store = {}
        redis = {}
        function redis.call(name, key, value)
            if name == 'TIME' then
                return { tostring(math.floor(now / 1000000)), tostring(now % 1000000) }
            elseif name == 'GET' then
                return store[key] or false
            end
            store[key] = value
        end";

    /// Runs the script at a given time.
    struct Store(Lua);

    impl Store {
        fn new() -> Store {
            let mut lua = Lua::new().expect("memory");
            lua.exec(REDIS).expect("well formed");
            lua.exec(&format!("function script() {SCRIPT}\nend")).expect("well formed");
            Store(lua)
        }

        fn decide(
            &mut self,
            now_us: u64,
            charges: &[SharedCharge],
            limits: &[Parameters],
        ) -> ScriptReply {
            self.0.set_global("now", now_us as f64).expect("a number");
            let name = |limit: usize| ["first", "second"][limit];
            let keys = charges.iter();
            let keys = keys.map(|it| redis_key("p", name(it.limit), limits[it.limit], it.key));
            let keys = keys.map(|it| format!("'{it}',")).collect::<String>();
            let values = charges.iter().flat_map(|it| arguments(it, limits[it.limit], true));
            let values = values.map(|it| format!("'{it}',")).collect::<String>();
            let call = format!("KEYS = {{{keys}}} ARGV = {{{values}}} reply = script()\n");
            let text = "text = '' for i, it in ipairs(reply) do \
                        text = text .. string.format('%.0f ', it) end";
            self.0.exec(&(call + text)).expect("no error");
            let text = self.0.global::<String>("text").expect("a string");
            let numbers = text.split_whitespace().map(|it| it.parse().expect("a number"));
            let limits = charges.iter().map(|it| limits[it.limit]).collect::<Vec<_>>();
            ScriptReply::read(&numbers.collect::<Vec<_>>(), &limits).expect("a reply")
        }
    }

    fn algorithms() -> impl Strategy<Value = Algorithm> {
        (0..3, 1u64..20, 1u64..90).prop_map(|(which, limit, seconds)| {
            let window = Duration::from_secs(seconds);
            match which {
                0 => Algorithm::TokenBucket(Gcra::new(limit, window, limit + 3).expect("no zero")),
                1 => Algorithm::FixedWindow(FixedWindow::new(limit, window).expect("no zero")),
                _ => Algorithm::SlidingWindow(SlidingCounter::new(limit, window).expect("no zero")),
            }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        /// Two limits, two keys each, and a clock that sometimes goes back: the script decides,
        /// charges and leases like the local algorithms.
        #[test]
        fn the_script_decides_as_the_local_algorithms_do(
            algorithms in [algorithms(), algorithms()],
            requests in prop::collection::vec(
                (-2_000_000i64..9_000_000, [0u64..2, 0u64..2], 1u64..6, 0u64..9), 1..60),
        ) {
            let limits = algorithms.map(|it| Parameters::new(&it).expect("small"));
            let mut store = Store::new();
            let mut words = [[0u64; 2]; 2];
            let mut now_us = 1_764_460_800_123_456u64;
            for (gap_us, keys, cost, more) in requests {
                now_us = now_us.saturating_add_signed(gap_us);
                let mut charges = [0, 1].map(|it| SharedCharge::new(it, keys[it], cost));
                charges.iter_mut().for_each(|it| it.lease = cost + more);
                let reply = store.decide(now_us, &charges, &limits);

                let now_ns = now_us * 1000;
                let decide = |it: usize, cost| {
                    let mut word = words[it][keys[it] as usize];
                    (algorithms[it].decide(&mut word, now_ns, cost), word)
                };
                let decisions = [0, 1].map(|it| decide(it, cost).0);
                let is_charged = decisions.iter().all(Decision::is_admitted);
                prop_assert_eq!(reply.is_charged, is_charged);
                let leased = [0, 1].map(|it| decide(it, cost + more));
                let plain = [0, 1].map(|it| decide(it, cost));
                for it in [0, 1] {
                    let deducted = reply.apply(it, &algorithms[it], &mut charges[it]);
                    prop_assert_eq!(charges[it].decision, decisions[it]);
                    if is_charged {
                        let fits = leased[it].0.is_admitted();
                        let (_, word) = if fits { leased[it] } else { plain[it] };
                        words[it][keys[it] as usize] = word;
                        prop_assert_eq!(deducted, if fits { cost + more } else { cost });
                    }
                    let word = charges[it].state.expect("applied").word;
                    prop_assert_eq!(word, words[it][keys[it] as usize]);
                }
            }
        }
    }

    #[test]
    fn the_reply_of_the_head() {
        let second = Duration::from_secs(1);
        let algorithms = [
            Algorithm::TokenBucket(Gcra::new(5, second, 5).expect("no zero")),
            Algorithm::FixedWindow(FixedWindow::new(20, second).expect("no zero")),
        ];
        let limits = algorithms.map(|it| Parameters::new(&it).expect("small"));
        let reply = [1, 1_764_460_800_123_456, 1_764_460_800_100_000, 0, 1_764_460_800, 17];
        let reply = ScriptReply::read(&reply, &limits).expect("one");
        let mut charge = SharedCharge::new(1, 7, 1);
        assert_eq!(reply.apply(1, &algorithms[1], &mut charge), 1);
        assert_eq!(charge.state.map(|it| it.quota(&algorithms[1]).remaining), Some(2));
        // Malformed replies are refused.
        for wrong in [&[][..], &[1], &[1, 2, 3], &[1, 2, 3, 4], &[1, 2, -3, 4, 5, 6]] {
            assert_eq!(ScriptReply::read(wrong, &limits), None, "{wrong:?}");
        }
        assert_eq!(ScriptReply::read(&[1, 2, 3, 4, i64::MAX, 6], &limits), None);
    }

    #[test]
    fn limits_too_large_for_a_double_are_not_shared() {
        let days = |it: u64| Duration::from_secs(it * 86_400);
        let bucket = |it| Algorithm::TokenBucket(Gcra::new(1, days(it), 1).expect("no zero"));
        assert!(Parameters::new(&bucket(52)).is_ok());
        assert!(Parameters::new(&bucket(53)).is_err());
        let window = |limit| SlidingCounter::new(limit, days(1)).expect("no zero");
        assert!(Parameters::new(&Algorithm::SlidingWindow(window(50_000))).is_ok());
        assert!(Parameters::new(&Algorithm::SlidingWindow(window(65_000))).is_err());
        let queue = LeakyQueue::new(1, days(1), 1).expect("no zero");
        assert!(Parameters::new(&Algorithm::LeakyBucket(queue)).is_err());
    }

    #[test]
    fn a_key_is_the_hash_of_its_parts_and_their_lengths() {
        let hash = |parts: &[&[u8]]| key(parts.iter().copied());
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
        assert_eq!(hash(&[]), 0xda39_a3ee_5e6b_4b0d, "SHA-1 of nothing");
    }
}
