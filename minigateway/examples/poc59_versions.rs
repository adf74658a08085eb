//! POC 59: the gateway translates between clients of version 1 and a service of version 2.
//!
//! `cargo run --release -p minigateway --example poc59_versions`
//!
//! Starts a service with minigateway in front of it, and requests versions in every way that a
//! client can. `--against HOST:PORT` sends the same requests to another gateway.

use minigateway::conf::config::read;
use minigateway::server::start::serve;
use minikit::server::Options;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;

/// Three versions; the service speaks the newest one.
// ANCHOR: config
const CONFIG: &str = r#"
[versions.shop]
by = ["path", "header:Api-Version", "media_type:shop", "query:version"]
default = "2"
tell = "path"

[versions.shop.known.2]

[versions.shop.known.1]
speaks = "2"
rename = { name = "full_name", "orders.price" = "unit_price" }
deprecated = 2026-01-01
sunset = 2099-01-01
link = "https://example.com/from-1-to-2"

[versions.shop.known.0]
sunset = 2020-01-01

[upstreams.shop]
servers = ["ORIGIN"]

[[routes]]
path = "/customers/{id}"
methods = ["GET", "PUT"]
upstream = "shop"
versions = "shop"
"#;
// ANCHOR_END: config

/// How clients ask for a version: a description, the path, a header.
const ASKED: [(&str, &str, &str); 11] = [
    ("nothing", "/customers/7", "Accept: */*"),
    ("path", "/v1/customers/7", "Accept: */*"),
    ("path", "/v2/customers/7", "Accept: */*"),
    ("header", "/customers/7", "Api-Version: 1"),
    ("media type", "/customers/7", "Accept: application/vnd.shop.v1+json"),
    ("weights", "/customers/7", "Accept: application/vnd.shop.v1+json;q=0.5, application/json"),
    ("query", "/customers/7?version=1", "Accept: */*"),
    ("two of them", "/v1/customers/7", "Api-Version: 2"),
    ("an unknown one", "/customers/7", "Api-Version: 9"),
    ("an unknown type", "/customers/7", "Accept: application/vnd.shop.v9+json"),
    ("one that is over", "/v0/customers/7", "Accept: */*"),
];

fn main() {
    let arguments = std::env::args().skip(1).collect::<Vec<_>>();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--against", address] => print!("{}", versions(address)),
        [] => {
            let (address, admin) = start();
            print!("{}\n{}\n{}", versions(&address), translated(&address), counted(&admin));
        }
        _ => eprintln!("usage: poc59_versions [--against HOST:PORT]"),
    }
}

/// Starts the service and the gateway in threads of this process. Returns the addresses of the
/// gateway and of its metrics.
fn start() -> (String, String) {
    let bind = || TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = |it: &TcpListener| it.local_addr().expect("bound");
    let service = bind();
    let config = CONFIG.replace("ORIGIN", &address(&service).to_string());
    thread::spawn(move || service.incoming().flatten().for_each(answer));

    let resolve = |it: &str| it.parse().map(|it: SocketAddr| vec![it]).map_err(|_| it.to_owned());
    let config =
        read(&config, &resolve, &|_| Err(String::new())).unwrap_or_else(|error| panic!("{error}"));
    let admin = address(&bind());
    let (sender, ready) = mpsc::channel();
    thread::spawn(move || {
        let listen = vec![([127, 0, 0, 1], 0).into()];
        let options = Options { listen, threads: 1, ..Options::default() };
        let result = serve(options, Some(admin), PathBuf::new(), config, |bound| {
            let _ = sender.send(bound.tcp.expect("it listens on TCP"));
        });
        result.map_err(|error| error.to_string()).expect("the gateway runs");
    });
    (ready.recv().expect("the gateway starts").to_string(), admin.to_string())
}

/// The service: answers with version 2 of a customer and with the request line.
fn answer(mut client: TcpStream) {
    let Some((head, body)) = message(&mut client) else { return };
    let asked = head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1");
    let put = if body.is_empty() { String::new() } else { format!(",\"put\":{body}") };
    let customer = "\"full_name\":\"Ann Lee\",\"orders\":[{\"unit_price\":1.10}]";
    let body = format!("{{{customer},\"asked\":\"{asked}\"{put}}}");
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
    let length = body.len();
    let _ =
        client.write_all(format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}").as_bytes());
}

/// Prints the response to each request, and the request that the service got.
fn versions(address: &str) -> String {
    let mut text =
        format!("{:<17} {:<6} {:<8} the service was asked\n", "asked by", "status", "version");
    for (what, path, header) in ASKED {
        let (head, body) = ask(address, &format!("GET {path}"), header, "");
        let status = head.get(9..12).unwrap_or_default();
        let version = value(&head, "Api-Version").unwrap_or("-");
        let asked = body.split("\"asked\":\"").nth(1).and_then(|it| it.split('"').next());
        text += &format!("{what:<17} {status:<6} {version:<8} {}\n", asked.unwrap_or("nothing"));
    }
    let (head, _) = ask(address, "GET /v1/customers/7", "Accept: */*", "");
    text += "\nVersion 1 is told\n";
    for name in ["Deprecation", "Sunset", "Link"] {
        text += &format!("{name}: {}\n", value(&head, name).unwrap_or("nothing"));
    }
    text
}

/// Prints the same customer in two versions.
fn translated(address: &str) -> String {
    let mut text = "One customer, two versions\n".to_owned();
    for (version, body) in [("1", "{\"name\":\"Bob\"}"), ("2", "{\"full_name\":\"Bob\"}")] {
        let request = format!("PUT /v{version}/customers/7");
        let (_, answer) = ask(address, &request, "Content-Type: application/json", body);
        text += &format!("{request}  {body}\n{answer}\n");
    }
    let both = "{\"name\":\"Bob\",\"full_name\":\"Eve\"}";
    let (_, answer) = ask(address, "PUT /v1/customers/7", "Content-Type: application/json", both);
    text + &format!("PUT /v1/customers/7  {both}\n{answer}")
}

/// Prints the gateway's counters of requests by version.
fn counted(admin: &str) -> String {
    let (_, metrics) = ask(admin, "GET /metrics", "Accept: */*", "");
    let lines = metrics.lines().filter(|it| it.starts_with("minigateway_version_requests_total"));
    lines.map(|it| format!("{it}\n")).collect()
}

/// Sends a request on a new connection, and returns the head and body of the response.
fn ask(address: &str, request: &str, header: &str, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).expect("the gateway listens");
    let length = body.len();
    let text = format!(
        "{request} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n{header}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes()).expect("the gateway reads");
    message(&mut stream).expect("the gateway answers")
}

/// Reads the head of a message, and its body by `Content-Length` or to the end.
fn message(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = value(&head, "Content-Length").and_then(|it| it.parse().ok());
    let is_request = !head.starts_with("HTTP/");
    let mut body = Vec::new();
    let max = length.unwrap_or(if is_request { 0 } else { u64::MAX });
    reader.take(max).read_to_end(&mut body).ok()?;
    Some((head, String::from_utf8_lossy(&body).into_owned()))
}

fn value<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = head.lines().filter_map(|it| it.split_once(": "));
    fields.find(|it| it.0.eq_ignore_ascii_case(name)).map(|it| it.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page includes this file; `UPDATE_GOLDEN=1` updates it.
    #[test]
    fn the_output_matches_the_recorded_one() {
        let (address, admin) = start();
        let output =
            format!("{}\n{}\n{}", versions(&address), translated(&address), counted(&admin));
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/poc59_versions.txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, &output).expect("the folder is writable");
        }
        assert_eq!(std::fs::read_to_string(path).expect("recorded"), output);
    }
}
