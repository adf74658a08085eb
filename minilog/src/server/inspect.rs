//! What the admin endpoint shows of a broker: metrics for Prometheus, health, and the state page.
//!
//! ```text
//! minilog_partition_high_watermark{topic="orders",partition="0"} 42
//! ```
//!
//! A request takes the lock of each partition in turn, for less than a microsecond, so the numbers
//! are not those of one instant. Kafka counterpart: the JMX beans `kafka.log:type=Log` and
//! `kafka.server:type=socket-server-metrics`.

use super::Server;
use crate::engine::log::log::Log;
use minikit::admin::{Exposition, Inspect, StatePage};
use std::sync::Arc;

/// Answers the requests of the admin endpoint.
pub(super) struct Inspector(pub(super) Arc<Server>);

/// The numbers of one partition.
struct Figures {
    topic: String,
    partition: i32,
    log_start_offset: i64,
    high_watermark: i64,
    recovery_point: i64,
    segments: usize,
    bytes: u64,
    producers: usize,
}

impl Inspector {
    fn figures(&self) -> Vec<Figures> {
        let catalog = self.0.broker.topics.catalog();
        let figures = catalog.partitions().map(|(topic, partition, it)| {
            let high_watermark = it.high_watermark();
            it.with_log(|log: &mut Log| Figures {
                topic: topic.name.clone(),
                partition,
                log_start_offset: log.log_start_offset(),
                high_watermark,
                recovery_point: log.recovery_point(),
                segments: log.segments().count(),
                bytes: log.size(),
                producers: log.producers().len(),
            })
        });
        figures.collect()
    }
}

impl Inspect for Inspector {
    fn metrics(&self, out: &mut Exposition) {
        let connections = &self.0.connections;
        out.gauge("minilog_connections", "Clients connected.", connections.current());
        let help = "Clients accepted.";
        out.counter("minilog_connections_accepted_total", help, connections.accepted());
        let help = "Clients refused, because there were too many.";
        out.counter("minilog_connections_refused_total", help, connections.refused());

        let figures = self.figures();
        let mut family = |name: &str, help: &str, value: fn(&Figures) -> i64| {
            let mut family = out.gauges(name, help);
            for it in &figures {
                let partition = it.partition.to_string();
                let labels = [("topic", it.topic.as_str()), ("partition", &partition)];
                family.sample(&labels, value(it));
            }
        };
        let help = "The first offset that can be read.";
        family("minilog_partition_log_start_offset", help, |it| it.log_start_offset);
        let help = "The first offset that cannot be read yet.";
        family("minilog_partition_high_watermark", help, |it| it.high_watermark);
        let help = "Everything below this offset is durable.";
        family("minilog_partition_recovery_point", help, |it| it.recovery_point);
        let help = "Bytes of all segments.";
        family("minilog_partition_size_bytes", help, |it| it.bytes as i64);
    }

    fn state_page(&self) -> StatePage {
        let mut page = StatePage::new("minilog");
        let connections = &self.0.connections;
        page.list("Connections", "")
            .row(["connected".into(), connections.current().into()])
            .row(["limit".into(), self.0.connections_max.into()]);

        let note = "Records from start to end can be read; those from durable on are in the page \
                    cache only.";
        let columns =
            ["topic", "partition", "start", "end", "durable", "segments", "bytes", "producers"];
        let table = page.table("Partitions", note, &columns);
        for it in self.figures() {
            table.row([
                it.topic.into(),
                it.partition.into(),
                it.log_start_offset.into(),
                it.high_watermark.into(),
                it.recovery_point.into(),
                it.segments.into(),
                it.bytes.into(),
                it.producers.into(),
            ]);
        }
        page
    }

    /// Healthy as long as the locks of all partitions can be taken.
    fn healthy(&self) -> Result<(), String> {
        self.figures();
        Ok(())
    }
}
