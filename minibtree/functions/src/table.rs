//! What a function is, and which one a call means.
//!
//! PostgreSQL's `pg_proc`, `pg_operator`, and `func_select_candidate` in `parse_func.c`, whose
//! steps are numbered here as in its documentation ("Operator Type Resolution").

use crate::aggregates::is_aggregate;
use crate::casts::is_implicit;
use crate::{bytes, catalog, dates, floats, numbers, operators, strings, variadic};
use minibtree_numeric::special;
use minibtree_types::error::{Result, SqlError};
use minibtree_types::values::{Category, Type, Value};
use minibtree_types::{error, unsupported};
use std::collections::HashMap;
use std::sync::LazyLock;

/// A function or operator for arguments of certain types.
pub struct Function {
    /// Its name, or the operator.
    pub name: &'static str,
    /// The types that arguments are cast to.
    pub arguments: Vec<Type>,
    /// The type of the result.
    pub result: Type,
    /// Is called with NULLs. Others return NULL for a NULL without being called.
    pub takes_nulls: bool,
    /// Takes more arguments of the type of the last one.
    pub is_variadic: bool,
    /// How it is called.
    pub call: Call,
}

/// How a function is called.
#[derive(Clone, Copy)]
pub enum Call {
    /// Its value depends on the arguments alone.
    Pure(Pure),
    /// It asks the database, so minibtree computes it.
    System(SystemCall),
}

/// A function that asks nothing but its arguments.
#[derive(Clone, Copy)]
pub struct Pure {
    name: &'static str,
    takes_numerics: bool,
    compute: fn(&[Value]) -> Result<Value>,
}

impl Pure {
    /// Its value. The arguments have the types of the function.
    ///
    /// # Errors
    /// Those of the function.
    pub fn call(self, arguments: &[Value]) -> Result<Value> {
        let is_special = |it: &Value| matches!(it, Value::Float(_));
        match self.takes_numerics && arguments.iter().any(is_special) {
            true => special(self.name, arguments),
            false => (self.compute)(arguments),
        }
    }
}

/// What a function asks the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemCall {
    /// The next number of a sequence.
    NextValue,
    /// The end of the log.
    WalEnd,
    /// Bytes of a table's heap, or of an index, and of the indexes of a table.
    Size {
        /// The heap is counted.
        heap: bool,
        /// The indexes are counted.
        indexes: bool,
    },
    /// Something that the catalog says.
    Catalog(CatalogCall),
}

/// What a function asks the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CatalogCall {
    /// The OID of the relation of this name, or NULL.
    ToRegclass,
    /// The OID of the type of this name, or NULL.
    ToRegtype,
    /// A constraint as SQL.
    ConstraintDefinition,
    /// An index as SQL, or one of its columns.
    IndexDefinition,
    /// An expression as SQL.
    Expression,
    /// Returns true if the relation exists.
    TableIsVisible,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Function) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Function {}

pub fn function(
    name: &'static str,
    arguments: &[Type],
    result: Type,
    compute: fn(&[Value]) -> Result<Value>,
) -> Function {
    let takes_numerics = arguments.contains(&Type::Numeric);
    let call = Call::Pure(Pure { name, takes_numerics, compute });
    let arguments = arguments.to_vec();
    Function { name, arguments, result, takes_nulls: false, is_variadic: false, call }
}

static TABLE: LazyLock<HashMap<&'static str, Vec<Function>>> = LazyLock::new(|| {
    let mut table = HashMap::<&str, Vec<Function>>::new();
    let rows = [
        operators::rows(),
        numbers::rows(),
        floats::rows(),
        strings::rows(),
        bytes::rows(),
        dates::rows(),
        catalog::rows(),
        variadic::rows(),
    ];
    for row in rows.into_iter().flatten() {
        table.entry(row.name).or_default().push(row);
    }
    table
});

/// What a search found.
pub enum Found {
    /// This one.
    One(&'static Function),
    /// The name, but not for these types.
    None,
    /// Several that fit equally well.
    Several,
}

/// The error of a call for which there is no function. An unknown name is refused as unsupported:
/// PostgreSQL has thousands that minibtree lacks. A known one with other types is an error there
/// too, except for `bytea`, `name` and arrays.
pub fn undefined_function(name: &str, types: &[Type]) -> SqlError {
    let names: Vec<&str> = types.iter().map(|it| it.name()).collect();
    let call = format!("{name}({})", names.join(", "));
    let is_known = TABLE.contains_key(name) || is_aggregate(name);
    let has_more = |it: &Type| matches!(it, Type::Bytea | Type::Name) || it.element().is_some();
    if !is_known || types.iter().any(has_more) {
        return unsupported!("the function {call}");
    }
    let hint = "No function matches the given name and argument types. You might need to add \
                explicit type casts.";
    error!(UNDEFINED_FUNCTION, "function {call} does not exist").hint(hint)
}

/// The function of this name for arguments of these types.
pub fn find(name: &str, types: &[Type]) -> Found {
    let Some(rows) = TABLE.get(name) else { return Found::None };
    let takes_rest = |row: &&Function| row.is_variadic && row.arguments.len() <= types.len();
    match rows.iter().find(|row| row.arguments == types || takes_rest(row)) {
        Some(row) => Found::One(row),
        None => select(rows.iter().filter(|row| row.takes(types)).collect(), types),
    }
}

/// Returns true for the name of a function that takes any number of texts.
pub fn is_variadic(name: &str) -> bool {
    TABLE.get(name).is_some_and(|rows| rows[0].is_variadic)
}

/// The operator of this name. `types` are those of one or two operands.
pub fn find_operator(name: &str, types: &[Type]) -> Found {
    let Some(rows) = TABLE.get(name) else { return Found::None };
    // 2.a. An operand of unknown type is taken for one of the other's type.
    let known = types.iter().copied().find(|it| *it != Type::Unknown);
    let assumed: Vec<Type> = types
        .iter()
        .map(|it| if *it == Type::Unknown { known.unwrap_or(*it) } else { *it })
        .collect();
    match rows.iter().find(|row| row.arguments == assumed) {
        Some(row) => Found::One(row),
        None => select(rows.iter().filter(|row| row.takes(types)).collect(), types),
    }
}

impl Function {
    /// Returns true if arguments of these types can be converted without being asked to.
    fn takes(&self, types: &[Type]) -> bool {
        let converts =
            |(from, to): (&Type, &Type)| *from == Type::Unknown || is_implicit(*from, *to);
        types.len() == self.arguments.len() && types.iter().zip(&self.arguments).all(converts)
    }

    /// Returns true if its value can be another one for the same arguments.
    pub fn is_volatile(&self) -> bool {
        match self.call {
            Call::Pure(_) | Call::System(SystemCall::Catalog(_)) => false,
            Call::System(_) => true,
        }
    }
}

/// Chooses among functions that take the types.
fn select(mut rows: Vec<&'static Function>, types: &[Type]) -> Found {
    // 3.c and 3.d. Those with the most exact matches, then the most preferred types.
    let exact = |row: &Function, index: usize| row.arguments[index] == types[index];
    let preferred = |row: &Function, index: usize| {
        let to = row.arguments[index];
        exact(row, index) || to.is_preferred() && to.category() == types[index].category()
    };
    let known: Vec<usize> =
        (0..types.len()).filter(|index| types[*index] != Type::Unknown).collect();
    keep_best(&mut rows, |row| known.iter().filter(|index| exact(row, **index)).count());
    keep_best(&mut rows, |row| known.iter().filter(|index| preferred(row, **index)).count());
    if let [one] = rows[..] {
        return Found::One(one);
    }

    // 3.e. For arguments of unknown type: text if any takes it, else what all have in common.
    for index in (0..types.len()).filter(|index| types[*index] == Type::Unknown) {
        let categories: Vec<Category> =
            rows.iter().map(|row| row.arguments[index].category()).collect();
        let Some(first) = categories.first() else { return Found::None };
        let category = match categories.contains(&Category::String) {
            true => Category::String,
            false if categories.iter().all(|it| it == first) => *first,
            false => return Found::Several,
        };
        rows.retain(|row| row.arguments[index].category() == category);
        let is_preferred = |row: &&Function| row.arguments[index].is_preferred();
        if rows.iter().any(is_preferred) {
            rows.retain(is_preferred);
        }
    }
    if let [one] = rows[..] {
        return Found::One(one);
    }

    // 3.f. Unknown arguments are of the type of the known ones, if those have one type.
    let mut of_known = known.iter().map(|index| types[*index]);
    if let Some(first) = of_known.next()
        && of_known.all(|it| it == first)
    {
        rows.retain(|row| (0..types.len()).all(|index| row.arguments[index] == first));
    }
    match rows[..] {
        [] => Found::None,
        [one] => Found::One(one),
        _ => Found::Several,
    }
}

fn keep_best(rows: &mut Vec<&'static Function>, score: impl Fn(&Function) -> usize) {
    let best = rows.iter().map(|row| score(row)).max().unwrap_or(0);
    rows.retain(|row| score(row) == best);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_rows_take_the_same_arguments() {
        for (name, rows) in TABLE.iter() {
            for (index, row) in rows.iter().enumerate() {
                let is_same = |it: &Function| it.arguments == row.arguments;
                assert!(!rows[..index].iter().any(is_same), "{name} {:?}", row.arguments);
            }
        }
    }

    /// All functions of numerics, with a special value in each place and others beside it.
    #[test]
    fn no_function_takes_a_special_numeric_for_a_decimal() {
        let values = ["NaN", "Infinity", "-Infinity", "-1.5", "0", "1", "2"];
        let values = values.map(|it| Type::Numeric.parse(it).expect(it));
        for row in TABLE.values().flatten().filter(|it| it.arguments.contains(&Type::Numeric)) {
            let Call::Pure(call) = row.call else { panic!("{} asks the database", row.name) };
            if crate::Comparison::named(row.name).is_some() {
                continue;
            }
            for number in 0..values.len().pow(row.arguments.len() as u32) {
                let value = |(place, base): (usize, &Type)| match base {
                    Type::Numeric => {
                        values[number / values.len().pow(place as u32) % values.len()].clone()
                    }
                    _ => Value::Int(3),
                };
                let arguments: Vec<Value> = row.arguments.iter().enumerate().map(value).collect();
                let _ = call.call(&arguments);
            }
        }
    }

    #[test]
    fn operators_are_found_as_postgresql_finds_them() {
        use Type::*;

        for (name, types, found) in [
            ("+", &[Int4, Int4][..], Some((vec![Int4, Int4], Int4))),
            ("+", &[Int2, Int8], Some((vec![Int2, Int8], Int8))),
            ("+", &[Int4, Numeric], Some((vec![Numeric, Numeric], Numeric))),
            ("+", &[Numeric, Float8], Some((vec![Float8, Float8], Float8))),
            ("+", &[Unknown, Int8], Some((vec![Int8, Int8], Int8))),
            ("+", &[Date, Int4], Some((vec![Date, Int4], Date))),
            ("+", &[Bool, Int4], None),
            ("=", &[Varchar, Unknown], Some((vec![Text, Text], Bool))),
            ("=", &[Bpchar, Text], Some((vec![Text, Text], Bool))),
            ("=", &[Date, TimestampTz], Some((vec![Date, TimestampTz], Bool))),
            ("||", &[Unknown, Unknown], Some((vec![Text, Text], Text))),
            ("-", &[Int4], Some((vec![Int4], Int4))),
        ] {
            let row = match find_operator(name, types) {
                Found::One(row) => Some((row.arguments.clone(), row.result)),
                _ => None,
            };
            assert_eq!(row, found, "{name} {types:?}");
        }
    }
}
