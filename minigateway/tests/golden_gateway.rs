//! Golden scripts: requests through a configuration, one phenomenon per file.
//!
//! `UPDATE_GOLDEN=1 cargo test -p minigateway --test golden_gateway` updates the results; check
//! them with `git diff`.
//!
//! | command | what it does |
//! |---|---|
//! | `conf LINE` | adds a line to the configuration |
//! | `load` | loads the lines so far, as a reload does; prints the error if there is one |
//! | `at 900ms` | sets the clock |
//! | `METHOD TARGET [from ADDRESS] [| NAME: VALUE]...` | sends a request and prints the result |
//!
//! For a forwarded request, the result is its route and the limit headers of the response; for any
//! other, the whole answer. `Host` is `a` unless the request has the header.
#![cfg(not(loom))]

use minigateway::conf::config::read;
use minigateway::handlers::answers::{problem, write_limits};
use minigateway::handlers::filters::Facts;
use minigateway::handlers::pipeline::{Action, Charges, Pipeline};
use minilb::wire::http1::framing::Framing;
use minilb::wire::http1::head::RequestHead;
use minilb::wire::http1::writer::HeadWriter;

#[test]
fn gateway() {
    let scripts = format!("{}/tests/golden/gateway", env!("CARGO_MANIFEST_DIR"));
    minikit::golden::run_dir(scripts, |_| {
        let mut lab = Lab::default();
        move |line: &str| lab.run(line)
    });
}

#[derive(Default)]
struct Lab {
    text: String,
    pipeline: Option<Pipeline>,
    now_ns: u64,
}

impl Lab {
    fn run(&mut self, line: &str) -> String {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("conf", toml) => self.text += &format!("{toml}\n"),
            ("load", _) => return self.load(),
            ("at", moment) => {
                let ms = moment.strip_suffix("ms").and_then(|it| it.parse::<u64>().ok());
                self.now_ns = ms.expect("milliseconds") * 1_000_000;
            }
            (method, rest) => return self.request(method, rest),
        }
        String::new()
    }

    fn load(&mut self) -> String {
        // All scripts have one upstream. It comes last, so that it does not shift line numbers.
        let text = format!("{}[upstreams.u]\nservers = [\"u:1\"]\n", self.text);
        match read(&text, &|_| Ok(vec![([127, 0, 0, 1], 1).into()]), &|_| Err(String::new())) {
            Ok(config) => {
                self.pipeline = Some(Pipeline::new(config, self.pipeline.as_ref()));
                String::new()
            }
            Err(error) => error.to_string(),
        }
    }

    fn request(&mut self, method: &str, rest: &str) -> String {
        let mut parts = rest.split(" | ");
        let target = parts.next().expect("a target");
        let (target, client) = target.split_once(" from ").unwrap_or((target, "192.0.2.1"));
        let headers = parts.collect::<Vec<_>>();
        let has_host = headers.iter().any(|it| it.starts_with("Host: "));
        let host = if has_host { "" } else { "Host: a\r\n" };
        let headers = headers.iter().map(|it| format!("{it}\r\n")).collect::<String>();
        let mut request = RequestHead::default();
        let text = format!("{method} {target} HTTP/1.1\r\n{host}{headers}\r\n");
        request.parse(text.as_bytes()).expect("well formed").expect("complete");

        let pipeline = self.pipeline.as_ref().expect("`load` comes first");
        let (mut charges, mut facts) = (Charges::default(), Facts::default());
        let client = client.parse().expect("an address");
        let action = pipeline.decide(&request, client, self.now_ns, &mut charges, &mut facts);
        let mut out = Vec::new();
        let mut head = HeadWriter::request(&mut out, b"", b"", 1, Framing::None);
        write_limits(pipeline, &charges, self.now_ns, 1_000_000, &mut head);
        head.finish();
        let headers = String::from_utf8(out).expect("ASCII");
        let headers = headers.lines().skip(1).filter(|it| !it.is_empty());
        let headers = headers.map(|it| format!("{it}\n")).collect::<String>();
        match action {
            Action::Forward { route, delay_ns } => {
                let path = &pipeline.config.routes[route].path.0;
                let delay = match delay_ns / 1_000_000 {
                    0 => String::new(),
                    ms => format!(" after {ms} ms"),
                };
                format!("to route {}, {path}{delay}\n{headers}", route + 1)
            }
            Action::Answer(reason) => {
                let problem = problem(pipeline, reason, &charges);
                let (status, body) = (problem.status, problem.body);
                let more = problem.headers.iter().map(|(name, it)| format!("{name}: {it}\n"));
                let more = more.collect::<String>();
                format!("{status}\n{more}{headers}{body}")
            }
        }
    }
}
