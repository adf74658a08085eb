//! The admin endpoint of a broker: metrics for Prometheus, health, and the state page.
//!
//! ```text
//! minilog_partition_high_watermark{topic="orders",partition="0"} 42
//! minilog_group_lag{group="billing",topic="orders",partition="0"} 7
//! minilog_work_total{work="Produce"} 1204
//! minilog_work_microseconds_total{work="Produce"} 48160       40 µs each
//! minilog_work_in_progress{work="Fetch"} 3                    three consumers wait for records
//! ```
//!
//! Reading them locks partitions in turn, each for less than a microsecond, so the values are not
//! from one instant. Prometheus computes rates and mean latencies; there are no percentiles.
//!
//! Kafka counterpart: the JMX beans `kafka.log:type=Log`, `kafka.network:type=RequestMetrics` and
//! `kafka.server:type=DelayedOperationPurgatory`. Kafka's broker does not know the lag of a group;
//! people run an exporter that asks for both offsets.

use super::Server;
use crate::engine::group::group::Group;
use crate::handlers::group_admin::state_name;
use crate::wire::APIS;
use minikit::admin::{Exposition, Inspect, StatePage};

/// A table of the state page. Some of its columns are also metrics.
struct Table {
    title: &'static str,
    note: &'static str,
    /// The columns that identify a row, which are the labels of its metrics.
    labels: &'static [&'static str],
    columns: &'static [Column],
    /// For each row, the values of `labels` and those of `columns`.
    rows: Vec<(Vec<String>, Vec<i64>)>,
}

/// A column's title, the name of its metric (empty if it has none), and the metric's help text.
type Column = (&'static str, &'static str, &'static str);

impl Server {
    fn tables(&self) -> [Table; 4] {
        [self.partitions(), self.groups(), self.progress(), self.work()]
    }

    fn partitions(&self) -> Table {
        let catalog = self.broker.topics.catalog();
        let rows = catalog.partitions().map(|(topic, number, it)| {
            let end = it.high_watermark();
            let values = it.with_log(|log| {
                let (start, durable) = (log.log_start_offset, log.recovery_point);
                let (segments, producers) = (log.segments().count(), log.producers.count());
                vec![start, end, durable, log.size() as i64, segments as i64, producers as i64]
            });
            (vec![topic.name.clone(), number.to_string()], values)
        });
        Table {
            title: "Partitions",
            note: "Records from start to end can be read; those from durable on are in the page \
                   cache only.",
            labels: &["topic", "partition"],
            columns: &[
                ("start", "minilog_partition_log_start_offset", "First offset that can be read."),
                ("end", "minilog_partition_high_watermark", "First offset that cannot be read."),
                ("durable", "minilog_partition_recovery_point", "Everything below it is durable."),
                ("bytes", "minilog_partition_size_bytes", "Bytes of all segments."),
                ("segments", "", ""),
                ("producers", "", ""),
            ],
            rows: rows.collect(),
        }
    }

    fn groups(&self) -> Table {
        let row = |it: &Group| {
            let labels = vec![it.id.clone(), state_name(&it.state).to_owned()];
            (labels, vec![it.members.len() as i64, it.generation.into()])
        };
        Table {
            title: "Groups",
            note: "Consumer groups, as `kafka-consumer-groups`.",
            labels: &["group", "state"],
            columns: &[
                ("members", "minilog_group_members", "Members of the group."),
                ("generation", "", ""),
            ],
            rows: self.broker.groups.with(|it| it.groups().map(row).collect()),
        }
    }

    /// How far the groups have read their partitions.
    fn progress(&self) -> Table {
        let catalog = self.broker.topics.catalog();
        // A deleted partition has no unread records: its lag is 0.
        let high_watermark = |topic: &str, partition: i32| {
            let topic = catalog.by_name(topic)?;
            Some(topic.partitions.get(partition as usize)?.high_watermark())
        };
        let of_group = |group: &Group| {
            let rows = group.offsets.iter().map(|(topic, partition, it)| {
                let lag = high_watermark(topic, partition).map_or(0, |end| end - it.offset);
                let labels = vec![group.id.clone(), topic.to_owned(), partition.to_string()];
                (labels, vec![it.offset, lag.max(0)])
            });
            rows.collect::<Vec<_>>()
        };
        Table {
            title: "Offsets of groups",
            note: "Lag is counted in records.",
            labels: &["group", "topic", "partition"],
            columns: &[
                ("committed", "minilog_group_committed_offset", "The next record to read."),
                ("lag", "minilog_group_lag", "Records that the group has not read yet."),
            ],
            rows: self.broker.groups.with(|it| it.groups().flat_map(of_group).collect()),
        }
    }

    /// The number and total time of requests and flushes so far.
    fn work(&self) -> Table {
        let requests = APIS.iter().map(|it| it.name).zip(&self.requests);
        let all = requests.chain([("Flush", &self.broker.topics.flushes)]);
        Table {
            title: "Requests, and flushes of a partition",
            note: "Fetch requests in progress wait for records, JoinGroup requests for other \
                   members, Produce requests for a flush.",
            labels: &["work"],
            columns: &[
                ("done", "minilog_work_total", "Requests answered, or partitions flushed."),
                ("microseconds", "minilog_work_microseconds_total", "Their total duration."),
                ("in progress", "minilog_work_in_progress", "Requests running or waiting."),
            ],
            rows: all.map(|(name, it)| (vec![name.to_owned()], it.values())).collect(),
        }
    }
}

impl Inspect for Server {
    fn metrics(&self, out: &mut Exposition) {
        let connections = &self.connections;
        out.gauge("minilog_connections", "Clients connected.", connections.current());
        let help = "Clients accepted.";
        out.counter("minilog_connections_accepted_total", help, connections.accepted());
        let help = "Clients refused because of --max-connections.";
        out.counter("minilog_connections_refused_total", help, connections.refused());

        for table in self.tables() {
            let columns = table.columns.iter().enumerate();
            for (index, (_, metric, help)) in columns.filter(|(_, it)| !it.1.is_empty()) {
                let mut family = match metric.ends_with("_total") {
                    true => out.counters(metric, help),
                    false => out.gauges(metric, help),
                };
                for (labels, values) in &table.rows {
                    let labels = labels.iter().map(String::as_str);
                    let labels = table.labels.iter().copied().zip(labels).collect::<Vec<_>>();
                    family.sample(&labels, values[index]);
                }
            }
        }
    }

    fn state_page(&self) -> StatePage {
        let mut page = StatePage::new("minilog");
        let connections = &self.connections;
        page.list("Connections", "")
            .row(["connected".into(), connections.current().into()])
            .row(["limit".into(), self.connections_max.into()]);

        for table in self.tables() {
            let columns = table.columns.iter().map(|(column, ..)| *column);
            let columns = table.labels.iter().copied().chain(columns).collect::<Vec<_>>();
            let section = page.table(table.title, table.note, &columns);
            for (labels, values) in table.rows {
                let values = values.into_iter().map(|it| it.into());
                section.row(labels.into_iter().map(|it| it.into()).chain(values));
            }
        }
        page
    }

    /// Healthy while the lock of every partition can be taken.
    fn healthy(&self) -> Result<(), String> {
        self.partitions();
        Ok(())
    }
}
