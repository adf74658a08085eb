//! `set`, `if`, `return`, `rewrite` and `break`: the steps that a server or location runs before
//! anything else.
//!
//! # Example
//!
//! ```text
//! set $old /blog;                                  Set(slot of $old, "/blog")
//! if ($request_method = POST) { return 405; }      If(Equals(.., "POST"), [Return 405])
//! rewrite ^/old/(.*)$ /new/$1?from=old last;       Rewrite /new/$1, args "from=old", Last
//! ```
//!
//! Only these five may stand in an `if`. There they behave as the page "If is Evil" of NGINX's wiki
//! says they always do; the other directives, for which `if` makes a location of its own, are
//! refused.
//!
//! NGINX counterpart: `ngx_http_rewrite_module.c`, which compiles to the byte code of
//! `ngx_http_script.c`.

use super::pattern::Pattern;
use super::template::{Names, Part, Template, Variable};
use super::values::number;

/// One step.
#[derive(Clone, Debug)]
pub enum Step {
    /// `set`
    Set(Target, Template),
    /// `if`
    If(Condition, Vec<Step>),
    /// `return`
    Return(Return),
    /// `rewrite`
    Rewrite(Box<Rewrite>),
    /// `break`
    Break,
}

/// What `set` assigns to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A variable of the configuration, by its slot.
    Slot(usize),
    /// `$args`
    Args,
}

/// `if ( ... )`
#[derive(Clone, Debug)]
pub enum Condition {
    /// Neither empty nor `0`.
    IsTrue(Variable),
    /// `=`, or `!=` if the flag is false.
    Equals(Variable, Template, bool),
    /// `~` and `~*`, or `!~` and `!~*` if the flag is false.
    Matches(Variable, Pattern, bool),
}

/// `return`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Return {
    /// The status.
    pub status: u16,
    /// The body, or the address of a redirect.
    pub text: Option<Template>,
}

/// `rewrite`
#[derive(Clone, Debug)]
pub struct Rewrite {
    /// What the path must match.
    pub pattern: Pattern,
    /// The new path, or the address of a redirect with its query.
    pub replacement: Template,
    /// The new query, if the replacement has one.
    pub args: Option<Template>,
    /// The old query is kept, after the new one; a `?` at the end of the replacement prevents it.
    pub keeps_args: bool,
    /// What follows.
    pub then: Then,
}

/// What follows a rewrite that has matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The next step; after the last one a location is searched anew.
    Continue,
    /// `last`: a location is searched anew at once.
    Last,
    /// `break`: this location goes on with the new path.
    Break,
    /// `redirect`, `permanent` or an address: 302 or 301.
    Redirect(u16),
}

impl Rewrite {
    /// Reads the arguments of the directive.
    pub(super) fn parse(arguments: &[String], names: &mut Names) -> Result<Rewrite, String> {
        let pattern = Pattern::compile(&arguments[0], false, names)?;
        let mut text = arguments[1].as_str();
        let is_address = ["http://", "https://", "$scheme"].iter().any(|it| text.starts_with(it));
        let then = match arguments.get(2).map(String::as_str) {
            Some("redirect") => Then::Redirect(302),
            Some("permanent") => Then::Redirect(301),
            Some("last" | "break") | None if is_address => Then::Redirect(302),
            Some("last") => Then::Last,
            Some("break") => Then::Break,
            None => Then::Continue,
            Some(other) => return Err(format!("invalid parameter \"{other}\"")),
        };

        // A question mark at the end keeps the old query from being added.
        let keeps_args = !text.ends_with('?');
        text = text.strip_suffix('?').unwrap_or(text);
        let (path, args) = match text.split_once('?') {
            Some((path, args)) if !matches!(then, Then::Redirect(_)) => (path, Some(args)),
            _ => (text, None),
        };
        let replacement = Template::compile(path, names)?;
        let args = args.map(|it| Template::compile(it, names)).transpose()?;
        Ok(Rewrite { pattern, replacement, args, keeps_args, then })
    }

    /// Returns true if the address of a redirect has a query already.
    pub fn has_query(&self) -> bool {
        let has_mark = |it: &Part| matches!(it, Part::Text(text) if text.contains('?'));
        self.replacement.parts.iter().any(has_mark)
    }
}

impl Condition {
    /// Reads what is between the parentheses, and these.
    pub(super) fn parse(words: &[String], names: &mut Names) -> Result<Condition, String> {
        let invalid = |word: &str| format!("invalid condition \"{word}\"");
        let mut words = words.iter().map(String::as_str).collect::<Vec<_>>();
        let first = words[0].strip_prefix('(').ok_or_else(|| invalid(words[0]))?;
        words[0] = first;
        let last = words.len() - 1;
        words[last] = words[last].strip_suffix(')').ok_or_else(|| invalid(words[last]))?;

        // The parentheses may be words of their own.
        let words = words.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>();
        let Some(name) = words.first() else { return Err(invalid("")) };
        if name.starts_with('-') || name.starts_with("!-") {
            return Err(format!("tests of files are not supported: \"{name}\""));
        }
        let variable = name.strip_prefix('$').ok_or_else(|| invalid(name))?;
        let variable = Variable::named(variable, names)?;
        match words[1..] {
            [] => Ok(Condition::IsTrue(variable)),
            [operator @ ("=" | "!="), value] => {
                let value = Template::compile(value, names)?;
                Ok(Condition::Equals(variable, value, operator == "="))
            }
            [operator @ ("~" | "~*" | "!~" | "!~*"), pattern] => {
                let pattern = Pattern::compile(pattern, operator.ends_with('*'), names)?;
                Ok(Condition::Matches(variable, pattern, !operator.starts_with('!')))
            }
            [operator, _] => Err(format!("unexpected \"{operator}\" in condition")),
            _ => Err(invalid(name)),
        }
    }
}

impl Return {
    /// Reads the arguments of the directive.
    pub(super) fn parse(arguments: &[String], names: &mut Names) -> Result<Return, String> {
        let first = &arguments[0];
        let is_address = ["http://", "https://", "$scheme"].iter().any(|it| first.starts_with(it));
        if arguments.len() == 1 && is_address {
            let text = Some(Template::compile(first, names)?);
            return Ok(Return { status: 302, text });
        }
        let status = number(first).and_then(|it| u16::try_from(it).ok()).filter(|it| *it <= 999);
        let status = status.ok_or_else(|| format!("invalid return code \"{first}\""))?;
        let text = arguments.get(1).map(|it| Template::compile(it, names)).transpose()?;
        Ok(Return { status, text })
    }
}

/// `set`: the variable, and its value.
pub(super) fn parse_set(arguments: &[String], names: &mut Names) -> Result<Step, String> {
    let name = &arguments[0];
    let plain = name.strip_prefix('$').filter(|it| !it.is_empty());
    let plain = plain.ok_or_else(|| format!("invalid variable name \"{name}\""))?;
    let target = match plain {
        "args" => Target::Args,
        _ => Target::Slot(names.define_settable(plain)?),
    };
    Ok(Step::Set(target, Template::compile(&arguments[1], names)?))
}
