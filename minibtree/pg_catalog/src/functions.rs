//! Functions that ask the catalog.
//!
//! ```text
//! SELECT to_regclass('t'), pg_get_indexdef(16390)      t | CREATE INDEX ..
//! ```
//!
//! PostgreSQL's `ruleutils.c`, `regproc.c` and `namespace.c`.

use crate::names::{constraint_definition, index_definition, number_of, object};
use crate::objects::Objects;
use minibtree_functions::CatalogCall;
use minibtree_statement::pretty;
use minibtree_types::values::{Type, Value};

/// What a function returns for these arguments, of which none is NULL.
pub fn call(objects: &Objects, function: CatalogCall, arguments: &[Value]) -> Value {
    let number = |index: usize| match arguments.get(index) {
        Some(Value::Int(number)) => *number,
        _ => 0,
    };
    let text = || match &arguments[0] {
        Value::Text(text) => text.as_str(),
        _ => "",
    };
    let is_pretty = arguments.last() == Some(&Value::Bool(true));
    let optional = |text: Option<String>| text.map_or(Value::Null, Value::Text);
    let to_number = |base| number_of(objects, base, text()).map_or(Value::Null, Value::Int);

    match function {
        CatalogCall::ToRegclass => to_number(Type::Regclass),
        CatalogCall::ToRegtype => to_number(Type::Regtype),
        CatalogCall::ConstraintDefinition => {
            optional(constraint_definition(objects, number(0), is_pretty))
        }
        CatalogCall::IndexDefinition => {
            let column = usize::try_from(number(1)).unwrap_or(0);
            optional(index_definition(objects, number(0), column, is_pretty))
        }
        // An expression is kept as it is shown.
        CatalogCall::Expression if is_pretty => Value::Text(pretty(text())),
        CatalogCall::Expression => arguments[0].clone(),
        CatalogCall::TableIsVisible => Value::Bool(object(objects, number(0)).is_some()),
    }
}
