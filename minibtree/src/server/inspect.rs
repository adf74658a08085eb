//! What the admin endpoint shows: clients, the log, and every table with its indexes.
//!
//! ```text
//! GET /metrics   ─> minibtree_clients 8, minibtree_wal_bytes_total 123456
//! GET /          ─> tables with pages, indexes with pages and height
//! ```
//!
//! PostgreSQL's counterpart is the cumulative statistics system (`pg_stat_*`).

use super::Server;
use crate::engine::Isolation;
use crate::sql::catalog::Catalog;
use minikit::admin::{Exposition, Inspect, StatePage};

impl Inspect for Server {
    fn metrics(&self, out: &mut Exposition) {
        let counts = &self.sessions;
        out.gauge("minibtree_clients", "Clients connected.", counts.current());
        out.counter("minibtree_clients_accepted_total", "Clients let in.", counts.accepted());
        out.counter("minibtree_clients_refused_total", "Clients turned away.", counts.refused());
        let end = self.shared.database.wal_end().0;
        out.counter("minibtree_wal_bytes_total", "Bytes written to the log.", end);
        let cleaned = self.cleaned.lock();
        out.counter("minibtree_vacuums_total", "Tables vacuumed by the cleaner.", cleaned.vacuums);
        out.counter("minibtree_analyzes_total", "Tables analyzed by it.", cleaned.analyzes);
        out.counter("minibtree_dead_rows_total", "Dead rows removed by it.", cleaned.dead_rows);
    }

    fn state_page(&self) -> StatePage {
        let mut page = StatePage::new("minibtree");
        page.list("Server", "")
            .row(["clients".into(), self.sessions.current().into()])
            .row(["end of the log".into(), self.shared.database.wal_end().to_string().into()]);

        let database = &self.shared.database;
        let snapshot = database.begin(Isolation::ReadCommitted).snapshot();
        // If a table is being dropped, the read fails: show no tables. The next request will.
        let catalog = Catalog::load(database, &snapshot).unwrap_or_default();
        let columns = ["table", "heap pages", "index", "index pages", "height"];
        let tables = page.table("Tables", "The height is the pages that a lookup reads.", &columns);
        for table in catalog.tables() {
            let heap = u64::from(table.heap.pages());
            if table.indexes.is_empty() {
                let none = || "".into();
                tables.row([table.name.as_str().into(), heap.into(), none(), none(), none()]);
            }
            for it in &table.indexes {
                let (pages, height) = (it.index.pages(), it.index.height().unwrap_or(0));
                let (name, index) = (table.name.as_str().into(), it.name.as_str().into());
                let (pages, height) = (u64::from(pages).into(), u64::from(height).into());
                tables.row([name, heap.into(), index, pages, height]);
            }
        }
        page
    }

    fn healthy(&self) -> Result<(), String> {
        Ok(())
    }
}
