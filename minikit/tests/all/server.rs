//! The life cycle from inside: addresses, limits, shapes, shutdown.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::client::Client;
use minikit::connections::Connections;
use minikit::server::{
    BlockingService, BlockingStream, Bound, Hooks, ListenerHandle, Options, PerConnection, PerCore,
    ServerError, Service, Shutdown, Spread, Stream, run,
};
use minikit::sync::Arc;
use minikit::wait::wait_until;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Executes each line as a command (`core`, `peer`, `local`, `stop`, `panic`) or repeats it. At
/// shutdown it sends `bye` and closes, unless the client has sent `stay`: then the connection
/// behaves as if it executed a long request.
struct Responder {
    connections: Connections,
    limit: AtomicUsize,
    backgrounds: AtomicUsize,
    bad_core: Option<usize>,
    drain_timeout_ms: AtomicU64,
}

impl Responder {
    fn new() -> Responder {
        let (limit, backgrounds) = (AtomicUsize::new(1000), AtomicUsize::new(0));
        let (connections, drain_timeout_ms) = (Connections::new(), AtomicU64::new(10_000));
        Responder { connections, limit, backgrounds, bad_core: None, drain_timeout_ms }
    }
}

/// The state of one core. It holds an `Rc`, so it is not `Send`.
struct Core {
    index: usize,
}

/// Returns the reply to one line.
fn answer(line: &[u8], core: &str, (peer, local): (String, String), end: &Shutdown) -> String {
    let line = str::from_utf8(line).expect("tests send text").trim_end();
    if line == "stop" {
        end.request();
    }
    match line {
        "core" => format!("{core}\n"),
        "peer" => format!("{peer}\n"),
        "local" => format!("{local}\n"),
        "panic" => panic!("on purpose, in one connection"),
        other => format!("{other}\n"),
    }
}

impl Hooks for Responder {
    fn connections(&self) -> &Connections {
        &self.connections
    }

    fn max_connections(&self) -> usize {
        self.limit.load(SeqCst)
    }

    fn refusal(&self) -> Vec<u8> {
        b"full up\n".to_vec()
    }

    fn drain_timeout(&self) -> Duration {
        Duration::from_millis(self.drain_timeout_ms.load(SeqCst))
    }
}

impl Service for Responder {
    type Core = Core;

    fn core(&self, index: usize) -> Core {
        assert_ne!(Some(index), self.bad_core, "a core that cannot be made");
        Core { index }
    }

    async fn connection(self: Arc<Self>, core: Rc<Core>, mut stream: Stream, shutdown: Shutdown) {
        let mut buffer = [0; 1000];
        let mut stay = false;
        loop {
            let read = tokio::select! {
                () = shutdown.requested(), if !stay => {
                    let _ = stream.write_all(b"bye\n").await;
                    return;
                }
                read = stream.read(&mut buffer) => read,
            };
            let Ok(count @ 1..) = read else { return };
            let line = &buffer[..count];
            stay |= line == b"stay\n";
            let addresses = (stream.peer(), stream.local());
            let answer = answer(line, &core.index.to_string(), addresses, &shutdown);
            stream.write_all(answer.as_bytes()).await.expect("it is read");
        }
    }

    async fn background(self: Arc<Self>, _core: Rc<Core>, shutdown: Shutdown) {
        self.backgrounds.fetch_add(1, SeqCst);
        shutdown.requested().await;
        self.backgrounds.fetch_add(100, SeqCst);
    }
}

impl BlockingService for Responder {
    fn connection(&self, mut stream: BlockingStream, shutdown: Shutdown) {
        let mut buffer = [0; 1000];
        let mut stay = false;
        loop {
            let read = match stay {
                true => stream.read(&mut buffer),
                false => stream.read_or_shutdown(&mut buffer),
            };
            let count = read.expect("no connection is reset");
            if count == 0 && !stay && shutdown.is_requested() {
                let _ = stream.write_all(b"bye\n");
            }
            if count == 0 {
                return;
            }
            let line = &buffer[..count];
            stay |= line == b"stay\n";
            let thread = std::thread::current();
            let name = thread.name().expect("every connection's thread has a name");
            let addresses = (stream.peer(), String::new());
            let answer = answer(line, name, addresses, &shutdown);
            stream.write_all(answer.as_bytes()).expect("it is read");
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    PerCore,
    Spread,
    PerConnection,
}

const SHAPES: [Shape; 3] = [Shape::PerCore, Shape::Spread, Shape::PerConnection];

/// A server in this process.
struct Running {
    service: Arc<Responder>,
    bound: Bound,
    listeners: ListenerHandle,
    shutdown: Shutdown,
    thread: JoinHandle<Result<(), ServerError>>,
}

impl Running {
    fn start(options: Options) -> Running {
        Running::start_as(Shape::PerCore, options)
    }

    fn start_as(shape: Shape, options: Options) -> Running {
        let service = Arc::new(Responder::new());
        let shutdown = Shutdown::new();
        let (ready, readiness) = mpsc::channel();
        let (responder, until) = (Arc::clone(&service), shutdown.clone());
        let thread = std::thread::spawn(move || {
            let on_ready = |bound: &Bound, listeners| {
                ready.send((bound.clone(), listeners)).expect("the test waits for it");
            };
            match shape {
                Shape::PerCore => run(options, PerCore(responder), until, on_ready),
                Shape::Spread => run(options, Spread(responder), until, on_ready),
                Shape::PerConnection => run(options, PerConnection(responder), until, on_ready),
            }
        });
        let (bound, listeners) = readiness.recv().expect("the server becomes ready");
        Running { service, bound, listeners, shutdown, thread }
    }

    fn connect(&self) -> Client {
        let address = self.bound.tcp.expect("it listens on TCP");
        Client::new(TcpStream::connect(address).expect("it is ready"))
    }

    fn end(self) {
        self.shutdown.request();
        self.thread.join().expect("no panic").expect("a good end");
    }
}

/// Starts a server that must fail, and returns its error.
fn failure(options: Options, responder: Responder) -> ServerError {
    let responder = PerCore(Arc::new(responder));
    run(options, responder, Shutdown::new(), |_, _| panic!("it is ready"))
        .expect_err("it must fail")
}

fn any_port() -> Options {
    Options { listen: vec![SocketAddr::from(([127, 0, 0, 1], 0))], ..Options::default() }
}

/// Returns a socket path that no other test and no other run uses.
fn socket_path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("minikit-{name}-{}.sock", std::process::id()))
}

fn on_unix(path: &std::path::Path) -> Options {
    Options { unix: vec![path.to_owned()], threads: 2, ..Options::default() }
}

#[test]
fn port_0_becomes_one_port_that_all_cores_share() {
    let server = Running::start(Options { threads: 3, ..any_port() });
    assert_ne!(server.bound.tcp.expect("bound").port(), 0);
    let mut clients = (0..200).map(|_| server.connect()).collect::<Vec<_>>();
    let mut seen = [0; 3];
    for client in &mut clients {
        let core = client.ask("core").expect("an answer");
        seen[core.parse::<usize>().expect("a number")] += 1;
        assert_eq!(client.ask("core"), Some(core), "a client stays on its core");
    }
    assert!(seen.iter().all(|count| *count > 0), "200 clients, dealt out {seen:?}");
    assert_eq!(server.service.connections.current(), 200);
    server.end();
}

#[test]
fn ipv6_and_addresses_as_redis_prints_them() {
    let listen = vec!["[::1]:0".parse().expect("an address")];
    let server = Running::start(Options { listen, threads: 2, ..Options::default() });
    let mut client = server.connect();
    assert!(client.ask("peer").expect("an answer").starts_with("[::1]:"));
    assert_eq!(client.ask("local"), Some(server.bound.to_string()));
    server.end();

    let server = Running::start(any_port());
    assert!(server.connect().ask("peer").expect("an answer").starts_with("127.0.0.1:"));
    server.end();
}

#[test]
fn an_ipv4_client_of_an_ipv6_listener_is_shown_as_ipv4() {
    let listen = vec!["[::]:0".parse().expect("an address")];
    let server = Running::start(Options { listen, threads: 1, ..Options::default() });
    let port = server.bound.tcp.expect("bound").port();
    let mut client = Client::new(TcpStream::connect(("127.0.0.1", port)).expect("dual stack"));
    assert!(client.ask("peer").expect("an answer").starts_with("127.0.0.1:"));
    server.end();
}

#[test]
fn above_the_limit_clients_are_refused() {
    SHAPES.iter().for_each(|shape| refuses_above_the_limit(*shape));
}

fn refuses_above_the_limit(shape: Shape) {
    let server = Running::start_as(shape, Options { threads: 2, ..any_port() });
    server.service.limit.store(2, SeqCst);
    let (mut a, mut b) = (server.connect(), server.connect());
    assert_eq!((a.ask("1"), b.ask("2")), (Some("1".into()), Some("2".into())));
    let mut refused = server.connect();
    assert_eq!(refused.line().as_deref(), Some("full up"), "{shape:?}");
    assert_eq!(refused.line(), None);
    assert_eq!(server.service.connections.current(), 2);
    assert_eq!(server.service.connections.refused(), 1);

    server.service.limit.store(3, SeqCst);
    assert_eq!(server.connect().ask("raised").as_deref(), Some("raised"));
    drop(a);
    wait_until("two have left", || server.service.connections.current() == 1);
    server.service.limit.store(2, SeqCst);
    assert_eq!(server.connect().ask("room").as_deref(), Some("room"));
    server.end();
}

#[test]
fn a_panic_closes_one_connection_and_frees_its_permit() {
    for shape in SHAPES {
        let server = Running::start_as(shape, Options { threads: 1, ..any_port() });
        server.service.limit.store(1, SeqCst);
        for _ in 0..3 {
            let mut client = server.connect();
            assert_eq!(client.ask("panic"), None, "{shape:?}");
            wait_until("its permit is free", || server.service.connections.current() == 0);
        }
        assert_eq!(server.connect().ask("alive").as_deref(), Some("alive"));
        server.end();
    }
}

/// The kernel's hash could give all ten connections to one core.
#[test]
fn spread_gives_each_of_two_cores_half_of_ten_connections() {
    let server = Running::start_as(Shape::Spread, Options { threads: 2, ..any_port() });
    let mut clients = (0..10).map(|_| server.connect()).collect::<Vec<_>>();
    let mut cores = clients.iter_mut().map(|it| it.ask("core").expect("an answer"));
    let on_core_0 = cores.by_ref().filter(|core| core == "0").count();
    assert_eq!(on_core_0, 5);

    // After the five connections of one core have closed, it gets the next five.
    clients.retain_mut(|it| it.ask("core").as_deref() == Some("0"));
    wait_until("five have left", || server.service.connections.current() == 5);
    for _ in 0..5 {
        let mut client = server.connect();
        assert_eq!(client.ask("core").as_deref(), Some("1"));
        clients.push(client);
    }
    server.end();
}

#[test]
fn each_connection_has_a_named_thread() {
    let server = Running::start_as(Shape::PerConnection, any_port());
    let (mut a, mut b) = (server.connect(), server.connect());
    let names = (a.ask("core"), b.ask("core"));
    assert_eq!(names, (Some("conn-1".to_owned()), Some("conn-2".to_owned())));
    server.end();
}

#[test]
fn a_core_that_panics_ends_the_server_with_an_error() {
    let mut responder = Responder::new();
    responder.bad_core = Some(1);
    let options = Options { threads: 3, ..any_port() };
    let error = failure(options, responder);
    assert!(matches!(&error, ServerError::Panicked(thread) if thread == "core-1"), "{error:?}");
}

#[test]
fn shutdown_closes_idle_connections_and_waits_for_busy_ones() {
    SHAPES.iter().for_each(|shape| drains(*shape));
}

fn drains(shape: Shape) {
    let server = Running::start_as(shape, Options { threads: 2, ..any_port() });
    let cores = if shape == Shape::PerConnection { 0 } else { 2 };
    let mut clients = (0..8).map(|_| server.connect()).collect::<Vec<_>>();
    for client in &mut clients {
        assert_eq!(client.ask("hello").as_deref(), Some("hello"));
    }
    wait_until("all have begun", || server.service.backgrounds.load(SeqCst) == cores);
    let mut busy = server.connect();
    assert_eq!(busy.ask("stay").as_deref(), Some("stay"));

    // A client requests the shutdown here, as with the command SHUTDOWN.
    let mut first = clients.remove(0);
    assert_eq!(first.ask("stop").as_deref(), Some("stop"));
    assert_eq!(first.line().as_deref(), Some("bye"), "{shape:?}");
    for client in &mut clients {
        assert_eq!(client.line().as_deref(), Some("bye"));
        assert_eq!(client.line(), None);
    }
    let address = server.bound.tcp.expect("bound");
    wait_until("the listener is closed", || TcpStream::connect(address).is_err());
    assert_eq!(busy.ask("still here").as_deref(), Some("still here"));
    assert!(!server.thread.is_finished(), "it waits for the last client");

    drop(busy);
    server.thread.join().expect("no panic").expect("a good end");
    let backgrounds = server.service.backgrounds.load(SeqCst);
    assert_eq!(backgrounds, 101 * cores, "one for each core, which saw the shutdown");
    assert_eq!(server.service.connections.current(), 0);
}

#[test]
fn connections_that_never_end_are_cut_without_an_error() {
    for shape in SHAPES {
        let server = Running::start_as(shape, Options { threads: 1, ..any_port() });
        server.service.drain_timeout_ms.store(1, SeqCst);
        let mut client = server.connect();
        assert_eq!(client.ask("stay").as_deref(), Some("stay"));
        let service = Arc::clone(&server.service);
        server.end();
        assert_eq!(client.line(), None, "{shape:?}");
        // The connection's thread may end a moment after the server.
        wait_until("the permit is free", || service.connections.current() == 0);
    }
}

#[test]
fn a_port_that_is_taken_is_an_error_that_names_it() {
    let holder = TcpListener::bind("127.0.0.1:0").expect("any port");
    let listen = holder.local_addr().expect("bound");
    let options = Options { listen: vec![listen], threads: 2, ..Options::default() };
    let text = failure(options, Responder::new()).to_string();
    assert!(text.contains(&listen.to_string()), "{text}");
    assert!(text.contains("--listen") && text.contains("ss -ltnp"), "{text}");
}

#[test]
fn several_addresses_share_a_port() {
    let listen = vec![([127, 0, 0, 1], 0).into(), ([127, 0, 0, 2], 0).into()];
    let server = Running::start(Options { listen, threads: 2, ..Options::default() });
    let port = server.bound.tcp.expect("bound").port();
    for host in ["127.0.0.1", "127.0.0.2"] {
        TcpStream::connect((host, port)).expect("it listens there");
    }
    TcpStream::connect(("127.0.0.3", port)).expect_err("it does not listen there");
    server.end();
}

#[test]
fn changed_addresses_keep_open_connections() {
    let server = Running::start(Options { threads: 2, ..any_port() });
    let before = server.bound.tcp.expect("bound");
    let mut client = server.connect();
    assert_eq!(client.ask("one").as_deref(), Some("one"));
    let holder = TcpListener::bind("127.0.0.1:0").expect("any port");
    let taken = holder.local_addr().expect("bound");
    server.listeners.listen(&[taken], None).expect_err("it is taken");
    TcpStream::connect(before).expect("nothing has changed");

    let everywhere = SocketAddr::from(([0, 0, 0, 0], before.port()));
    server.listeners.listen(&[everywhere], None).expect("its own port is no obstacle");
    TcpStream::connect(("127.0.0.2", before.port())).expect("it listens there");
    server.listeners.listen(&[], None).expect("no address is no obstacle");
    while TcpStream::connect(before).is_ok() {
        std::thread::yield_now();
    }
    assert_eq!(client.ask("two").as_deref(), Some("two"));
    server.end();
}

#[test]
fn sockets_stay_if_their_addresses_do() {
    let [stays, comes] = [socket_path("stays"), socket_path("comes")];
    let server = Running::start(Options { unix: vec![stays.clone()], threads: 2, ..any_port() });
    let tcp = server.bound.tcp.expect("bound");
    let file = |path| fs::metadata(path).expect("it is there").ino();
    let before = file(&stays);
    let both = [stays.clone(), comes.clone()];
    server.listeners.listen(&[tcp], Some(&both)).expect("free");
    for path in &both {
        let mut client = Client::new(UnixStream::connect(path).expect("it listens"));
        assert_eq!(client.ask("one").as_deref(), Some("one"));
    }
    assert_eq!(file(&stays), before);
    assert_eq!(server.connect().ask("two").as_deref(), Some("two"));

    server.listeners.listen(&[], Some(&[comes])).expect("nothing new");
    wait_until("it is removed", || !stays.exists());
    server.end();
}

/// With `SO_REUSEPORT` alone a second server could share the port, and neither would notice.
#[test]
fn two_servers_never_share_a_port() {
    let server = Running::start(Options { threads: 2, ..any_port() });
    for threads in [1, 2] {
        let listen = server.bound.tcp.into_iter().collect();
        let options = Options { listen, threads, ..Options::default() };
        let error = failure(options, Responder::new());
        assert!(matches!(error, ServerError::Listen { .. }), "{error:?}");
    }
    server.end();
}

#[test]
fn a_server_without_an_address_is_an_error() {
    let error = failure(Options::default(), Responder::new());
    assert!(matches!(error, ServerError::NoAddress), "{error:?}");
}

#[test]
fn a_unix_socket_serves_beside_tcp_and_is_removed() {
    for shape in SHAPES {
        let path = socket_path("both");
        let options = Options { unix: vec![path.clone()], threads: 2, ..any_port() };
        let server = Running::start_as(shape, options);
        assert_eq!(server.bound.unix.as_ref(), Some(&path));
        let mut client = Client::new(UnixStream::connect(&path).expect("it is ready"));
        let expected = format!("{}:0", path.display());
        assert_eq!(client.ask("peer"), Some(expected.clone()));
        if shape != Shape::PerConnection {
            assert_eq!(client.ask("local"), Some(expected));
        }
        assert_eq!(server.connect().ask("tcp").as_deref(), Some("tcp"));
        server.end();
        assert_eq!(client.line().as_deref(), Some("bye"), "{shape:?}");
        assert!(!path.exists());
    }
}

#[test]
fn a_dead_socket_file_is_replaced_and_a_live_one_is_not() {
    let path = socket_path("stale");
    // A dropped listener leaves its file behind, as a killed process does.
    drop(UnixListener::bind(&path).expect("free"));
    // Another test that starts a process holds a copy of the listener for a moment.
    wait_until("the listener is closed", || UnixStream::connect(&path).is_err());
    assert!(path.exists());
    let server = Running::start(on_unix(&path));
    assert_eq!(server.bound.to_string(), path.display().to_string());

    let text = failure(on_unix(&path), Responder::new()).to_string();
    assert!(text.contains("a running server answers there"), "{text}");
    let mut client = Client::new(UnixStream::connect(&path).expect("still there"));
    assert_eq!(client.ask("hello").as_deref(), Some("hello"));
    server.end();
}

#[test]
fn a_file_that_is_not_a_socket_is_kept() {
    let path = socket_path("file");
    fs::write(&path, "precious").expect("the temporary directory is writable");
    let error = failure(on_unix(&path), Responder::new());
    assert!(matches!(error, ServerError::Unix { .. }), "{error:?}");
    assert_eq!(fs::read_to_string(&path).expect("still there"), "precious");
    fs::remove_file(&path).expect("ours");
}
