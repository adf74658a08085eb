//! The start of every POC: its own broker, or the one at the address after `--against`.

use clap::Parser;
use minikit::harness::Scratch;
use minilog::client::cluster::Cluster;
use minilog::client::{ClientError, admin};
use minilog::server::start::{self, ServeOptions};
use minilog::wire::ErrorCode;
use std::ffi::OsStr;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// A broker to talk to.
pub struct Broker {
    /// Host and port.
    pub address: String,
    _data: Option<Scratch>,
}

impl Broker {
    /// The broker at the address after `--against`, or minilog in a thread of this process.
    pub fn from_arguments() -> Broker {
        let arguments = std::env::args().skip(1).filter(|it| it != "--times").collect::<Vec<_>>();
        match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["--against", address] => Broker { address: address.to_owned(), _data: None },
            [] => Broker::start(),
            _ => {
                eprintln!("usage: poc [--times] [--against HOST:PORT]");
                std::process::exit(2);
            }
        }
    }

    /// Starts minilog on a free port, with its data in a directory that is removed afterwards.
    pub fn start() -> Broker {
        let data = Scratch::new("minilog-poc").expect("a directory can be created");
        let (sender, ready) = mpsc::channel();
        let options = ["minilog", "--listen", "127.0.0.1:0", "--threads", "1", "--data-dir"];
        let options = options.map(OsStr::new).into_iter().chain([data.path().as_os_str()]);
        let start = ServeOptions::parse_from(options);
        thread::spawn(move || {
            let result = start::run(start, |bound| {
                let _ = sender.send(bound.tcp.expect("it listens on TCP"));
            });
            result.map_err(|error| error.to_string()).expect("the broker runs");
        });
        let address = ready.recv().expect("the broker starts").to_string();
        Broker { address, _data: Some(data) }
    }

    /// Creates a topic. Deletes the one of an earlier run first.
    pub fn fresh_topic(&self, name: &str, partitions: i32) -> Result<Cluster, ClientError> {
        let mut cluster = Cluster::connect(&self.address, "poc")?;
        match admin::delete_topic(&mut cluster, name) {
            Err(ClientError::Refused { code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, .. }) => {}
            result => result?,
        }
        loop {
            match admin::create_topic(&mut cluster, name, partitions, &[]) {
                // Kafka deletes in the background.
                Err(ClientError::Refused { code: ErrorCode::TOPIC_ALREADY_EXISTS, .. }) => {
                    thread::sleep(Duration::from_millis(100));
                }
                result => return result.map(|()| cluster),
            }
        }
    }
}

/// Compares the output with the recorded one, which the page of the POC includes. `UPDATE_GOLDEN=1`
/// updates the recording.
#[cfg(test)]
pub fn assert_recorded(name: &str, output: &str) {
    let path = format!("{}/examples/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, output).expect("the folder is writable");
    }
    assert_eq!(std::fs::read_to_string(path).expect("recorded"), output);
}
