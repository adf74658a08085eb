//! Runs `set`, `if`, `return`, `rewrite` and `break`.
//!
//! # Example
//!
//! ```text
//! location /old {
//!     set $kind old;
//!     rewrite ^/old/(.*)$ /new/$1?k=$kind;       GET /old/a?x    path /new/a   args k=old&x
//!     if ($arg_k = old) { return 410; }          the new query counts: 410
//! }
//! ```
//!
//! # The four ends of a rewrite
//!
//! ```text
//! (nothing)              the next step; after the last one, a location is searched anew
//! last                   a location is searched anew, at most ten times
//! break                  the location goes on with the new path
//! redirect, permanent    302 or 301
//! ```
//!
//! # What is escaped
//!
//! The path is decoded text, so a group of it that goes into a query or a redirect is escaped
//! again, but only if the client has sent anything escaped. (That is NGINX's rule; `/a&b` with
//! `rewrite ^(.*)$ /x?p=$1` gives two arguments.)
//!
//! NGINX counterpart: `ngx_http_rewrite_handler`, `ngx_http_script_regex_start_code`,
//! `…_regex_end_code`, `…_copy_capture_code`, `…_if_code`, `…_break_code` (`ngx_http_script.c`).

use super::state::RequestState;
use super::uri::percent;
use super::variables::View;
use crate::conf::rewrite::{Condition, Return, Rewrite, Step, Target, Then};
use crate::conf::template::{Template, Variable};

/// How the steps ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Flow<'a> {
    /// The location goes on, or is searched anew if [`RequestState::is_changed`].
    Continue,
    /// `return`
    Return(&'a Return),
    /// The status, and the value of `Location`.
    Redirect(u16, Vec<u8>),
    /// A path has become empty; the answer is 500.
    EmptyPath,
    /// `break`, and what ends the steps in an `if` around them.
    Stop,
}

/// Runs steps on `state`. `base` shows the request; its own state is not looked at.
pub fn run<'a>(steps: &'a [Step], state: &mut RequestState, base: View<'_>) -> Flow<'a> {
    match run_steps(steps, state, base) {
        Flow::Stop => Flow::Continue,
        flow => flow,
    }
}

fn run_steps<'a>(steps: &'a [Step], state: &mut RequestState, base: View<'_>) -> Flow<'a> {
    for step in steps {
        let flow = match step {
            Step::Set(target, value) => {
                set(*target, value, state, base);
                Flow::Continue
            }
            Step::If(condition, inner) if is_met(condition, state, base) => {
                run_steps(inner, state, base)
            }
            Step::If(..) => Flow::Continue,
            Step::Return(text) => Flow::Return(text),
            Step::Rewrite(rule) => rewrite(rule, state, base),
            Step::Break => {
                state.is_changed = false;
                Flow::Stop
            }
        };
        if flow != Flow::Continue {
            return flow;
        }
    }
    Flow::Continue
}

fn set(target: Target, value: &Template, state: &mut RequestState, base: View<'_>) {
    let text = View { state, ..base }.text(value);
    match target {
        Target::Slot(slot) => state.values[slot] = text,
        Target::Args => {
            (state.args, state.has_args, state.is_original) = (text, true, false);
        }
    }
}

fn is_met(condition: &Condition, state: &mut RequestState, base: View<'_>) -> bool {
    let mut left = Vec::new();
    let (Condition::IsTrue(variable)
    | Condition::Equals(variable, ..)
    | Condition::Matches(variable, ..)) = condition;
    View { state, ..base }.append_variable(variable, &mut left);
    match condition {
        Condition::IsTrue(_) => !left.is_empty() && left != b"0",
        Condition::Equals(_, right, wanted) => {
            (left == View { state, ..base }.text(right)) == *wanted
        }
        Condition::Matches(_, pattern, wanted) => {
            let is_match = state.capture(pattern, &left);
            if !is_match {
                state.groups.clear();
            }
            is_match == *wanted
        }
    }
}

fn rewrite<'a>(rule: &Rewrite, state: &mut RequestState, base: View<'_>) -> Flow<'a> {
    if !state.capture_path(&rule.pattern) {
        state.groups.clear();
        return Flow::Continue;
    }
    if let Then::Redirect(status) = rule.then {
        let mut location = Vec::new();
        append(&rule.replacement, state, base, Quote::Redirect, &mut location);
        if rule.keeps_args && !state.args.is_empty() {
            location.push(if rule.has_query() { b'&' } else { b'?' });
            location.extend_from_slice(&state.args);
        }
        return Flow::Redirect(status, location);
    }

    // Both are evaluated before either changes: the replacement may use `$uri` and `$args`.
    let (mut path, mut args) = (Vec::new(), Vec::new());
    append(&rule.replacement, state, base, Quote::None, &mut path);
    if let Some(template) = &rule.args {
        append(template, state, base, Quote::Args, &mut args);
    }
    if rule.keeps_args && !state.args.is_empty() {
        if rule.args.is_some() {
            args.push(b'&');
        }
        args.extend_from_slice(&state.args);
    }
    if path.is_empty() {
        return Flow::EmptyPath;
    }
    (state.path, state.args, state.is_original) = (path, args, false);
    state.has_args |= rule.args.is_some();
    match rule.then {
        Then::Break => (state.is_changed, state.is_in_location) = (false, false),
        _ => state.is_changed = true,
    }
    if rule.then == Then::Continue { Flow::Continue } else { Flow::Stop }
}

/// How groups are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quote {
    /// As they are.
    None,
    /// For a query.
    Args,
    /// For `Location`: as in a path, and after a `?` as in a query.
    Redirect,
}

fn append(
    template: &Template,
    state: &RequestState,
    base: View<'_>,
    quote: Quote,
    out: &mut Vec<u8>,
) {
    let view = View { state, ..base };
    template.append(out, |variable, out| match variable {
        Variable::Group(group) if quote != Quote::None && state.is_quoted => {
            let mut in_query = quote == Quote::Args || out.contains(&b'?');
            for byte in state.groups.get(*group) {
                match byte {
                    0..=b' ' | b'#' | b'%' | 0x7f.. => percent(*byte, out),
                    b'&' | b'+' | b'?' if in_query => percent(*byte, out),
                    _ => out.push(*byte),
                }
                in_query |= *byte == b'?';
            }
        }
        variable => view.append_variable(variable, out),
    });
}
