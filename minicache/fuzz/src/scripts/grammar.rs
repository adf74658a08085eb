//! Random scripts that compile.
//!
//! Each byte of the input chooses one of the productions of the leftmost `$`:
//!
//! ```text
//! $b                               bytes 0, 9, 0, 77, 0
//! return $e                        0 of the productions of `b`
//! return redis.pcall('$c',$a)      9 of those of `e`
//! return redis.pcall('incr',$a)    the command with number 77
//! return redis.pcall('incr',KEYS[1])
//! ```
//!
//! They are in `grammar.txt`: after a line `= e` each line is a production of the symbol `e`. Two
//! symbols have none: `c` is the name of a command, and `x` a byte. The first production of a
//! symbol leads to an end. It is chosen once the input is used up or the text is long.

use std::collections::HashMap;
use std::sync::LazyLock;

/// A text this long is finished as soon as possible.
const LENGTH_MAX: usize = 4000;
/// Symbols within symbols.
const DEPTH_MAX: usize = 24;

/// The text that `bytes` stands for.
pub fn script(bytes: &[u8], commands: &[String]) -> Vec<u8> {
    let mut text = b"local a,b,c,t,f=1,'b',nil,{},function(...) return ... end ".to_vec();
    let mut grammar = Grammar { bytes, commands };
    grammar.expand("$b", 0, &mut text);
    text
}

struct Grammar<'i> {
    bytes: &'i [u8],
    commands: &'i [String],
}

/// The productions of each symbol.
static PRODUCTIONS: LazyLock<HashMap<char, Vec<&str>>> = LazyLock::new(|| {
    let sections = include_str!("grammar.txt").split("= ").skip(1);
    let symbols = sections.map(|section| {
        let mut lines = section.lines();
        let symbol = lines.next().and_then(|line| line.chars().next());
        (symbol.expect("a section begins with its symbol"), lines.collect())
    });
    symbols.collect()
});

impl Grammar<'_> {
    fn byte(&mut self) -> u8 {
        *self.bytes.split_off_first().unwrap_or(&0)
    }

    fn expand(&mut self, production: &str, depth: usize, text: &mut Vec<u8>) {
        let mut parts = production.split('$');
        text.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
        for part in parts {
            let symbol = part.chars().next();
            let choices = symbol.and_then(|symbol| PRODUCTIONS.get(&symbol));
            let is_over = depth > DEPTH_MAX || text.len() > LENGTH_MAX;
            match (symbol, choices) {
                (_, Some(choices)) => {
                    let choice = if is_over { 0 } else { usize::from(self.byte()) };
                    self.expand(choices[choice % choices.len()], depth + 1, text);
                }
                (Some('c'), _) => {
                    let number = usize::from(self.byte()) << 8 | usize::from(self.byte());
                    let name = &self.commands[number % self.commands.len()];
                    text.extend_from_slice(name.as_bytes());
                }
                (Some('x'), _) => text.extend(format!("\\{}", self.byte()).bytes()),
                // The end of a pattern.
                _ => {
                    text.push(b'$');
                    text.extend_from_slice(part.as_bytes());
                    continue;
                }
            }
            text.extend_from_slice(&part.as_bytes()[1..]);
        }
    }
}
