//! The commands of redis-benchmark's default list, as one table, and the traffic made of them.
//!
//! The table holds redis-benchmark's name for a test, what the test sends (so that our generator
//! can stand in if redis-benchmark is not installed), and what the server must hold before it. The
//! last is the difference from simply running the default list: there GET mostly misses and SPOP
//! soon pops from an empty set.
//!
//! ```text
//! SPOP   -t spop   SPOP myset   stock: SADD myset element:<number> once for each request to come
//! ```
//!
//! Placeholders are redis-benchmark's own: `__rand_int__` is twelve random digits below the number
//! of keys, `__data__` the value; `__sequence__` is ours, the number of the request.

use std::io::Write;

use super::resp;
use crate::Result;
use crate::generator::Traffic;

/// Keys of a run (`redis-benchmark -r`): enough that processor caches miss now and then, few enough
/// that both servers stay small.
pub const KEYS: u64 = 100_000;

/// One test of the default list.
#[derive(Debug)]
pub struct Test {
    /// As the table shows it.
    pub name: &'static str,
    /// The name for `redis-benchmark -t`; `None` if the command itself must be passed.
    pub flag: Option<&'static str>,
    /// What is sent.
    pub words: &'static [&'static str],
    /// What the server must hold before each round.
    pub stock: Stock,
    /// The cost of a request in multiples of GET. A round sends that many times fewer requests.
    pub weight: u64,
}

/// What a test needs in the server.
#[derive(Debug, PartialEq, Eq)]
pub enum Stock {
    /// Nothing.
    Nothing,
    /// Every key, with a value of the test's size.
    Keys,
    /// An element for each request to come, added by this command.
    OneEach(&'static [&'static str]),
    /// A list `mylist` of exactly 600 elements.
    List,
}

const fn test(
    name: &'static str,
    flag: &'static str,
    words: &'static [&'static str],
    stock: Stock,
) -> Test {
    Test { name, flag: Some(flag), words, stock, weight: 1 }
}

/// `-t lrange_100` would first push elements and report that too, so the command is passed.
const fn range(name: &'static str, words: &'static [&'static str], weight: u64) -> Test {
    Test { name, flag: None, words, stock: Stock::List, weight }
}

const PUSH: &[&str] = &["RPUSH", "mylist", "__data__"];
const KEY: &str = "key:__rand_int__";

/// The default list of redis-benchmark 7, in its order.
pub const DEFAULT_LIST: &[Test] = &[
    test("PING (inline)", "ping_inline", &["PING"], Stock::Nothing),
    test("PING", "ping_mbulk", &["PING"], Stock::Nothing),
    SET,
    GET,
    test("INCR", "incr", &["INCR", "counter:__rand_int__"], Stock::Nothing),
    test("LPUSH", "lpush", &["LPUSH", "mylist", "__data__"], Stock::Nothing),
    test("RPUSH", "rpush", PUSH, Stock::Nothing),
    test("LPOP", "lpop", &["LPOP", "mylist"], Stock::OneEach(PUSH)),
    test("RPOP", "rpop", &["RPOP", "mylist"], Stock::OneEach(PUSH)),
    test("SADD", "sadd", &["SADD", "myset", "element:__rand_int__"], Stock::Nothing),
    test("HSET", "hset", &["HSET", "myhash", "element:__rand_int__", "__data__"], Stock::Nothing),
    test(
        "SPOP",
        "spop",
        &["SPOP", "myset"],
        Stock::OneEach(&["SADD", "myset", "element:__sequence__"]),
    ),
    test(
        "ZADD",
        "zadd",
        &["ZADD", "myzset", "__rand_int__", "element:__rand_int__"],
        Stock::Nothing,
    ),
    test(
        "ZPOPMIN",
        "zpopmin",
        &["ZPOPMIN", "myzset"],
        Stock::OneEach(&["ZADD", "myzset", "__rand_int__", "element:__sequence__"]),
    ),
    range("LRANGE 100 elements", &["lrange", "mylist", "0", "99"], 2),
    range("LRANGE 300 elements", &["lrange", "mylist", "0", "299"], 3),
    range("LRANGE 500 elements", &["lrange", "mylist", "0", "499"], 4),
    range("LRANGE 600 elements", &["lrange", "mylist", "0", "599"], 4),
    Test {
        name: "MSET 10 keys",
        flag: Some("mset"),
        words: &[
            "MSET", KEY, "__data__", KEY, "__data__", KEY, "__data__", KEY, "__data__", KEY,
            "__data__", KEY, "__data__", KEY, "__data__", KEY, "__data__", KEY, "__data__", KEY,
            "__data__",
        ],
        stock: Stock::Nothing,
        weight: 2,
    },
];

/// Writing one of [`KEYS`] keys.
pub const SET: Test = test("SET", "set", &["SET", KEY, "__data__"], Stock::Keys);

/// Reading one of [`KEYS`] keys, all of which exist.
pub const GET: Test = test("GET", "get", &["GET", KEY], Stock::Keys);

/// Sends one command template repeatedly and accepts every answer except an error.
pub struct Repeat {
    words: &'static [&'static str],
    data: Vec<u8>,
    random: Random,
    word: Vec<u8>,
}

impl Repeat {
    /// Traffic of `words` with values of `value_bytes`.
    pub fn new(words: &'static [&'static str], value_bytes: usize) -> Repeat {
        Repeat { words, data: vec![b'x'; value_bytes], random: Random(1), word: Vec::new() }
    }

    /// Fills the placeholder at the end of `word`, if there is one.
    fn fill(&mut self, word: &str, sequence: u64) -> &[u8] {
        let random = word.strip_suffix("__rand_int__").map(|head| (head, self.random.below(KEYS)));
        let numbered = word.strip_suffix("__sequence__").map(|head| (head, sequence));
        self.word.clear();
        match random.or(numbered) {
            Some((head, number)) => write!(self.word, "{head}{number:012}"),
            None if word == "__data__" => self.word.write_all(&self.data),
            None => self.word.write_all(word.as_bytes()),
        }
        .expect("a Vec takes every byte");
        &self.word
    }
}

impl Traffic for Repeat {
    type Asked = ();

    fn request(&mut self, sequence: u64, out: &mut Vec<u8>) {
        resp::array(out, self.words.len());
        for word in self.words {
            resp::bulk(out, self.fill(word, sequence));
        }
    }

    fn answer(&mut self, (): &(), bytes: &[u8]) -> Result<Option<usize>> {
        let end = resp::reply_end(bytes)?;
        match end {
            Some(end) if bytes[0] == b'-' => {
                Err(format!("{}: {}", self.words[0], bytes[..end].escape_ascii()).into())
            }
            _ => Ok(end),
        }
    }
}

/// GET and SET over numbered keys. The value follows from the number, so every answer can be
/// checked byte by byte. With 100 % SET it loads the data, key by key.
pub struct Mix {
    /// The start of a key, before the number.
    pub prefix: &'static str,
    /// Digits of the number.
    pub digits: usize,
    /// Number of keys.
    pub keys: u64,
    /// Bytes of each value.
    pub value_bytes: usize,
    /// Percentage of writes. 100 writes key after key; fewer pick keys at random.
    pub writes_percent: u64,
    /// True to give keys a TTL (of a day, so that none expires).
    pub expire: bool,
    /// Picks keys.
    pub random: Random,
    /// Letters to cut values out of: see [`Mix::value`].
    pub letters: Vec<u8>,
}

impl Mix {
    /// A mix over redis-benchmark's keys.
    pub fn new(value_bytes: usize, writes_percent: u64) -> Mix {
        let letters = (b'a'..=b'z').cycle().take(26 + value_bytes).collect();
        Mix {
            prefix: "key:",
            digits: 12,
            keys: KEYS,
            value_bytes,
            writes_percent,
            expire: false,
            random: Random(42),
            letters,
        }
    }

    /// The value of a key: the alphabet from some letter on. Letters, because Redis stores small
    /// numbers differently.
    pub fn value(&self, key: u64) -> &[u8] {
        let from = (key % 26) as usize;
        &self.letters[from..from + self.value_bytes]
    }
}

impl Traffic for Mix {
    /// The key that was read; `None` for a write.
    type Asked = Option<u64>;

    fn request(&mut self, sequence: u64, out: &mut Vec<u8>) -> Option<u64> {
        let write = self.writes_percent == 100 || self.random.below(100) < self.writes_percent;
        let number = match self.writes_percent {
            100 => sequence % self.keys,
            _ => self.random.below(self.keys),
        };
        let key = format!("{}{number:0digits$}", self.prefix, digits = self.digits);
        match (write, self.expire) {
            (false, _) => resp::command(out, &[b"GET", key.as_bytes()]),
            (true, false) => resp::command(out, &[b"SET", key.as_bytes(), self.value(number)]),
            (true, true) => {
                let words = [b"SET", key.as_bytes(), self.value(number), b"EX", b"86400"];
                resp::command(out, &words);
            }
        }
        (!write).then_some(number)
    }

    fn answer(&mut self, asked: &Option<u64>, bytes: &[u8]) -> Result<Option<usize>> {
        let Some(end) = resp::reply_end(bytes)? else { return Ok(None) };
        let reply = &bytes[..end];
        let right = match asked {
            None => reply == b"+OK\r\n",
            Some(key) => {
                let body = reply.strip_suffix(b"\r\n").unwrap_or(reply);
                reply[0] == b'$' && body.ends_with(self.value(*key))
            }
        };
        if right {
            return Ok(Some(end));
        }
        let asked = asked.map_or("SET".into(), |key| format!("GET of key {key}"));
        let start = reply[..reply.len().min(80)].escape_ascii();
        Err(format!("wrong answer to {asked}: {start}").into())
    }
}

/// Splitmix64: short, and good enough to pick keys.
pub struct Random(pub u64);

impl Random {
    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_and_the_rest_is_sent_as_it_is() {
        let mut out = Vec::new();
        Repeat::new(&["SADD", "myset", "element:__sequence__"], 3).request(7, &mut out);
        let expected = "*3\r\n$4\r\nSADD\r\n$5\r\nmyset\r\n$20\r\nelement:000000000007\r\n";
        assert_eq!(out.escape_ascii().to_string(), expected.escape_default().to_string());
        out.clear();
        Repeat::new(&["SET", "key:__rand_int__", "__data__"], 3).request(7, &mut out);
        assert!(out.starts_with(b"*3\r\n$3\r\nSET\r\n$16\r\nkey:0000000"));
        assert!(out.ends_with(b"$3\r\nxxx\r\n"));
    }

    #[test]
    fn an_error_reply_is_not_accepted() {
        let mut repeat = Repeat::new(&["PING"], 0);
        assert_eq!(repeat.answer(&(), b"+PONG\r\n").unwrap(), Some(7));
        assert!(repeat.answer(&(), b"-ERR no\r\n").is_err());
    }

    #[test]
    fn a_wrong_value_is_noticed() {
        let mut mix = Mix::new(3, 0);
        assert_eq!(mix.answer(&Some(1), b"$3\r\nbcd\r\n").unwrap(), Some(9));
        assert!(mix.answer(&Some(2), b"$3\r\nbcd\r\n").is_err());
        assert!(mix.answer(&Some(2), b"$-1\r\n").is_err());
        assert!(mix.answer(&None, b"-OOM no room\r\n").is_err());
        assert_eq!(mix.answer(&None, b"+O").unwrap(), None);
    }

    #[test]
    fn loading_writes_each_key_once() {
        let mut mix = Mix { prefix: "k:", digits: 2, keys: 3, ..Mix::new(3, 100) };
        let mut out = Vec::new();
        (0..3).for_each(|sequence| assert_eq!(mix.request(sequence, &mut out), None));
        let text = String::from_utf8(out).unwrap();
        assert!(["k:00", "k:01", "k:02"].iter().all(|key| text.matches(key).count() == 1));
    }

    #[test]
    fn the_default_list_has_each_test_once() {
        let mut names: Vec<_> = DEFAULT_LIST.iter().map(|test| test.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 19);
    }
}
