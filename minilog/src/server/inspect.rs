//! What the admin endpoint shows of a broker: metrics for Prometheus, health, and the state page.
//!
//! ```text
//! minilog_partition_high_watermark{topic="orders",partition="0"} 42
//! minilog_group_lag{group="billing",topic="orders",partition="0"} 7
//! minilog_work_total{work="Produce"} 1204
//! minilog_work_microseconds_total{work="Produce"} 48160       40 µs each
//! minilog_work_in_progress{work="Fetch"} 3                    three consumers wait for records
//! ```
//!
//! Reading them takes the lock of each partition in turn, for less than a microsecond, so they are
//! not of one instant. Prometheus computes rates and mean latencies; there are no percentiles.
//!
//! Kafka counterpart: the JMX beans `kafka.log:type=Log`, `kafka.network:type=RequestMetrics` and
//! `kafka.server:type=DelayedOperationPurgatory`. Kafka's broker does not know the lag of a group;
//! people run an exporter that asks for both offsets.

use super::Server;
use crate::engine::group::group::Group;
use crate::handlers::group_admin::state_name;
use crate::wire::APIS;
use minikit::admin::{Exposition, Inspect, StatePage};

/// A table of the state page, of whose columns some are metrics.
struct Table {
    title: &'static str,
    note: &'static str,
    /// What the rows are told apart by.
    labels: &'static [&'static str],
    columns: &'static [Column],
    /// The values of the labels and of the columns.
    rows: Vec<(Vec<String>, Vec<i64>)>,
}

/// A column, its metric if it has one, and what the metric says.
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
        // A partition that is gone has no records that are not read.
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

    /// What requests and flushes have cost so far.
    fn work(&self) -> Table {
        let requests = APIS.iter().map(|it| it.name).zip(&self.requests);
        let all = requests.chain([("Flush", &self.broker.topics.flushes)]);
        Table {
            title: "Requests, and flushes of a partition",
            note: "Fetches in progress wait for records, JoinGroups for other members, Produces \
                   for a flush.",
            labels: &["work"],
            columns: &[
                ("done", "minilog_work_total", "Requests answered, partitions flushed."),
                ("microseconds", "minilog_work_microseconds_total", "How long they took."),
                ("in progress", "minilog_work_in_progress", "Those that run or wait."),
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
        let help = "Clients refused, because there were too many.";
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

    /// Healthy as long as the locks of all partitions can be taken.
    fn healthy(&self) -> Result<(), String> {
        self.partitions();
        Ok(())
    }
}
