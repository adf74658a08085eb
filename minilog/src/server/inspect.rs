//! What the admin endpoint shows of a broker: metrics for Prometheus, health, and the state page.
//!
//! ```text
//! minilog_partition_high_watermark{topic="orders",partition="0"} 42
//! minilog_group_lag{group="billing",topic="orders",partition="0"} 7
//! ```
//!
//! A request takes the lock of each partition in turn, for less than a microsecond, so the numbers
//! are not those of one instant. Kafka counterpart: the JMX beans `kafka.log:type=Log` and
//! `kafka.server:type=socket-server-metrics`. Kafka's broker does not know the lag of a group;
//! people run an exporter that asks for both offsets.

use super::Server;
use crate::engine::group::group::Group;
use crate::engine::log::log::Log;
use crate::handlers::group_admin::state_name;
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

/// How far a group has read a partition.
struct Progress {
    group: String,
    topic: String,
    partition: i32,
    committed_offset: i64,
    /// Records between the committed offset and the high watermark.
    lag: i64,
}

impl Inspector {
    fn progress(&self) -> Vec<Progress> {
        let catalog = self.0.broker.topics.catalog();
        // A partition that is gone has no records that are not read.
        let high_watermark = |topic: &str, partition: i32| {
            let topic = catalog.by_name(topic)?;
            Some(topic.partitions.get(partition as usize)?.high_watermark())
        };
        let of_group = |group: &Group| {
            let offsets = group.offsets.iter().map(|(topic, partition, it)| {
                let lag = high_watermark(topic, partition).map_or(0, |end| end - it.offset);
                let (group, topic) = (group.id.clone(), topic.to_owned());
                Progress { group, topic, partition, committed_offset: it.offset, lag: lag.max(0) }
            });
            offsets.collect::<Vec<_>>()
        };
        self.0.broker.groups.with(|it| it.groups().flat_map(of_group).collect())
    }

    /// Name, state, generation and number of members of each group.
    fn groups(&self) -> Vec<(String, &'static str, i32, usize)> {
        let of_group =
            |it: &Group| (it.id.clone(), state_name(&it.state), it.generation, it.members.len());
        self.0.broker.groups.with(|it| it.groups().map(of_group).collect())
    }

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

        let mut members = out.gauges("minilog_group_members", "Members of the group.");
        for (group, state, _, count) in self.groups() {
            members.sample(&[("group", &group), ("state", state)], count);
        }
        let progress = self.progress();
        let mut family = |name: &str, help: &str, value: fn(&Progress) -> i64| {
            let mut family = out.gauges(name, help);
            for it in &progress {
                let partition = it.partition.to_string();
                let (group, topic) = (it.group.as_str(), it.topic.as_str());
                let labels = [("group", group), ("topic", topic), ("partition", &partition)];
                family.sample(&labels, value(it));
            }
        };
        let help = "The next record that the group will read.";
        family("minilog_group_committed_offset", help, |it| it.committed_offset);
        let help = "Records that the group has not read yet.";
        family("minilog_group_lag", help, |it| it.lag);
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

        let columns = ["group", "state", "generation", "members"];
        let table = page.table("Groups", "Consumer groups, as `kafka-consumer-groups`.", &columns);
        for (group, state, generation, members) in self.groups() {
            table.row([group.into(), state.into(), generation.into(), members.into()]);
        }
        let columns = ["group", "topic", "partition", "committed", "lag"];
        let table = page.table("Offsets of groups", "Lag is counted in records.", &columns);
        for it in self.progress() {
            table.row([
                it.group.into(),
                it.topic.into(),
                it.partition.into(),
                it.committed_offset.into(),
                it.lag.into(),
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
