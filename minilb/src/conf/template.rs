//! Values with variables: `"$scheme://$host$request_uri"`.
//!
//! # Example
//!
//! ```text
//! "http://${host}x/$arg_id"     Text("http://") Host Text("x/") Arg("id")
//! "$foo"                        unknown "foo" variable
//! ```
//!
//! A template is compiled when the configuration is read; to evaluate it is to append each part.
//!
//! NGINX counterpart: `ngx_http_compile_complex_value` (`ngx_http_script.c`) and the table
//! `ngx_http_core_variables` (`ngx_http_variables.c`).

use super::map::Map;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Names that a value may use besides those of NGINX.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Groups of regular expressions.
    pub captures: Vec<String>,
    /// Variables of `map` blocks, by name.
    pub maps: BTreeMap<String, Arc<Map>>,
}

/// A compiled value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    /// In order.
    pub parts: Vec<Part>,
}

/// A piece of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// As it is.
    Text(String),
    /// What it is at run time.
    Variable(Variable),
}

/// A variable. Those with a name carry it in lower case, with `_` for `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Variable {
    Args,
    Arg(String),
    BodyBytesSent,
    BytesSent,
    Connection,
    ConnectionRequests,
    Cookie(String),
    Host,
    Hostname,
    HttpHeader(String),
    Https,
    IsArgs,
    /// Of a `map` block.
    Map(Arc<Map>),
    Msec,
    NginxVersion,
    Pid,
    ProxyAddXForwardedFor,
    ProxyHost,
    ProxyPort,
    RemoteAddr,
    RemotePort,
    RemoteUser,
    Request,
    RequestId,
    RequestLength,
    RequestMethod,
    RequestTime,
    RequestUri,
    Scheme,
    SentHttpHeader(String),
    ServerAddr,
    ServerName,
    ServerPort,
    ServerProtocol,
    Status,
    TimeIso8601,
    TimeLocal,
    UpstreamAddr,
    UpstreamConnectTime,
    UpstreamHeaderTime,
    UpstreamHttpHeader(String),
    UpstreamResponseLength,
    UpstreamResponseTime,
    UpstreamStatus,
    Uri,
    /// A group of the regular expression of the server name or location: `$1` or `$name`.
    Capture(String),
}

const VARIABLES: [(&str, Variable); 41] = [
    ("args", Variable::Args),
    ("body_bytes_sent", Variable::BodyBytesSent),
    ("bytes_sent", Variable::BytesSent),
    ("connection", Variable::Connection),
    ("connection_requests", Variable::ConnectionRequests),
    ("document_uri", Variable::Uri),
    ("host", Variable::Host),
    ("hostname", Variable::Hostname),
    ("https", Variable::Https),
    ("is_args", Variable::IsArgs),
    ("msec", Variable::Msec),
    ("nginx_version", Variable::NginxVersion),
    ("pid", Variable::Pid),
    ("proxy_add_x_forwarded_for", Variable::ProxyAddXForwardedFor),
    ("proxy_host", Variable::ProxyHost),
    ("proxy_port", Variable::ProxyPort),
    ("query_string", Variable::Args),
    ("remote_addr", Variable::RemoteAddr),
    ("remote_port", Variable::RemotePort),
    ("remote_user", Variable::RemoteUser),
    ("request", Variable::Request),
    ("request_id", Variable::RequestId),
    ("request_length", Variable::RequestLength),
    ("request_method", Variable::RequestMethod),
    ("request_time", Variable::RequestTime),
    ("request_uri", Variable::RequestUri),
    ("scheme", Variable::Scheme),
    ("server_addr", Variable::ServerAddr),
    ("server_name", Variable::ServerName),
    ("server_port", Variable::ServerPort),
    ("server_protocol", Variable::ServerProtocol),
    ("status", Variable::Status),
    ("time_iso8601", Variable::TimeIso8601),
    ("time_local", Variable::TimeLocal),
    ("upstream_addr", Variable::UpstreamAddr),
    ("upstream_connect_time", Variable::UpstreamConnectTime),
    ("upstream_header_time", Variable::UpstreamHeaderTime),
    ("upstream_response_length", Variable::UpstreamResponseLength),
    ("upstream_response_time", Variable::UpstreamResponseTime),
    ("upstream_status", Variable::UpstreamStatus),
    ("uri", Variable::Uri),
];

impl Template {
    /// Compiles a value. Groups `$1` to `$9` need no name.
    ///
    /// # Errors
    /// NGINX's message for an unknown variable or a broken `${`.
    pub fn compile(text: &str, names: &Names) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let is_name = |it: char| it.is_ascii_alphanumeric() || it == '_';
            let (name, after) = match after.strip_prefix('{') {
                Some(braced) => braced.split_once('}').ok_or_else(|| {
                    format!("the closing bracket in \"{braced}\" variable is missing")
                })?,
                None if after.starts_with(|it: char| it.is_ascii_digit()) => after.split_at(1),
                None => after.split_at(after.find(|it| !is_name(it)).unwrap_or(after.len())),
            };
            parts.push(Part::Variable(variable(name, names)?));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Template { parts })
    }

    /// Returns true if the value is always empty.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The text, if there are no variables in it.
    pub fn as_text(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }
}

fn variable(name: &str, names: &Names) -> Result<Variable, String> {
    let lower = name.to_ascii_lowercase();
    if name.is_empty() {
        return Err("invalid variable name".to_owned());
    }
    if name.bytes().all(|it| it.is_ascii_digit()) || names.captures.contains(&lower) {
        return Ok(Variable::Capture(lower));
    }
    if let Some(map) = names.maps.get(&lower) {
        return Ok(Variable::Map(Arc::clone(map)));
    }
    match lower.as_str() {
        "content_length" | "content_type" => return Ok(Variable::HttpHeader(lower)),
        _ => {}
    }
    if let Some((_, variable)) = VARIABLES.iter().find(|(it, _)| *it == lower) {
        return Ok(variable.clone());
    }
    type Constructor = fn(String) -> Variable;
    let prefixes: [(&str, Constructor); 5] = [
        ("http_", Variable::HttpHeader),
        ("arg_", Variable::Arg),
        ("cookie_", Variable::Cookie),
        ("sent_http_", Variable::SentHttpHeader),
        ("upstream_http_", Variable::UpstreamHttpHeader),
    ];
    for (prefix, of) in prefixes {
        if let Some(rest) = lower.strip_prefix(prefix) {
            return Ok(of(rest.to_owned()));
        }
    }
    Err(format!("unknown \"{name}\" variable"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_at_the_head_of_the_file() {
        let template =
            Template::compile("http://${host}x/$arg_id", &Names::default()).expect("known");
        let text = |it: &str| Part::Text(it.to_owned());
        let expected = [
            text("http://"),
            Part::Variable(Variable::Host),
            text("x/"),
            Part::Variable(Variable::Arg("id".to_owned())),
        ];
        assert_eq!(template.parts, expected);
        assert_eq!(
            Template::compile("$foo", &Names::default()),
            Err("unknown \"foo\" variable".to_owned())
        );
        assert_eq!(
            Template::compile("a", &Names::default()).map(|it| it.as_text().is_some()),
            Ok(true)
        );
    }
}
