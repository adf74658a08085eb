//! What definitions say, and the clauses of them that are refused.

use minibtree_types::error::Result;
use minibtree_types::values::Type;
use minibtree_types::{error, unsupported};
use sqlparser::ast;

/// Refuses a statement with a clause that the caller did not handle. `understood` is the statement
/// printed from the handled clauses alone: it must equal the whole.
pub fn check_understood(whole: &impl std::fmt::Display, understood: &str) -> Result<()> {
    if whole.to_string() == understood { Ok(()) } else { Err(unsupported!("{whole}")) }
}

/// Refuses actions other than NO ACTION, the default, and clauses like DEFERRABLE.
pub fn check_actions(constraint: &ast::ForeignKeyConstraint) -> Result<()> {
    use ast::ReferentialAction::NoAction;

    let is_none = |action: &Option<ast::ReferentialAction>| matches!(action, None | Some(NoAction));
    let mut plain = constraint.clone();
    if !is_none(&plain.on_delete) || !is_none(&plain.on_update) {
        return Err(unsupported!("the constraint {constraint}"));
    }
    (plain.on_delete, plain.on_update) = (None, None);
    let listed =
        |names: &[ast::Ident]| names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let name = plain.name.as_ref().map_or(String::new(), |name| format!("CONSTRAINT {name} "));
    let referred = match plain.referred_columns.is_empty() {
        true => String::new(),
        false => format!("({})", listed(&plain.referred_columns)),
    };
    let understood = format!(
        "{name}FOREIGN KEY ({}) REFERENCES {}{referred}",
        listed(&plain.columns),
        plain.foreign_table
    );
    check_understood(&plain, &understood)
}

/// Refuses what PostgreSQL refuses for a hash index. The engine's could be unique and covering.
pub fn check_hash(create: &ast::CreateIndex) -> Result<()> {
    let is_hash = matches!(create.using, Some(ast::IndexType::Hash));
    let has = |is: fn(&ast::OrderByOptions) -> bool| {
        create.columns.iter().any(|it| is(&it.column.options))
    };
    let refusals = [
        (create.unique, "unique indexes"),
        (!create.include.is_empty(), "included columns"),
        (create.columns.len() > 1, "multicolumn indexes"),
        (has(|it| it.sort.is_some()), "ASC/DESC options"),
        (has(|it| it.nulls_first.is_some()), "NULLS FIRST/LAST options"),
    ];
    let Some((_, what)) = refusals.iter().find(|it| is_hash && it.0) else { return Ok(()) };
    Err(error!(FEATURE_NOT_SUPPORTED, "access method \"hash\" does not support {what}"))
}

/// `serial` is not a type of its own: the column is an integer with a sequence.
pub fn serial_type(name: &ast::DataType) -> Option<Type> {
    let ast::DataType::Custom(name, _) = name else { return None };
    match name.to_string().to_lowercase().as_str() {
        "serial" | "serial4" => Some(Type::Int4),
        "bigserial" | "serial8" => Some(Type::Int8),
        "smallserial" | "serial2" => Some(Type::Int2),
        _ => None,
    }
}

/// The first two words of a statement, by which a refusal names it.
pub fn first_words(sql: &ast::Statement) -> String {
    sql.to_string().split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}
