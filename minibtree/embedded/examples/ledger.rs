//! A ledger without a server: two threads that move money, and a sum that stays what it was.
//!
//! ```text
//! cargo run --release -p minibtree-embedded --example ledger -- DIR
//! ```

use minibtree_embedded::{Database, Result, code};
use std::thread;

const ACCOUNTS: i64 = 10;
const MOVES: i64 = 105;

fn main() -> Result<()> {
    let directory = std::env::args().nth(1).unwrap_or_else(|| {
        eprintln!("usage: ledger DIR");
        std::process::exit(2);
    });
    let database = Database::open(directory)?;
    let mut session = database.session();
    session.execute_all(
        "CREATE TABLE IF NOT EXISTS accounts (id bigint PRIMARY KEY, balance numeric NOT NULL);
         TRUNCATE accounts",
    )?;
    for id in 0..ACCOUNTS {
        session.execute("INSERT INTO accounts VALUES ($1, 100)", &[&id])?;
    }

    let movers = [3, 7].map(|step| {
        let database = database.clone();
        thread::spawn(move || move_money(&database, step))
    });
    for mover in movers {
        mover.join().expect("no panic")?;
    }

    session.for_each("SELECT id, balance FROM accounts ORDER BY id", &[], |row| {
        println!("{:>2} {:>8}", row.get::<i64>("id")?, row.get::<String>("balance")?);
        Ok(())
    })?;
    let rows = session.query("SELECT sum(balance) FROM accounts", &[])?;
    println!("   {:>8}", rows[0].get::<String>(0)?);
    Ok(())
}

/// Moves 0.25 from account to account. A transaction that loses a deadlock is tried again.
fn move_money(database: &Database, step: i64) -> Result<()> {
    let mut session = database.session();
    for number in 0..MOVES {
        let (from, to) = (number * step % ACCOUNTS, (number * step + step) % ACCOUNTS);
        loop {
            let moved = session.transaction(|transaction| {
                let sql = "UPDATE accounts SET balance = balance + $2 WHERE id = $1";
                transaction.execute(sql, &[&from, &"-0.25"])?;
                transaction.execute(sql, &[&to, &"0.25"])
            });
            match moved {
                Err(error) if error.code == code::DEADLOCK_DETECTED => {}
                Err(error) => return Err(error),
                Ok(_) => break,
            }
        }
    }
    Ok(())
}
