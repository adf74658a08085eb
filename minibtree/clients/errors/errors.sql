-- Statements that fail, and a few that prepare for them, with all fields of the errors: SQLSTATE,
-- message, DETAIL, HINT, CONTEXT, the place in the statement, and the names of table, column and
-- constraint. `errors.out` is what PostgreSQL 15 answers.
\set VERBOSITY verbose
\set SHOW_CONTEXT errors
-- tables
create table parent (a int primary key, b text unique, c int, constraint pair unique (a, c));
create table child (id int primary key, p int references parent, q text constraint child_named references parent (b), r int check (r > 0), s varchar(5) not null, constraint sums check (r + id < 1000));
create unique index child_expr on child (lower(s));
create unique index child_part on child (r) where p is null;
create table wide (x numeric(5,2), y char(3), z date, u uuid, t timestamp, f float8, l bigint, m smallint, o bool, y2 bytea, ts timestamptz);
create table gen (id int generated always as identity, s serial, v text);
insert into parent values (1, 'one', 1), (2, 'two', 2);
insert into child values (1, 1, 'one', 5, 'abc');
insert into child values (20, null, null, 7, 'xyz');
-- 23505
insert into parent values (1, 'x', 1);
insert into parent values (3, 'one', 1);
insert into child values (2, 1, 'one', 6, 'ABC');
insert into child values (2, null, 'one', 7, 'def');
update parent set b = 'one' where a = 2;
update parent set a = 1 where a = 2;
insert into parent values (5, 'a', 1), (5, 'b', 1);
create unique index bad on child ((r + id)); 
insert into child values (3, 1, 'one', 3, 'q'); 
drop index bad;
create table dup (a int, b text);
insert into dup values (1, 'x'), (1, 'x'), (null, null);
create unique index dup_a on dup (a);
create unique index dup_ab on dup (a, b);
create unique index dup_expr on dup ((a + 1), lower(b));
alter table dup add unique (a);
alter table dup add constraint dup_c check (a > 1);
alter table dup add column d int not null;
alter table dup add column d int not null default null;
alter table dup add constraint dup_fk foreign key (a) references parent (c);
delete from dup where a is null;
alter table dup add constraint dup_fk foreign key (a) references parent (a);
alter table dup add primary key (a);
alter table dup add column e int primary key default 5;
alter table dup add column e int unique default 5;
alter table dup add column e int check (e > 6) default 5;
alter table dup add column e int references parent default 77;
insert into dup values (99, 'q');
alter table dup add constraint dup_fk2 foreign key (a) references parent;
-- 23503
insert into child values (4, 99, 'one', 1, 'm');
insert into child values (4, 1, 'nine', 1, 'm');
update child set p = 99;
delete from parent where a = 1;
update parent set a = 9 where a = 1;
update parent set b = 'z' where a = 1;
truncate parent;
drop table parent;
alter table parent drop constraint parent_pkey;
alter table parent drop column b;
alter table parent drop column a;
drop index parent_pkey;
alter table parent drop constraint nothere;
alter table parent drop column nothere;
alter table child add constraint sums check (r > 1);
alter table child add constraint child_pkey unique (r);
alter table parent add constraint pair check (a > 0);
alter table child add primary key (r);
-- 23502
insert into child values (null, 1, 'one', 1, 'm');
insert into child values (5, 1, 'one', 1, null);
insert into child (id) values (5);
insert into child values (5);
update child set s = null;
update child set id = null, s = null;
-- 23514
insert into child values (6, 1, 'one', -1, 'm');
insert into child values (996, 1, 'one', 5, 'm');
update child set r = 0 where id = 1;
update child set r = 2000 where id = 1;
insert into child values (6, 1, 'one', -1, 'abc') on conflict do nothing;
insert into child values (1, 1, 'one', 5, 'abc') on conflict (id) do update set r = -3;
insert into child values (1, 1, 'one', 5, 'abc') on conflict (id) do update set s = null;
insert into child values (1, 1, 'one', 5, 'abc') on conflict (id) do update set p = 44;
insert into child values (7, 1, 'one', 51, 'm7'), (7, 1, 'one', 51, 'm8') on conflict (id) do update set r = 52;
insert into child values (1, 1, 'one', 5, 'abc') on conflict (r) do nothing;
insert into child values (1, 1, 'one', 5, 'abc') on conflict on constraint nope do nothing;
insert into child values (1, 1, 'one', 5, 'abc') on conflict (id) do update set r = r;
insert into child values (1, 1, 'one', 5, 'abc') on conflict (id) do update set nope = 1;
-- length, range
insert into child values (6, 1, 'one', 5, 'abcdefgh');
insert into wide (x) values (12345.6);
insert into wide (y) values ('abcd');
insert into wide (m) values (40000);
insert into wide (m) values ('40000');
insert into wide (l) values (99999999999999999999);
insert into wide (l) values ('99999999999999999999');
insert into wide (z) values ('2020-13-45');
insert into wide (z) values ('nonsense');
insert into wide (z) values (5);
insert into wide (u) values ('xx');
insert into wide (t) values ('2020-01-01 25:00');
insert into wide (t) values ('zz');
insert into wide (f) values ('1e999');
insert into wide (f) values ('q');
insert into wide (o) values ('maybe');
insert into wide (o) values (1);
insert into wide (y2) values ('\xzz');
insert into wide (y2) values ('\x1');
insert into wide (ts) values ('2020-01-01 00:00 Nowhere/City');
insert into wide (x) values ('abc');
insert into wide (x, x) values (1, 2);
insert into wide (nope) values (1);
insert into wide values (1,2,3,4,5,6,7,8,9,10,11,12,13);
insert into wide (x, y) values (1);
insert into wide (x) values (1, 2);
insert into wide (x) values (1), (1, 2);
insert into wide select 1, 2;
insert into gen (id) values (1);
insert into gen values (1, 2, 'x');
update gen set id = 5;
insert into nowhere values (1);
update nowhere set a = 1;
update child set nope = 1;
update child set id = 1, id = 2;
update child set id = 'x';
update child set r = true;
delete from nowhere;
delete from child where nope = 1;
delete from child where id;
delete from child where id = 'x';
-- names
select nope from child;
select child.nope from child;
select c.id from child;
select child.id from child c;
select id from child, parent where a = nope;
select a from parent x, parent y;
select x.a from parent x, parent x;
select * from nowhere;
select *;
select t.* from child;
select lower(1, 2);
select length(5);
select abs('x'::text);
select sum('x'::text);
select sum(nope) from child;
select count() from child;
select count(*) from child where count(*) > 1;
select id from child group by r;
select id, count(*) from child;
select sum(sum(r)) from child;
select r from child order by 3;
select r from child order by nope;
select r from child group by 3;
select r from child group by nope;
select distinct r from child order by id;
select row_number() from child;
select row_number() over () from child where row_number() over () > 1;
select r from child limit -1;
select r from child offset -1;
select r from child limit 'x';
select r from child where r in (select r, s from child);
select r from child where r = (select r from child);
select (select r from child);
select r from child where exists (select nope);
select r from child where s > 5;
select r from child where s + 1 > 5;
select r || s from child where not s;
select r and true from child;
select not r from child;
select r from child where r like 'x';
select 1 + 'x';
select 1 + true;
select 'a' + 'b';
select 1 = 'x';
select true = 1;
select s = 5 from child;
select now() + 1;
select 'x'::int;
select '5.5'::int;
select ''::int;
select 'x'::numeric;
select 'x'::bool;
select 'x'::date;
select 'x'::timestamp;
select 'x'::uuid;
select '12'::int2 + 32767::int2;
select 100000::int2;
select 1e10::int;
select 1e30::bigint;
select 2147483647 + 1;
select 9223372036854775807 + 1;
select -9223372036854775808 / -1;
select 1 / 0;
select 1 % 0;
select 1.0 / 0;
select 1::float8 / 0;
select sqrt(-1);
select ln(0);
select ln(-1);
select power(0, -1);
select power(-1, 0.5);
select exp(1000);
select 10::numeric ^ 200000;
select substring('x', 1, -1);
select chr(0);
select chr(-1);
select repeat('x', 2000000000);
select true::date;
select 1::bool, 5::date;
select now()::int;
select case when 1 then 2 end;
select case 1 when 'x' then 2 end;
select case when true then 1 else 'x' end;
select case when r > 0 then 1 else s end from child;
select coalesce(1, 'x');
select coalesce(r, s) from child;
select nullif(1, 'x');
select greatest(1, 'x');
select 1 in ('x');
select 1 in (true);
select 1 between 'x' and 2;
select $0;
select 1 from;
select from where;
selec 1;
select 1 1;
insert into child;
insert into child values;
insert into child values ();
update child;
update child set;
create table;
create table x;
create table x (a int, a int);
create table x (a int references nowhere);
create table x (a int references parent (nope));
create table x (a int references parent (c));
create table x (a text references parent);
create table x (a int, b int, foreign key (a, b) references parent);
create table x (a int, b int, foreign key (a) references parent (a, c));
create table x (a int check (nope > 1));
create table x (a int check (a));
create table x (a int check (sum(a) > 1));
create table x (a int default 'x');
create table x (a int default sum(1));
create table x (a int constraint k unique, b int constraint k unique);
create table child (a int);
create table if not exists child (a int);
create table child_pkey (a int);
create index child_expr on child (r);
create index if not exists child_expr on child (r);
create index on nowhere (a);
create index on child (nope);
create index on child using hash (r, p);
create unique index on child using hash (r);
create index on child (now());
create index on child (sum(r));
create index on child (r) where nope;
create index on child (r) where r;
create index on child (r) include (nope);
drop table nowhere;
drop table if exists nowhere;
drop index nowhere;
drop index if exists nowhere;
drop index child_pkey;
drop table child, nowhere;
alter table nowhere add x int;
alter table child add id int;
alter table child add column if not exists id int;
alter table child drop constraint if exists nope;
alter table child drop column if exists nope;
alter table child add foreign key (nope) references parent;
alter table child add foreign key (p) references nowhere;
alter table child add unique (nope);
alter table child add check (r > 100);
truncate nowhere;
copy child (id, id) to stdout;
copy child to stdout (delimiter 'xx');
copy child to stdout (format csv, quote 'xx');
copy (select nope) to stdout;
copy child from stdin;
x
\.
copy child from stdin;
8	1	one	5	abcd	too much
\.
copy child from stdin;
8	1	one	five	abcd
\.
copy child from stdin;
8	1	one	5	abcdefghijk
\.
copy child from stdin;
1	1	one	5	abcd
\.
copy child from stdin;
8	1	one	-5	abcd
\.
copy child from stdin;
8	99	one	5	abcd
\.
copy child from stdin;
8	1	one	5	\N
\.
copy child from stdin;
9	1	one	5	abcd
8	1	one	5	\N
\.
copy child (id, r) from stdin;
8
\.
copy child from stdin csv;
8,1,one,5,"abc
\.
copy parent from stdin csv;
8,"bbb"x,z
\.
copy parent from stdin csv;
"a
b",c,d
\.
copy parent from stdin csv;
8,b
\.
-- cursors, transactions, statements
fetch c;
close c;
move c;
declare c cursor for select 1;
begin;
declare c cursor for select 1;
declare c cursor for select 1;
rollback;
begin;
declare c cursor for select nope;
rollback;
begin;
declare c no scroll cursor for select 1;
fetch backward 1 from c;
rollback;
begin;
rollback;
begin;
select 1/0;
select 1;
savepoint x;
rollback to x;
rollback;
savepoint x;
rollback to x;
release x;
begin;
rollback to x;
rollback;
begin;
release x;
rollback;
commit;
rollback;
begin;
begin;
rollback;
begin;
vacuum child;
rollback;
prepare p as select 1;
prepare p as select 2;
execute nope;
execute p (1);
deallocate nope;
prepare q (int) as select $1;
execute q;
execute q ('x');
execute q (true);
execute q (nope);
prepare r as select nope;
prepare s as select $1 + $2 + 'x';
prepare t as select $1;
prepare v as selec;
deallocate all;
set nope = 1;
set statement_timeout = 'x';
set work_mem = 1;
set enable_seqscan = 'nope';
show nope;
reset nope;
vacuum nowhere;
analyze nowhere;
reindex table nowhere;
reindex index nowhere;
reindex index child;
reindex table child_pkey;
explain select nope;
explain (timing) select 1;
select * from generate_series(1, 10, 0);
select * from generate_series(1, 'x');
select nextval('nowhere');
select nextval('child');
select 'nowhere'::regclass;
select pg_relation_size('nowhere');
select count(*) from child for update;
select distinct r from child for update;
select r from child group by r for update;
select r from child where r = any(5);
select r from child where r = any('{x}');
select r from child where r = any('{1');
select '{1,2'::int[];
select '{a}'::int[];
with c as (select nope) select 1;
select * from parent join child on a = nope;
select * from parent join child on a;
select * from parent join child using (nope);
select * from parent join child using (a);
select * from parent p join child c on x.a = 1;
select a as x from parent where x = 1;
select sum(a) filter (where nope) from parent;
select sum(distinct) from parent;
select string_agg(b) from parent;
select string_agg(b, 1) from parent;
select bool_and(a) from parent;
select upper(a) from parent;
select date_trunc('nope', now());
select extract(nope from now());
select extract(hour from date '2020-01-01');
select 'a' like 'b' escape 'xx';
select 'a' 'b';
select @1;
select 1 @@ 2;
values (1), (1, 2);
values (1), ('x');
create schema nope2 nope;
-- more
update child set r = id / 0;
select * from child order by id / 0;
insert into child select * from child;
insert into parent (a) select 's';
insert into parent (a) values ('s'), (1);
insert into parent (a) values (default), (1);
insert into parent default values;
insert into parent (a) values (1) returning nope;
update parent set a = 1 returning nope;
delete from parent using nowhere where a = 1;
delete from parent using child where nope = 1;
update parent set a = 1 from nowhere;
update parent set a = id from child where b = r;
\set VERBOSITY terse
drop table child, parent, dup, wide, gen;
