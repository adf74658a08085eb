//! `resolver`: which name servers are asked for the addresses of names, and how long they hold.
//!
//! ```text
//! resolver 127.0.0.53;             port 53, addresses of both kinds, for as long as they hold
//! resolver 10.0.0.2:5353 [::1] valid=30s ipv6=off;
//! ```
//!
//! NGINX counterpart: `ngx_resolver_create` (`ngx_resolver.c`). Name servers are IP addresses here;
//! NGINX takes names, too.

use super::listen::with_port;
use super::values::{Precision, time};
use minilb_dns::NameServers;
use std::time::Duration;

/// Reads the arguments of the directive.
pub(super) fn name_servers(arguments: &[String]) -> Result<NameServers, String> {
    let timeout = Duration::from_secs(30);
    let mut params = NameServers { servers: Vec::new(), valid: None, ipv6: true, timeout };
    for text in arguments {
        let invalid = || format!("invalid parameter: {text}");
        match text.split_once('=') {
            Some(("valid", value)) => {
                let valid = time(value, Precision::Seconds).ok_or_else(invalid)?;
                params.valid = Some(valid);
            }
            Some(("ipv6", "on")) => params.ipv6 = true,
            Some(("ipv6", "off")) => params.ipv6 = false,
            Some(("ipv6", _)) => return Err(invalid()),
            _ => {
                let not_found = || format!("host not found in resolver \"{text}\"");
                params.servers.push(with_port(text, 53).ok_or_else(not_found)?);
            }
        }
    }
    match params.servers.is_empty() {
        true => Err("no name servers defined".to_owned()),
        false => Ok(params),
    }
}
