//! tokio-postgres: described statements, binary values, pipelining, COPY, portals in portions.

use futures_util::{SinkExt, pin_mut};
use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls};

type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];
type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let port = std::env::var("PGPORT")?.parse()?;
        let mut config = Config::new();
        config.host("127.0.0.1").port(port).user("postgres").dbname("postgres");
        config.password(std::env::var("PGPASSWORD")?);
        let (client, connection) = config.connect(NoTls).await?;
        let connection = tokio::spawn(connection);
        check(client).await?;
        Ok(connection.await??)
    })
}

async fn count(client: &Client) -> Result<i64> {
    Ok(client.query_one("select count(*) from tokio_postgres", &[]).await?.get(0))
}

async fn check(mut client: Client) -> Result<()> {
    client.batch_execute("drop table if exists tokio_postgres").await?;
    let columns = "(i int primary key, b bool, l int8, s varchar(20), m timestamp)";
    client.batch_execute(&format!("create table tokio_postgres {columns}")).await?;

    let moment: SystemTime = UNIX_EPOCH + Duration::from_millis(1_795_827_723_500);
    let insert = client.prepare("insert into tokio_postgres values ($1, $2, $3, $4, $5)").await?;
    let values = (1i32, true, 9_000_000_000i64, "x'y\\z");
    let (i, b, l, s) = values;
    assert_eq!(client.execute(&insert, &[&i, &b, &l, &s, &moment]).await?, 1);
    assert_eq!(client.execute(&insert, &[&2i32, &b, &l, &None::<&str>, &moment]).await?, 1);

    let select = client.prepare("select i, b, l, s, m from tokio_postgres where i = $1").await?;
    let row = client.query_one(&select, &[&1i32]).await?;
    assert_eq!((row.get(0), row.get(1), row.get(2), row.get::<_, &str>(3)), values);
    assert_eq!(row.get::<_, SystemTime>(4), moment);
    assert_eq!(client.query_one(&select, &[&2i32]).await?.get::<_, Option<&str>>(3), None);
    assert!(client.query_opt(&select, &[&3i32]).await?.is_none());

    let among = "select count(*) from tokio_postgres where i = any($1) and s <> all($2)";
    let among = client.prepare(among).await?;
    for (array, found) in [(vec![], 0i64), (vec![1i32], 1), (vec![2, 1, 3], 1)] {
        let row = client.query_one(&among, &[&array, &vec!["a,b", ""]]).await?;
        assert_eq!(row.get::<_, i64>(0), found, "{array:?}");
    }

    // Both are sent before the first answer is read.
    let (first, second): (Parameters, Parameters) = (&[&1i32], &[&2i32]);
    let (first, second) = (client.query(&select, first), client.query(&select, second));
    let (first, second) = futures_util::future::join(first, second).await;
    assert_eq!((first?.len(), second?.len()), (1, 1));

    let sink = client.copy_in("copy tokio_postgres (i, s) from stdin").await?;
    pin_mut!(sink);
    for number in 100..200 {
        sink.send(std::io::Cursor::new(format!("{number}\trow {number}\n").into_bytes())).await?;
    }
    assert_eq!(sink.finish().await?, 100);
    assert_eq!(count(&client).await?, 102);

    let transaction = client.transaction().await?;
    let portal = transaction.bind("select i from tokio_postgres", &[]).await?;
    let mut portions = Vec::new();
    while let rows @ 1.. = transaction.query_portal(&portal, 50).await?.len() {
        portions.push(rows);
    }
    assert_eq!(portions, [50, 50, 2]);
    transaction.execute("delete from tokio_postgres", &[]).await?;
    transaction.rollback().await?;
    assert_eq!(count(&client).await?, 102);

    let twice = client.execute("insert into tokio_postgres (i) values (1)", &[]).await;
    let error = twice.expect_err("a key twice");
    assert_eq!(error.code(), Some(&SqlState::UNIQUE_VIOLATION));
    client.batch_execute("drop table tokio_postgres").await?;
    Ok(())
}
