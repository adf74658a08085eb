//! Directives of `http { }` that take several values or may be repeated, and the zones of limits.
//!
//! ```text
//! error_page 502 503 =200 @sorry;              502 and 503 become ErrorPage { shown: Fixed(200) }
//! limit_req_zone $binary_remote_addr zone=one:10m rate=30r/m;     500 thousandths a second
//! limit_req zone=one burst=5 nodelay;
//! ```
//!
//! NGINX counterpart: `ngx_http_core_error_page`, `ngx_http_limit_req_zone`,
//! `ngx_http_limit_conn_zone`, `ngx_http_access_rule`, `ngx_http_realip_from`.

use super::cidr::Cidr;
use super::http::*;
use super::pattern::Pattern;
use super::reader::set_checked;
use super::template::{Names, Template};
use super::values::{number, size};

/// `proxy_next_upstream` knows these.
const NEXT_UPSTREAM: &str = "error timeout invalid_header non_idempotent off \
     http_403 http_404 http_429 http_500 http_502 http_503 http_504";

/// The smallest memory of a zone: eight pages.
const ZONE_BYTES_MIN: u64 = 8 * 4096;

/// Applies a directive to the settings of a block.
pub(super) fn list_setting(
    slots: &mut Settings,
    names: &mut Names,
    name: &str,
    arguments: &[String],
) -> Result<(), String> {
    let text = arguments[0].as_str();
    match name {
        "proxy_next_upstream" => {
            return set_checked(&mut slots.proxy_next_upstream, name, || {
                let is_known = |word: &&String| NEXT_UPSTREAM.split(' ').any(|it| it == *word);
                match arguments.iter().find(|it| !is_known(it)) {
                    Some(word) => Err(format!("invalid value \"{word}\"")),
                    None => Ok(arguments.to_vec()),
                }
            });
        }
        "proxy_hide_header" => {
            slots.proxy_hide_header.get_or_insert_default().push(text.to_ascii_lowercase());
        }
        "proxy_pass_header" => {
            slots.proxy_pass_header.get_or_insert_default().push(text.to_ascii_lowercase());
        }
        "proxy_set_header" => {
            let header = (text.to_owned(), Template::compile(&arguments[1], names)?);
            slots.proxy_set_header.get_or_insert_default().push(header);
        }
        "add_header" => {
            let always = arguments.get(2).map(String::as_str);
            if let Some(other) = always.filter(|it| *it != "always") {
                return Err(format!("invalid parameter \"{other}\""));
            }
            let value = Template::compile(&arguments[1], names)?;
            let header = AddHeader { name: text.to_owned(), value, always: always.is_some() };
            slots.add_header.get_or_insert_default().push(header);
        }
        "proxy_cookie_domain" => {
            header_rule(&mut slots.proxy_cookie_domain, name, arguments, names)?;
        }
        "proxy_cookie_flags" => {
            header_rule(&mut slots.proxy_cookie_flags, name, arguments, names)?;
        }
        "proxy_cookie_path" => {
            header_rule(&mut slots.proxy_cookie_path, name, arguments, names)?;
        }
        "proxy_redirect" => return header_rule(&mut slots.proxy_redirect, name, arguments, names),
        "error_page" => {
            let pages = error_pages(arguments, names)?;
            slots.error_page.get_or_insert_default().extend(pages);
        }
        "allow" | "deny" => {
            let network = if text == "all" { Some(Cidr::All) } else { network(text) };
            let network = network.ok_or_else(|| format!("invalid parameter \"{text}\""))?;
            slots.access_rules.get_or_insert_default().push((name == "allow", network));
        }
        "set_real_ip_from" => {
            let network = network(text)
                .ok_or_else(|| format!("host not found in set_real_ip_from \"{text}\""))?;
            slots.set_real_ip_from.get_or_insert_default().push(network);
        }
        "limit_conn_log_level" | "limit_req_log_level" => match text {
            "info" | "notice" | "warn" | "error" => {}
            _ => return Err(format!("invalid value \"{text}\"")),
        },
        "limit_req" | "limit_conn" => return limit(slots, name, arguments),
        _ => unreachable!("no other directive is in the table"),
    }
    Ok(())
}

/// A network, or all clients of Unix sockets.
fn network(text: &str) -> Option<Cidr> {
    if text == "unix:" { Some(Cidr::Unix) } else { Cidr::parse(text) }
}

/// A status of `limit_req_status` or `limit_conn_status`.
pub(super) fn limit_status(text: &str) -> Result<u16, String> {
    let status = number(text).ok_or_else(|| format!("invalid number \"{text}\""))?;
    let status = u16::try_from(status).ok().filter(|it| (400..600).contains(it));
    status.ok_or_else(|| "value must be between 400 and 599".to_owned())
}

/// `limit_req` or `limit_conn`; one zone cannot be named twice.
fn limit(slots: &mut Settings, name: &str, arguments: &[String]) -> Result<(), String> {
    if name == "limit_req" {
        let limit = limit_req(arguments)?;
        let limits = slots.limit_req.get_or_insert_default();
        if limits.iter().any(|it| it.zone == limit.zone) {
            return Err("\"limit_req\" directive is duplicate".to_owned());
        }
        limits.push(limit);
        return Ok(());
    }
    let text = &arguments[0];
    let count = number(&arguments[1]).filter(|it| *it > 0);
    let count =
        count.ok_or_else(|| format!("invalid number of connections \"{}\"", arguments[1]))?;
    let count = u32::try_from(count).ok().filter(|it| *it <= 65_535);
    let count = count.ok_or("connection limit must be less 65536")?;
    let limits = slots.limit_conn.get_or_insert_default();
    if limits.iter().any(|it| it.0 == *text) {
        return Err("\"limit_conn\" directive is duplicate".to_owned());
    }
    limits.push((text.clone(), count));
    Ok(())
}

fn error_pages(arguments: &[String], names: &mut Names) -> Result<Vec<ErrorPage>, String> {
    let (page, mut statuses) = arguments.split_last().expect("two arguments at least");
    let status_of = |text: &str| number(text).and_then(|it| u16::try_from(it).ok());
    let mut shown = Shown::OfError;
    if let Some((equals, rest)) = statuses.split_last().filter(|it| it.0.starts_with('=')) {
        let invalid = || format!("invalid value \"{equals}\"");
        shown = match &equals[1..] {
            "" => Shown::OfPage,
            text => Shown::Fixed(status_of(text).ok_or_else(invalid)?),
        };
        if rest.is_empty() {
            return Err(invalid());
        }
        statuses = rest;
    }

    let page = Template::compile(page, names)?;
    let mut pages = Vec::new();
    for text in statuses {
        let status = status_of(text).ok_or_else(|| format!("invalid value \"{text}\""))?;
        if !(300..600).contains(&status) || status == 499 {
            return Err(format!("value \"{text}\" must be between 300 and 599"));
        }
        pages.push(ErrorPage { status, shown, page: page.clone() });
    }
    Ok(pages)
}

fn limit_req(arguments: &[String]) -> Result<LimitReq, String> {
    let mut limit = LimitReq { zone: String::new(), burst: 0, delay: Some(0) };
    for parameter in arguments {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let count = |least| {
            let count = number(value).filter(|it| *it >= least && *it <= u64::from(u32::MAX));
            count.ok_or_else(|| format!("invalid {key} value \"{parameter}\""))
        };
        match (key, parameter.contains('=')) {
            ("zone", true) => value.clone_into(&mut limit.zone),
            ("burst", true) => limit.burst = count(1)?,
            ("delay", true) => limit.delay = Some(count(1)?),
            ("nodelay", false) => limit.delay = None,
            _ => return Err(format!("invalid parameter \"{parameter}\"")),
        }
    }
    match limit.zone.is_empty() {
        true => Err("\"limit_req\" must have \"zone\" parameter".to_owned()),
        false => Ok(limit),
    }
}

/// `limit_req_zone` or `limit_conn_zone`: the name of the zone, and what it is.
pub(super) fn zone(
    directive: &str,
    arguments: &[String],
    names: &mut Names,
) -> Result<(String, ZoneConfig), String> {
    let key = Template::compile(&arguments[0], names)?;
    let counts_rate = directive == "limit_req_zone";
    let mut rate = counts_rate.then_some(1000);
    let mut zone = None;
    for parameter in &arguments[1..] {
        if let Some(text) = parameter.strip_prefix("zone=") {
            let invalid = || format!("invalid zone size \"{parameter}\"");
            let (name, bytes) = text.split_once(':').ok_or_else(invalid)?;
            let bytes = size(bytes).ok_or_else(invalid)?;
            if bytes < ZONE_BYTES_MIN {
                return Err(format!("zone \"{parameter}\" is too small"));
            }
            zone = Some((name.to_owned(), bytes));
        } else if let Some(text) = parameter.strip_prefix("rate=").filter(|_| counts_rate) {
            let (text, scale) = match text.strip_suffix("r/m") {
                Some(text) => (text, 60),
                None => (text.strip_suffix("r/s").unwrap_or(text), 1),
            };
            let count = number(text).filter(|it| *it > 0 && *it <= u64::from(u32::MAX));
            let count = count.ok_or_else(|| format!("invalid rate \"{parameter}\""))?;
            rate = Some(count * 1000 / scale);
        } else {
            return Err(format!("invalid parameter \"{parameter}\""));
        }
    }
    let missing = || format!("\"{directive}\" must have \"zone\" parameter");
    let (name, size) = zone.ok_or_else(missing)?;
    Ok((name, ZoneConfig { key, size, rate }))
}

/// Checks that each limit names a zone of its kind.
pub(super) fn check_zones(config: &HttpConfig) -> Result<(), String> {
    for location in config.servers.iter().flat_map(|it| it.root.all()) {
        let settings = &location.settings;
        let rates = settings.limit_req.iter().flatten().map(|it| (&it.zone, true));
        let counts = settings.limit_conn.iter().flatten().map(|it| (&it.0, false));
        for (name, wants_rate) in rates.chain(counts) {
            match config.zones.get(name).map(|it| it.rate.is_some()) {
                None => return Err(format!("zero size shared memory zone \"{name}\"")),
                Some(has_rate) if has_rate != wants_rate => {
                    return Err(format!("the shared memory zone \"{name}\" is of another kind"));
                }
                Some(_) => {}
            }
        }
    }
    Ok(())
}

/// `proxy_redirect` or `proxy_cookie_…`
fn header_rule(
    slot: &mut Option<Vec<HeaderRule>>,
    name: &str,
    arguments: &[String],
    names: &mut Names,
) -> Result<(), String> {
    // With `off` there is no other rule.
    let is_off = matches!(arguments, [word] if word == "off");
    if slot.as_ref().is_some_and(|it| is_off || it.is_empty()) {
        return Err(format!("\"{name}\" directive is duplicate"));
    }
    let rules = slot.get_or_insert_default();
    let (from, to) = arguments.split_first().expect("one argument at least");
    match (from.as_str(), to) {
        _ if is_off => return Ok(()),
        ("default", []) if name == "proxy_redirect" => {
            rules.push(HeaderRule::default());
            return Ok(());
        }
        (word, []) => return Err(format!("invalid parameter \"{word}\"")),
        _ => {}
    }

    // Domains and names of cookies have no case, and a domain may have a dot in front.
    let has_case = matches!(name, "proxy_redirect" | "proxy_cookie_path");
    let is_domain = name == "proxy_cookie_domain" && !from.starts_with('~');
    let mut compile = |text: &str| {
        let text = text.strip_prefix('.').filter(|_| is_domain).unwrap_or(text);
        Template::compile(text, names)
    };
    let to = to.iter().map(|it| compile(it)).collect::<Result<_, _>>()?;
    let from = match (from.strip_prefix("~*"), from.strip_prefix('~')) {
        (Some(pattern), _) if has_case => Match::Pattern(Pattern::compile(pattern, true, names)?),
        (_, Some(pattern)) => Match::Pattern(Pattern::compile(pattern, !has_case, names)?),
        _ => Match::Text(compile(from)?),
    };
    rules.push(HeaderRule { from, to });
    Ok(())
}
