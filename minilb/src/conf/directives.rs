//! Every directive of minilb, where it may be, and how many arguments it takes.
//!
//! # Example
//!
//! ```text
//! proxy_pass a;     in `server`      found
//! proxy_pass a;     in `stream`      "proxy_pass" directive is not allowed here
//! proxy_pas a;                       unknown directive "proxy_pas", did you mean "proxy_pass"?
//! ```
//!
//! The last part is ours; the rest are NGINX's words.
//!
//! NGINX counterpart: the `ngx_command_t` tables of its modules and `ngx_conf_handler`
//! (`ngx_conf_file.c`), which checks in the same order.

use std::ops::RangeInclusive;

/// A kind of block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// Outside of all blocks.
    Main,
    /// `events { }`
    Events,
    /// `stream { }`
    Stream,
    /// `upstream NAME { }` in `stream`
    Upstream,
    /// `server { }` in `stream`
    Server,
}

use Context::*;

struct Directive {
    name: &'static str,
    contexts: &'static [Context],
    arguments: RangeInclusive<usize>,
    is_block: bool,
}

const fn line(
    name: &'static str,
    contexts: &'static [Context],
    arguments: RangeInclusive<usize>,
) -> Directive {
    Directive { name, contexts, arguments, is_block: false }
}

const fn block(name: &'static str, within: &'static [Context], arguments: usize) -> Directive {
    Directive { name, contexts: within, arguments: arguments..=arguments, is_block: true }
}

const DIRECTIVES: [Directive; 18] = [
    line("include", &[Main, Events, Stream, Upstream, Server], 1..=1),
    line("load_module", &[Main], 1..=1),
    line("daemon", &[Main], 1..=1),
    line("worker_processes", &[Main], 1..=1),
    line("pid", &[Main], 1..=1),
    line("error_log", &[Main], 1..=2),
    block("events", &[Main], 0),
    line("worker_connections", &[Events], 1..=1),
    block("stream", &[Main], 0),
    block("upstream", &[Stream], 1),
    line("server", &[Upstream], 1..=usize::MAX),
    line("least_conn", &[Upstream], 0..=0),
    block("server", &[Stream], 0),
    line("listen", &[Server], 1..=usize::MAX),
    line("proxy_pass", &[Server], 1..=1),
    line("proxy_timeout", &[Stream, Server], 1..=1),
    line("proxy_connect_timeout", &[Stream, Server], 1..=1),
    line("proxy_half_close", &[Stream, Server], 1..=1),
];

/// Checks a statement that begins with `words[0]` in the given context.
///
/// # Errors
/// NGINX's message if the directive is unknown, in the wrong place, lacks its block or has the
/// wrong number of arguments.
pub fn check(words: &[String], opens_block: bool, context: Context) -> Result<(), String> {
    let name = words[0].as_str();
    let mut same_name = DIRECTIVES.iter().filter(|it| it.name == name).peekable();
    if same_name.peek().is_none() {
        return Err(unknown(name));
    }
    let Some(directive) = same_name.find(|it| it.contexts.contains(&context)) else {
        return Err(format!("\"{name}\" directive is not allowed here"));
    };
    if opens_block && !directive.is_block {
        return Err(format!("directive \"{name}\" is not terminated by \";\""));
    }
    if directive.is_block && !opens_block {
        return Err(format!("directive \"{name}\" has no opening \"{{\""));
    }
    if !directive.arguments.contains(&(words.len() - 1)) {
        return Err(format!("invalid number of arguments in \"{name}\" directive"));
    }
    Ok(())
}

fn unknown(name: &str) -> String {
    let similarity = |it: &&str| strsim::jaro_winkler(it, name);
    let names = DIRECTIVES.iter().map(|it| it.name);
    let nearest = names.max_by(|one, other| similarity(one).total_cmp(&similarity(other)));
    // Below this, the names have little more in common than a letter or two.
    match nearest.filter(|it| similarity(it) >= 0.85) {
        Some(nearest) => format!("unknown directive \"{name}\", did you mean \"{nearest}\"?"),
        None => format!("unknown directive \"{name}\""),
    }
}
