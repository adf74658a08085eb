//! COPY: inserts the client's lines as rows of a table, and sends the rows of a query as lines.
//!
//! `minibtree/copy` reads and writes the lines. PostgreSQL's `copyfrom.c` and `copyto.c`.

use super::Session;
use crate::engine::{LockMode, LockWait, Transaction};
use crate::sql::bind::{Binder, insert_write, target_columns};
use crate::sql::catalog::{Catalog, Table};
use crate::sql::execute::{Context, Cursor, Insertion};
use crate::sql::plan::Planned;
use crate::sql::statement::{Copy, Source};
use crate::sql::values::{Type, Value};
use crate::wire::{Format, Replies, Result, SqlError, code};
use minibtree_copy::{Decoder, Encoder, Fields, Options, shortened};
use minibtree_data_row::write_value;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// Begins a COPY of a query's rows to the client.
///
/// # Errors
/// Those of the query.
pub fn begin_out(
    session: &mut Session,
    copy: &Copy,
    cached: &RefCell<Rc<Planned>>,
    out: &mut Replies,
) -> Result<CopyOut> {
    let Source::Query(sql) = &copy.source else { unreachable!("only a query has a plan") };
    let planned = session.lock(sql, cached)?;
    let cursor = session.open(&planned, Vec::new(), false)?;
    CopyOut::new(cursor, &planned, copy.options.clone(), out)
}

/// Begins a COPY into a table, and asks the client for its lines.
///
/// # Errors
/// `42P01` or `42703`.
pub fn begin_in(session: &mut Session, copy: &Copy, out: &mut Replies) -> Result<()> {
    let Source::Table(name, columns) = &copy.source else { unreachable!("a query has a plan") };
    session.check_writable("COPY FROM")?;
    let table = loop {
        if !session.has_current_catalog() {
            session.refresh_catalog()?;
        }
        let table = Arc::clone(session.catalog.table(name)?);
        session.transaction()?.lock_relation(table.oid, LockMode::Share, LockWait::Block)?;
        if session.has_current_catalog() {
            break table;
        }
    };
    let context = session.context(&session.no_plan(), Vec::new())?;
    let copy = CopyIn::new(&session.catalog, table, columns, copy.options.clone(), context)?;
    out.copy(false, copy.columns());
    session.copy = Some(Box::new(copy));
    Ok(())
}

/// Inserts data of a COPY. Data without a COPY is the rest of one that failed: ignore it.
///
/// # Errors
/// Those of reading and inserting a line.
pub fn receive(session: &mut Session, data: &[u8]) -> Result<()> {
    let Some(mut copy) = session.copy.take() else { return Ok(()) };
    session.interrupt.check()?;
    copy.receive(data, session.transaction()?)?;
    session.copy = Some(copy);
    Ok(())
}

/// Ends a COPY and tells the client how many rows it had. Returns false if there is none.
///
/// # Errors
/// Those of the last line.
pub fn finish(session: &mut Session, out: &mut Replies) -> Result<bool> {
    let Some(copy) = session.copy.take() else { return Ok(false) };
    let rows = copy.finish(session.transaction()?)?;
    out.command_complete(&format!("COPY {rows}"));
    Ok(true)
}

/// Ends a COPY that the client gives up. Without one, it means one that has failed already.
///
/// # Errors
/// The given one, with the line that would have been read next.
pub fn fail(session: &mut Session, error: SqlError) -> Result<()> {
    let Some(CopyIn { table, decoder, .. }) = session.copy.take().map(|it| *it) else {
        return Ok(());
    };
    Err(error.context(|| format!("COPY {}, line {}", table.name, decoder.lines() + 1)))
}

/// A running COPY FROM.
pub struct CopyIn {
    table: Arc<Table>,
    /// The columns that a line has values for.
    positions: Vec<usize>,
    decoder: Decoder,
    /// What happens to each row.
    insertion: Insertion,
    /// The values of a line.
    values: Vec<Value>,
    rows: u64,
}

impl CopyIn {
    /// Begins.
    ///
    /// # Errors
    /// `42703` if a column does not exist.
    pub fn new(
        catalog: &Catalog,
        table: Arc<Table>,
        columns: &[String],
        options: Options,
        context: Context,
    ) -> Result<CopyIn> {
        let positions = target_columns(&table, columns)?;
        let names = positions.iter().map(|it| table.columns[*it].name.as_str());
        let decoder = Decoder::new(options, &names.collect::<Vec<_>>())?;
        let mut binder = Binder::new(catalog, &[]);
        let write = insert_write(&mut binder, &table, &positions)?;
        let insertion = Insertion::new(write, catalog.parents_of(&table), context);
        Ok(CopyIn { table, positions, decoder, insertion, values: Vec::new(), rows: 0 })
    }

    /// How many values a line has.
    pub fn columns(&self) -> usize {
        self.positions.len()
    }

    /// Inserts the complete lines of `data` and of what was left over before.
    ///
    /// # Errors
    /// `22P04` for a line with too few or too many values, and those of reading and inserting one.
    pub fn receive(&mut self, data: &[u8], transaction: &mut Transaction) -> Result<()> {
        self.read(transaction, |decoder, insert| decoder.receive(data, insert))
    }

    /// Inserts the last line if it has no end, and returns the number of rows.
    pub fn finish(mut self, transaction: &mut Transaction) -> Result<u64> {
        self.read(transaction, |decoder, insert| decoder.finish(insert))?;
        self.insertion.flush(transaction)?;
        Ok(self.rows)
    }

    /// Lets the decoder read, and inserts each line.
    fn read(
        &mut self,
        transaction: &mut Transaction,
        read: impl FnOnce(&mut Decoder, &mut dyn FnMut(Fields<'_>) -> Result<()>) -> Result<()>,
    ) -> Result<()> {
        let CopyIn { table, positions, decoder, insertion, values, rows } = self;
        let read = read(decoder, &mut |fields| {
            *rows += 1;
            let (line, text) = fields.line();
            insertion.line = line;
            let place = format_args!("COPY {}, line {line}", table.name);
            let read = read_values(table, positions, fields, values, place);
            let inserted = read.and_then(|()| insertion.insert(values, transaction));
            inserted.map_err(|error| match error.code {
                // This one is of any row that was gathered.
                code::FOREIGN_KEY_VIOLATION => error,
                _ => error.context(|| format!("{place}: \"{}\"", shortened(text))),
            })
        });
        read.map_err(|it| it.context(|| format!("COPY {}, line {}", table.name, decoder.lines())))
    }
}

/// Reads the values of a line as a row of the table. Columns that the line lacks are left alone.
fn read_values(
    table: &Table,
    positions: &[usize],
    mut fields: Fields<'_>,
    values: &mut Vec<Value>,
    place: std::fmt::Arguments<'_>,
) -> Result<()> {
    values.resize(table.columns.len(), Value::Null);
    let mut positions = positions.iter();
    while let Some(field) = fields.next() {
        let (field, Some(position)) = (field?, positions.next()) else { continue };
        let column_type = table.columns[*position].column_type;
        let mut value = field.as_deref().map_or(Ok(Value::Null), |it| column_type.base.parse(it));
        // Without a length or precision, every value of the type fits.
        if column_type.modifier >= 4 {
            value = value.and_then(|it| column_type.fit(it));
        }
        values[*position] = value.map_err(|error| {
            let (column, text) = (&table.columns[*position].name, field.unwrap_or_default());
            let shown = || format!("{place}, column {column}: \"{}\"", shortened(&text));
            fields.malformed().unwrap_or_else(|| error.context(shown))
        })?;
    }
    Ok(())
}

/// A running COPY TO.
pub struct CopyOut {
    pub cursor: Cursor,
    encoder: Encoder,
}

impl CopyOut {
    /// Begins: tells the client, and sends the header.
    pub fn new(
        cursor: Cursor,
        planned: &Planned,
        options: Options,
        out: &mut Replies,
    ) -> Result<CopyOut> {
        let Some(fields) = &planned.fields else {
            return Err(error!(FEATURE_NOT_SUPPORTED, "COPY query must have a RETURNING clause"));
        };
        let names = fields.iter().map(|it| it.name.as_str()).collect::<Vec<_>>();
        let encoder = Encoder::new(options, &names)?;
        out.copy(true, names.len());
        if let Some(header) = encoder.header() {
            out.copy_data(|data| data.extend_from_slice(&header));
        }
        Ok(CopyOut { cursor, encoder })
    }

    /// Writes a row as a line.
    pub fn write(&self, catalog: &Catalog, types: &[Type], values: &[Value], out: &mut Replies) {
        let mut text = Vec::new();
        out.copy_data(|data| {
            for (index, (base, value)) in types.iter().zip(values).enumerate() {
                let value =
                    write_value(|| catalog.objects(), *base, value, Format::Text, &mut text);
                self.encoder.field(index, value, data);
            }
            data.push(b'\n');
        });
    }
}
