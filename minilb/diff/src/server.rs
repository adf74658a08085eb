//! The servers behind the proxy. They answer with what they received, and fail if the path says so:
//!
//! ```text
//! GET /app HTTP/1.1       200, and in the body: server A, request line, headers, "body 0"
//! GET /status/503         503          /close      no answer      /bad           no HTTP
//! GET /slow               3 s late     /big        960 kB         /until-close   no length
//! GET /chunked            and a trailer           /switch        a tunnel
//! X-Add: NAME: VALUE      has this header, too
//! ```
//!
//! A server whose name begins with S speaks TLS; if there is a U in it, it has a Unix socket.

use minikit::tls::Tls;
use minilb_probe::{Connection, Message, Result, socket};
use rustls::{ServerConnection, StreamOwned};
use socket2::Socket;
use std::fs::{Permissions, remove_file, set_permissions};
use std::io::{BufReader, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::{sleep, spawn};
use std::time::Duration;

/// What servers have received, in order.
pub type Received = Arc<Mutex<Vec<String>>>;

/// A running server, which ends with this value: its address refuses, its connections are closed.
pub struct Server {
    pub name: String,
    /// The listener and its clients.
    sockets: Arc<Mutex<Vec<Socket>>>,
}

impl Server {
    pub fn start(at: (&String, &String), log: &Received, scratch: &Path) -> Result<Server> {
        let (name, path) = (at.0.clone(), at.1.strip_prefix("unix:"));
        let tls = name
            .starts_with('S')
            .then(|| Tls::load(&scratch.join("s.crt"), &scratch.join("s.key"), &[]));
        let tls = Arc::new(tls.transpose()?);
        let _ = path.map(remove_file);
        let (listener, target) = socket(at.1)?;
        listener.set_reuse_port(path.is_none())?;
        listener.bind(&target).map_err(|it| format!("bind() to {} failed ({it})", at.1))?;
        listener.listen(128)?;
        // NGINX's workers may belong to another user.
        path.map(|it| set_permissions(it, Permissions::from_mode(0o666))).transpose()?;

        let sockets = Arc::new(Mutex::new(vec![listener.try_clone()?]));
        let server = Server { name: name.clone(), sockets: Arc::clone(&sockets) };
        let log = Arc::clone(log);
        spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                sockets.lock().expect("no server panics").extend(client.try_clone());
                let (name, log, tls) = (name.clone(), Arc::clone(&log), Arc::clone(&tls));
                spawn(move || {
                    let kept = client.try_clone();
                    // An error ends the connection, which is what the proxy sees as well.
                    let _ = serve(client, tls.as_ref().as_ref(), name, &log);
                    kept.map(|it| it.shutdown(Shutdown::Both))
                });
            }
        });
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A client may have gone already.
        let sockets = self.sockets.lock().expect("no server panics");
        sockets.iter().for_each(|it| drop(it.shutdown(Shutdown::Both)));
    }
}

/// Answers requests until the connection ends.
fn serve(mut client: Socket, tls: Option<&Tls>, mut name: String, log: &Received) -> Result<()> {
    let mut stream: BufReader<Box<dyn Connection>> = match tls {
        None => BufReader::new(Box::new(client)),
        Some(tls) => {
            let mut session = ServerConnection::new(tls.config())?;
            while session.is_handshaking() {
                session.complete_io(&mut client)?;
            }
            name += &format!(" as {}", session.server_name().unwrap_or("-"));
            BufReader::new(Box::new(StreamOwned::new(session, client)))
        }
    };
    loop {
        let mut request = Message::default();
        request.read_head(&mut stream)?;
        request.read_body(&mut stream, 0)?;
        request.lines[0].contains(" HTTP/1.").then_some(()).ok_or("not HTTP")?;
        log.lock().expect("no server panics").push(format!("{name}: {}", request.lines[0]));
        let (answer, stays) = answer(&request, &name);
        stream.get_mut().write_all(answer.as_bytes())?;
        stream.get_mut().flush()?;
        if !stays {
            return Ok(());
        }
    }
}

/// Returns an answer, and true if the connection stays open.
fn answer(request: &Message, name: &str) -> (String, bool) {
    let is_head = request.lines[0].starts_with("HEAD");
    let path = request.lines[0].split(' ').nth(1).unwrap_or_default();
    let asks = |what: &str| path.contains(what);
    let size = request.body.len();
    let start = String::from_utf8_lossy(&request.body[..size.min(100)]);
    let mut text = format!("server {name}\n{}\nbody {size}\n{start}", request.lines.join("\n"));
    let mut head = "200 OK".to_owned();
    if asks("/close") {
        return (String::new(), false);
    } else if asks("/bad") {
        return ("HTTP/1.1 200 OK\r\nBad\0Header: 1\r\n\r\n".to_owned(), false);
    } else if asks("/switch") {
        head = "101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade".to_owned();
        text = "hello from the tunnel".to_owned();
    } else if asks("/slow") {
        sleep(Duration::from_secs(3));
    } else if let Some((_, number)) = path.split_once("/status/") {
        head = format!("{} Status", &number[..number.len().min(3)]);
    } else if asks("/big") {
        text = "0123456789abcdef".repeat(60_000);
    }

    let headers = request.lines.iter().filter_map(|it| it.split_once(": "));
    let added = headers.filter(|it| it.0.eq_ignore_ascii_case("x-add"));
    added.for_each(|it| head += &format!("\r\n{}", it.1));

    let (length, is_1_1) = (text.len(), request.lines[0].ends_with("1.1"));
    let ends = asks("/until-close") || asks("/switch");
    let stays = is_1_1 && !ends && request.header("connection") != Some("close");
    let connection = if stays { "keep-alive" } else { "close" };
    let (framing, text) = match () {
        () if head.starts_with("304") || head.starts_with("204") => ("".into(), "".into()),
        () if ends => ("".into(), text),
        // One chunk: where a proxy cuts several is visible in $body_bytes_sent.
        () if asks("/chunked") => (
            "Transfer-Encoding: chunked\r\n".to_owned(),
            format!("{length:x}\r\n{text}\r\n0\r\nX-Trailer: 1\r\n\r\n"),
        ),
        () => (
            format!("Content-Length: {length}\r\nConnection: {connection}\r\n"),
            if is_head { String::new() } else { text },
        ),
    };
    let answer = format!(
        "HTTP/1.1 {head}\r\nServer: backend\r\nContent-Type: text/plain\r\nX-Backend: {name}\r\n\
         Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n{framing}\r\n{text}"
    );
    (answer, stays)
}
