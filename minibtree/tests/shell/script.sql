-- What `minibtree sql` prints for this is what psql 15 prints.
set timezone = 'UTC';
create table t (id int primary key, name text, price numeric(8, 2), day date, ok bool, note varchar(20));
insert into t values (1, 'tea', 1.5, '2024-02-29', true, null), (20, 'coffee', 12.25, null, false, ''),
    (300, null, -0.5, '1999-12-31', null, 'a note');
select * from t order by id;
select id, name from t where false;
select name from t where id = 1; select count(*), sum(price), avg(id) from t;
select 1 as a, 'x' as "a long name", 2.50 as "N";
-- Comments; with semicolons.
select /* one; /* two; */ */ 'a;b' as "c;d", $$e;f$$, $x$g;$$;h$x$ -- the end;
;
select 'it''s', e'a\'b;';
select (2
* 3);
select e'two\nlines' as v, 1 as n, e'x\n\ny' as w;
select e'tab\there', e'bell\x07', e'cr\rx', e'a\ttab\tb';
select 'ä日本' as wide, 'é' as "überschrift", '😀' as face;
select null, 'not null', null::int;
select 1.5::float8, 2::int2, 3::int8, 'x'::name, 'y'::char(3), 'z'::"char", 7::oid, '\x00ff'::bytea;
select '5'::regclass, 't'::regclass::oid > 0 as "is it";
select timestamp '2024-02-29 12:00:00', timestamptz '2024-02-29 12:00:00.5+02', true, false;
insert into t (id, name) values (4, 'water') returning id, name;
insert into t (id, name) values (4, 'again');
update t set price = price * 2 where id < 100 returning id, price;
update t set note = 'x' where id > 1000;
delete from t where id = 4 returning *;
delete from t where id = 4;
select nothing from t;
select id,
       name,
	   nothing
from t;
select id, name, price, day, ok, note, id + 1, id + 2, id + 3, id + 4, missing, id + 5, id + 6, id + 7 from t;
select 'äöü日本語', missing from t;
selec 1;
select from where;
select 1 / (id - 1) from t;
insert into nowhere values (1);
create table t (id int);
drop table nowhere;
drop table if exists nowhere;
begin;
commit;
begin;
select 1 / 0;
select 1;
rollback;
commit;
savepoint s;
begin;
savepoint s;
insert into t (id) values (5);
rollback to s;
release s;
end;
create index t_name on t (name);
explain (costs off) select * from t where note = 'x';
show work_mem;
set work_mem = '8MB';
prepare p (int) as select name from t where id = $1;
execute p (1);
deallocate p;
begin;
declare c cursor for select id from t order by id;
fetch 2 from c;
fetch 2 from c;
fetch 2 from c;
close c;
commit;
copy t (id, name) from stdin;
6	six
7	\N
\.
copy (select id, name from t order by id) to stdout;
values (1, 'one'), (2, 'two');
select id from t group by id having id > 5 order by 1 desc;
truncate t;
drop table t;
;;
select 'the last one has no semicolon'
