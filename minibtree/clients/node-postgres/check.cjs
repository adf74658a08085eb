// node-postgres: text throughout, named statements, a pool.
const assert = require('node:assert');
const { Client, Pool } = require('pg');

async function main() {
  const client = new Client();
  await client.connect();
  const query = (text, values) => client.query(text, values);

  await query('drop table if exists node_postgres');
  await query('create table node_postgres (i int primary key, b bool, l int8, s varchar(20))');
  const row = { i: 1, b: true, l: '9000000000', s: "x'y\\z" };
  const insert = 'insert into node_postgres values ($1, $2, $3, $4)';
  const inserted = await query(insert, Object.values(row));
  assert.strictEqual(inserted.rowCount, 1);
  const selected = await query('select * from node_postgres where i = $1', [1]);
  assert.deepStrictEqual(selected.rows, [row]);
  assert.ok(selected.fields.every((it, n) => it.tableID > 0 && it.columnID === n + 1));

  await query('insert into node_postgres (i, s) values ($1, $2)', [2, null]);
  assert.strictEqual((await query('select s from node_postgres where i = 2')).rows[0].s, null);
  const named = { name: 'by key', text: 'select s from node_postgres where i = $1' };
  for (let n = 0; n < 8; n++) {
    assert.strictEqual((await query({ ...named, values: [1] })).rows[0].s, row.s);
  }

  const among = 'select i from node_postgres where i = any($1) and s <> all($2)';
  assert.deepStrictEqual((await query(among, [[3, 1], ['a"b', '']])).rows, [{ i: 1 }]);
  assert.strictEqual((await query(among, [[], []])).rowCount, 0);

  await query('begin');
  await query('delete from node_postgres');
  await query('rollback');
  assert.strictEqual((await query('select count(*) from node_postgres')).rows[0].count, '2');
  await assert.rejects(query('insert into node_postgres (i) values (1)'), { code: '23505' });
  await client.end();

  const pool = new Pool({ max: 3 });
  const all = Array.from({ length: 20 }, (_, n) =>
    pool.query('insert into node_postgres (i) values ($1)', [n + 10]));
  await Promise.all(all);
  assert.strictEqual((await pool.query('select count(*) from node_postgres')).rows[0].count, '22');
  await pool.query('drop table node_postgres');
  await pool.end();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
