//! Variables of `stream`: of a connection, of which nothing is known but its addresses and, with
//! `ssl_preread`, what a TLS client says first.
//!
//! # Example
//!
//! ```text
//! map $ssl_preread_server_name $backend { a.example app; default 192.0.2.7:443; }
//! proxy_pass $backend;
//!
//! a client that asks for A.example      app, the upstream
//! one that names nothing                192.0.2.7:443
//! ```
//!
//! NGINX counterpart: `ngx_stream_variables.c`, `ngx_stream_map_module.c`.

use super::facts::Client;
use super::variables::{DEPTH_MAX, append_address};
use crate::conf::template::{Definition, Template, Variable};
use crate::wire::client_hello::ClientHello;
use crate::wire::http1::writer::decimal;

/// A connection with all that variables ask for.
#[derive(Clone, Copy)]
pub struct StreamView<'a> {
    /// The client.
    pub client: &'a Client,
    /// Empty without `ssl_preread`, and if the client does not speak TLS.
    pub hello: &'a ClientHello,
    /// Variables that the configuration defines.
    pub variables: &'a [Definition],
    /// How many of them the value of this one is a part of.
    pub depth: u8,
}

impl StreamView<'_> {
    /// Appends the value of a template.
    pub fn append(&self, template: &Template, out: &mut Vec<u8>) {
        template.append(out, |it, out| self.append_variable(it, out));
    }

    fn append_variable(&self, variable: &Variable, out: &mut Vec<u8>) {
        let ClientHello { server_name, alpn_protocols, protocol } = self.hello;
        match variable {
            Variable::Connection => decimal(out, self.client.connection),
            Variable::SslPrereadAlpnProtocols => out.extend_from_slice(alpn_protocols.as_bytes()),
            Variable::SslPrereadProtocol => out.extend_from_slice(protocol.as_bytes()),
            Variable::SslPrereadServerName => out.extend_from_slice(server_name.as_bytes()),
            Variable::Slot(_) if self.depth > DEPTH_MAX => {}
            Variable::Slot(slot) => {
                let view = StreamView { depth: self.depth + 1, ..*self };
                // The source is put where the value will be, and taken out again.
                let start = out.len();
                match &self.variables[*slot] {
                    Definition::Map(map) => {
                        view.append(&map.source, out);
                        let (value, _) = map.find(&out[start..]);
                        out.truncate(start);
                        view.append(value, out);
                    }
                    Definition::Split(split) => {
                        view.append(&split.source, out);
                        let value = split.find(&out[start..]);
                        out.truncate(start);
                        out.extend_from_slice(value.as_bytes());
                    }
                    Definition::Settable => {}
                }
            }
            _ => _ = append_address(variable, self.client, &self.client.peer, out),
        }
    }
}
