//! The relations of the catalog and their columns.
//!
//! ```text
//! pg_class        oid:oid relname:name relnamespace:oid=2200 .. relkind:char=r ..
//! a table's row   (16384, pgbench_tellers, 2200, .., r, ..)     what has no value of its own has
//!                                                               the one after the `=`, or NULL
//! ```
//!
//! Here are the relations and columns that psql 15 and drivers ask for. PostgreSQL's
//! `src/include/catalog/*.h`.

use minibtree_types::values::{Type, Value};
use std::sync::LazyLock;

/// A relation of the catalog.
pub struct Relation {
    /// What `pg_class.oid` has.
    pub oid: u32,
    /// Its name.
    pub name: &'static str,
    /// Its columns, with the values that rows have if they say nothing else.
    pub columns: Vec<(&'static str, Type, Value)>,
}

/// OIDs, names and columns.
const RELATIONS: &[(u32, &str, &str)] = &[
    (
        1259,
        "pg_class",
        "oid:oid relname:name relnamespace:oid=2200 reltype:oid=0 reloftype:oid=0 relowner:oid=10 \
         relam:oid=2 relfilenode:oid=0 reltablespace:oid=0 relpages:int4=0 reltuples:float4=-1 \
         relallvisible:int4=0 reltoastrelid:oid=0 relhasindex:bool=f relisshared:bool=f \
         relpersistence:char=p relkind:char=r relnatts:int2 relchecks:int2=0 relhasrules:bool=f \
         relhastriggers:bool=f relhassubclass:bool=f relrowsecurity:bool=f \
         relforcerowsecurity:bool=f relispopulated:bool=t relreplident:char=d \
         relispartition:bool=f relacl:_aclitem reloptions:_text relpartbound:text",
    ),
    (
        1249,
        "pg_attribute",
        "attrelid:oid attname:name atttypid:oid attstattarget:int4=-1 attlen:int2 attnum:int2 \
         attndims:int4=0 atttypmod:int4=-1 attstorage:char attcompression:char= attnotnull:bool=f \
         atthasdef:bool=f attidentity:char= attgenerated:char= attisdropped:bool=f \
         attislocal:bool=t attinhcount:int4=0 attcollation:oid=0 attacl:_aclitem \
         attoptions:_text",
    ),
    (
        1247,
        "pg_type",
        "oid:oid typname:name typnamespace:oid=11 typowner:oid=10 typlen:int2 typtype:char=b \
         typcategory:char typispreferred:bool typisdefined:bool=t typdelim:char=, typrelid:oid=0 \
         typelem:oid=0 typarray:oid=0 typnotnull:bool=f typbasetype:oid=0 typtypmod:int4=-1 \
         typndims:int4=0 typcollation:oid=0 typdefault:text",
    ),
    (
        2610,
        "pg_index",
        "indexrelid:oid indrelid:oid indnatts:int2 indnkeyatts:int2 indisunique:bool \
         indnullsnotdistinct:bool=f indisprimary:bool indisexclusion:bool=f indimmediate:bool=t \
         indisclustered:bool=f indisvalid:bool=t indisready:bool=t indislive:bool=t \
         indisreplident:bool=f indkey:int2vector indoption:int2vector indexprs:text indpred:text",
    ),
    (
        2606,
        "pg_constraint",
        "oid:oid conname:name connamespace:oid=2200 contype:char condeferrable:bool=f \
         condeferred:bool=f convalidated:bool=t conrelid:oid contypid:oid=0 conindid:oid=0 \
         conparentid:oid=0 confrelid:oid=0 confupdtype:char confdeltype:char confmatchtype:char \
         conislocal:bool=t coninhcount:int4=0 conkey:_int2 confkey:_int2",
    ),
    (2604, "pg_attrdef", "oid:oid adrelid:oid adnum:int2 adbin:text"),
    (2615, "pg_namespace", "oid:oid nspname:name nspowner:oid nspacl:_aclitem"),
    (2601, "pg_am", "oid:oid amname:name amtype:char"),
    (
        1262,
        "pg_database",
        "oid:oid datname:name datdba:oid=10 encoding:int4=6 datlocprovider:char=c \
         datistemplate:bool=f datallowconn:bool=t datconnlimit:int4=-1 dattablespace:oid=1663 \
         datcollate:text=C datctype:text=C daticulocale:text datacl:_aclitem",
    ),
    (
        12001,
        "pg_roles",
        "rolname:name rolsuper:bool=t rolinherit:bool=t rolcreaterole:bool=t rolcreatedb:bool=t \
         rolcanlogin:bool=t rolreplication:bool=t rolconnlimit:int4=-1 rolvaliduntil:timestamptz \
         rolbypassrls:bool=t rolconfig:_text oid:oid",
    ),
    (3456, "pg_collation", "oid:oid collname:name collnamespace:oid=11 collowner:oid=10"),
    (
        2224,
        "pg_sequence",
        "seqrelid:oid seqtypid:oid seqstart:int8=1 seqincrement:int8=1 seqmax:int8 seqmin:int8=1 \
         seqcache:int8=1 seqcycle:bool=f",
    ),
    (
        2608,
        "pg_depend",
        "classid:oid=1259 objid:oid objsubid:int4=0 refclassid:oid=1259 refobjid:oid \
         refobjsubid:int4 deptype:char",
    ),
    (
        1213,
        "pg_tablespace",
        "oid:oid spcname:name spcowner:oid=10 spcacl:_aclitem spcoptions:_text",
    ),
    // What there is none of.
    (2611, "pg_inherits", "inhrelid:oid inhparent:oid inhseqno:int4 inhdetachpending:bool"),
    (3350, "pg_partitioned_table", "partrelid:oid partstrat:char partnatts:int2"),
    (
        3256,
        "pg_policy",
        "oid:oid polname:name polrelid:oid polcmd:char polpermissive:bool polroles:_oid \
         polqual:text polwithcheck:text",
    ),
    (
        3381,
        "pg_statistic_ext",
        "oid:oid stxrelid:oid stxname:name stxnamespace:oid stxowner:oid stxstattarget:int4 \
         stxkind:_char",
    ),
    (6104, "pg_publication", "oid:oid pubname:name pubowner:oid puballtables:bool"),
    (6106, "pg_publication_rel", "oid:oid prpubid:oid prrelid:oid prqual:text prattrs:int2vector"),
    (6237, "pg_publication_namespace", "oid:oid pnpubid:oid pnnspid:oid"),
    (
        2620,
        "pg_trigger",
        "oid:oid tgrelid:oid tgparentid:oid tgname:name tgenabled:char tgisinternal:bool",
    ),
    (1261, "pg_auth_members", "roleid:oid member:oid grantor:oid admin_option:bool"),
    (3541, "pg_range", "rngtypid:oid rngsubtype:oid"),
    (3501, "pg_enum", "oid:oid enumtypid:oid enumsortorder:float4 enumlabel:name"),
    (2609, "pg_description", "objoid:oid classoid:oid objsubid:int4 description:text"),
];

static PARSED: LazyLock<Vec<Relation>> = LazyLock::new(|| {
    let column = |text: &'static str| {
        let (name, rest) = text.split_once(':').expect("a name and a type");
        let (base, value) = rest.split_once('=').map_or((rest, None), |(a, b)| (a, Some(b)));
        let base = Type::named(base).expect("a type that we have");
        let value = value.map(|it| base.parse(it).expect("a value of the type"));
        (name, base, value.unwrap_or(Value::Null))
    };
    let relation = |(oid, name, columns): &(u32, &'static str, &'static str)| Relation {
        oid: *oid,
        name,
        columns: columns.split_whitespace().map(column).collect(),
    };
    RELATIONS.iter().map(relation).collect()
});

/// The relations.
pub fn relations() -> &'static [Relation] {
    &PARSED
}

/// The relation of this name.
pub fn relation(name: &str) -> Option<&'static Relation> {
    relations().iter().find(|it| it.name == name)
}
