//! Values with variables: `"$scheme://$host$request_uri"`.
//!
//! # Example
//!
//! ```text
//! "http://${host}x/$arg_id"     Text("http://") Host Text("x/") Arg("id")
//! "$foo"                        unknown "foo" variable, unless `set`, `map` ... define it
//! ```
//!
//! A template is compiled when the configuration is read; to evaluate it is to append each part.
//!
//! NGINX counterpart: `ngx_http_compile_complex_value` (`ngx_http_script.c`) and the table
//! `ngx_http_core_variables` (`ngx_http_variables.c`).

use super::map::Map;
use super::split_clients::SplitClients;
use std::sync::Arc;

/// Variables that the configuration itself defines, by their slots.
///
/// A value may use a variable that is defined further below, so each new name gets a slot, and
/// [`Names::finish`] looks for those that nothing has defined.
#[derive(Clone, Debug, Default)]
pub struct Names {
    slots: Vec<(String, Option<Definition>)>,
    /// `stream` has its own variables, and no patterns that set some.
    is_stream: bool,
}

/// Where the value of a variable comes from.
#[derive(Clone, Debug)]
pub enum Definition {
    /// `set`, or a named group of a pattern: the value is kept with the request.
    Settable,
    /// `map`
    Map(Arc<Map>),
    /// `split_clients`
    Split(Arc<SplitClients>),
}

impl Names {
    /// Those of `stream`; the default are those of `http`.
    pub fn of_stream() -> Names {
        Names { slots: Vec::new(), is_stream: true }
    }

    /// NGINX's own.
    fn table(&self) -> &'static [(&'static str, Variable)] {
        if self.is_stream { STREAM_VARIABLES } else { VARIABLES }
    }

    /// Defines a variable whose value requests keep. It may be defined several times.
    ///
    /// # Errors
    /// If the name is one of NGINX's own, or in `stream`.
    pub fn define_settable(&mut self, name: &str) -> Result<usize, String> {
        if self.is_stream {
            return Err(format!("named groups are not supported in \"stream\": \"{name}\""));
        }
        let slot = self.slot_of_new(name)?;
        self.slots[slot].1.get_or_insert(Definition::Settable);
        Ok(slot)
    }

    /// Defines a variable.
    ///
    /// # Errors
    /// If the name is one of NGINX's own.
    pub fn define(&mut self, name: &str, definition: Definition) -> Result<(), String> {
        let slot = self.slot_of_new(name)?;
        self.slots[slot].1 = Some(definition);
        Ok(())
    }

    /// The definitions by slot.
    ///
    /// # Errors
    /// NGINX's message for a name that nothing has defined.
    pub fn finish(self) -> Result<Vec<Definition>, String> {
        let unknown = |name: &str| format!("unknown \"{name}\" variable");
        let defined = self.slots.into_iter().map(|(name, it)| it.ok_or_else(|| unknown(&name)));
        defined.collect()
    }

    fn slot_of_new(&mut self, name: &str) -> Result<usize, String> {
        let lower = name.to_ascii_lowercase();
        match self.table().iter().any(|(it, _)| *it == lower) {
            true => Err(format!("the duplicate \"{lower}\" variable")),
            false => Ok(self.slot(&lower)),
        }
    }

    fn slot(&mut self, lower: &str) -> usize {
        let known = self.slots.iter().position(|(it, _)| it == lower);
        known.unwrap_or_else(|| {
            self.slots.push((lower.to_owned(), None));
            self.slots.len() - 1
        })
    }

    fn is_defined(&self, lower: &str) -> bool {
        self.slots.iter().any(|(it, definition)| it == lower && definition.is_some())
    }
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

/// Makes the enum of all variables and the tables of their names: those of `http` and `stream`, and
/// of one of them only.
macro_rules! variables {
    (
        both { $($name:literal $both:ident,)* }
        http { $($http_name:literal $http:ident,)* }
        stream { $($stream_name:literal $stream:ident,)* }
    ) => {
        /// A variable. Those with a name carry it in lower case, with `_` for `-`.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum Variable {
            $($both,)* $($http,)* $($stream,)*
            Arg(String),
            Cookie(String),
            HttpHeader(String),
            SentHttpHeader(String),
            UpstreamHttpHeader(String),
            /// A group of the pattern that matched last.
            Group(usize),
            /// Defined by the configuration, by its slot.
            Slot(usize),
        }

        const VARIABLES: &[(&str, Variable)] = &[
            $(($name, Variable::$both),)* $(($http_name, Variable::$http),)*
            ("document_uri", Variable::Uri),
            ("query_string", Variable::Args),
        ];
        const STREAM_VARIABLES: &[(&str, Variable)] =
            &[$(($name, Variable::$both),)* $(($stream_name, Variable::$stream),)*];
    };
}

variables! {
    both {
        "binary_remote_addr" BinaryRemoteAddr,
        "connection" Connection,
        "proxy_protocol_addr" ProxyProtocolAddr,
        "proxy_protocol_port" ProxyProtocolPort,
        "proxy_protocol_server_addr" ProxyProtocolServerAddr,
        "proxy_protocol_server_port" ProxyProtocolServerPort,
        "remote_addr" RemoteAddr,
        "remote_port" RemotePort,
        "server_addr" ServerAddr,
        "server_port" ServerPort,
    }
    http {
        "args" Args,
        "body_bytes_sent" BodyBytesSent,
        "bytes_sent" BytesSent,
        "connection_requests" ConnectionRequests,
        "host" Host,
        "hostname" Hostname,
        "https" Https,
        "is_args" IsArgs,
        "msec" Msec,
        "nginx_version" NginxVersion,
        "pid" Pid,
        "proxy_add_x_forwarded_for" ProxyAddXForwardedFor,
        "proxy_host" ProxyHost,
        "proxy_port" ProxyPort,
        "realip_remote_addr" RealipRemoteAddr,
        "realip_remote_port" RealipRemotePort,
        "remote_user" RemoteUser,
        "request" Request,
        "request_id" RequestId,
        "request_length" RequestLength,
        "request_method" RequestMethod,
        "request_time" RequestTime,
        "request_uri" RequestUri,
        "scheme" Scheme,
        "server_name" ServerName,
        "server_protocol" ServerProtocol,
        "ssl_cipher" SslCipher,
        "ssl_protocol" SslProtocol,
        "ssl_session_reused" SslSessionReused,
        "status" Status,
        "time_iso8601" TimeIso8601,
        "time_local" TimeLocal,
        "upstream_addr" UpstreamAddr,
        "upstream_connect_time" UpstreamConnectTime,
        "upstream_header_time" UpstreamHeaderTime,
        "upstream_response_length" UpstreamResponseLength,
        "upstream_response_time" UpstreamResponseTime,
        "upstream_status" UpstreamStatus,
        "uri" Uri,
    }
    stream {
        "ssl_preread_alpn_protocols" SslPrereadAlpnProtocols,
        "ssl_preread_protocol" SslPrereadProtocol,
        "ssl_preread_server_name" SslPrereadServerName,
    }
}

impl Template {
    /// Compiles a value. Groups `$1` to `$9` need no name.
    ///
    /// # Errors
    /// NGINX's message for an unknown variable or a broken `${`.
    pub fn compile(text: &str, names: &mut Names) -> Result<Template, String> {
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
            parts.push(Part::Variable(Variable::named(name, names)?));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Template { parts })
    }

    /// A value without variables.
    pub fn text(text: impl Into<String>) -> Template {
        Template { parts: vec![Part::Text(text.into())] }
    }

    /// Appends the value, of which `variable` appends the parts that are not text.
    pub fn append(&self, out: &mut Vec<u8>, mut variable: impl FnMut(&Variable, &mut Vec<u8>)) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Variable(it) => variable(it, out),
            }
        }
    }

    /// Returns false if the value cannot begin with this text.
    pub fn may_begin_with(&self, text: &str) -> bool {
        match self.parts.first() {
            Some(Part::Text(first)) => first.starts_with(text) || text.starts_with(first.as_str()),
            _ => true,
        }
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

impl Variable {
    /// The variable with this name. One that is not NGINX's own gets a slot.
    ///
    /// # Errors
    /// If the name is empty.
    pub fn named(name: &str, names: &mut Names) -> Result<Variable, String> {
        let lower = name.to_ascii_lowercase();
        if name.is_empty() {
            return Err("invalid variable name".to_owned());
        }
        if names.is_stream {
            let own = names.table().iter().find(|(it, _)| *it == lower).map(|(_, it)| it.clone());
            return Ok(own.unwrap_or_else(|| Variable::Slot(names.slot(&lower))));
        }
        if let Some(group) = name.bytes().all(|it| it.is_ascii_digit()).then(|| name.parse()) {
            return group.map(Variable::Group).map_err(|_| "invalid variable name".to_owned());
        }
        if names.is_defined(&lower) {
            return Ok(Variable::Slot(names.slot(&lower)));
        }
        if lower == "content_length" || lower == "content_type" {
            return Ok(Variable::HttpHeader(lower));
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
        Ok(Variable::Slot(names.slot(&lower)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_at_the_head_of_the_file() {
        let template =
            Template::compile("http://${host}x/$arg_id", &mut Names::default()).expect("known");
        let text = |it: &str| Part::Text(it.to_owned());
        let expected = [
            text("http://"),
            Part::Variable(Variable::Host),
            text("x/"),
            Part::Variable(Variable::Arg("id".to_owned())),
        ];
        assert_eq!(template.parts, expected);
        let mut names = Names::default();
        Template::compile("$foo", &mut names).expect("it may be defined below");
        let error = names.finish().err();
        assert_eq!(error.as_deref(), Some("unknown \"foo\" variable"));
        assert_eq!(
            Template::compile("a", &mut Names::default()).map(|it| it.as_text().is_some()),
            Ok(true)
        );
    }
}
