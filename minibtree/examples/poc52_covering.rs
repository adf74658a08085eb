//! POC 52: which columns belong into an index, in which order, and when is the table not read?
//!
//! `cargo run --release -p minibtree --example poc52_covering`
//!
//! One query through four indexes: on one column, on two in both orders, and with the column that
//! it returns. `--against HOST:PORT` does the same with a PostgreSQL.

mod common;

use common::Client;
use std::io;

const ROWS: usize = 20_000;
const EXPLAIN: &str = "analyze, buffers, costs off, timing off, summary off";
const QUERY: &str =
    "select amount from poc52_orders where customer = 42 and day >= 10 and day < 20";

fn main() -> io::Result<()> {
    print!("{}", run(&mut Client::from_arguments()?)?);
    Ok(())
}

fn run(client: &mut Client) -> io::Result<String> {
    // ANCHOR: table
    client.query("drop table if exists poc52_orders")?;
    client.query("create table poc52_orders (customer int, day int, amount int, note text)")?;
    client.query(&format!(
        "insert into poc52_orders select i % 100, i / 100 * 37 % 200, i, repeat('x', 100) \
         from generate_series(1, {ROWS}) as i"
    ))?;
    client.query("vacuum analyze poc52_orders")?;
    // ANCHOR_END: table

    let mut text = String::new();
    for columns in
        ["(customer)", "(day, customer)", "(customer, day)", "(customer, day) include (amount)"]
    {
        // ANCHOR: index
        client.query(&format!("create index poc52_index on poc52_orders {columns}"))?;
        let pages = &client.query("select pg_relation_size('poc52_index') / 8192")?[0][0];
        client.query(QUERY)?;
        let plan = client.explain(EXPLAIN, QUERY)?;
        client.query("drop index poc52_index")?;
        // ANCHOR_END: index
        text += &format!("index on {columns}, {pages} pages\n{plan}\n");
    }

    // ANCHOR: order
    client.query("create index poc52_index on poc52_orders (customer, day desc)")?;
    let latest = "select day from poc52_orders where customer = 42 order by day desc limit 1";
    text += &format!("the latest order of a customer\n{}\n", client.explain("costs off", latest)?);
    let of_day = "select customer from poc52_orders where day = 10";
    text += &format!("the second column alone\n{}\n", client.explain("costs off", of_day)?);
    client.query("drop index poc52_index")?;
    // ANCHOR_END: order

    // ANCHOR: visibility
    client.query("create index poc52_index on poc52_orders (customer, day) include (amount)")?;
    client.query("update poc52_orders set note = '' where customer = 42 and day < 15")?;
    text += &format!("after an update of another column\n{}\n", client.explain(EXPLAIN, QUERY)?);
    client.query("vacuum poc52_orders")?;
    client.query(QUERY)?;
    text += &format!("after a vacuum\n{}", client.explain(EXPLAIN, QUERY)?);
    // ANCHOR_END: visibility
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_is_the_recorded_one() {
        let mut client = Client::start().expect("the server starts");
        common::assert_recorded("poc52_covering", &run(&mut client).expect("the server answers"));
    }
}
