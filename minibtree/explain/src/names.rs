//! Names as a plan shows them. PostgreSQL's `ruleutils.c`.

/// Returns true for the name of a column, not an expression.
pub fn is_column_name(text: &str) -> bool {
    let is_letter = |it: char| it.is_alphanumeric() || "_.\"".contains(it);
    text.chars().all(is_letter) && !text.starts_with(|it: char| it.is_ascii_digit())
}

/// A name as SQL needs it: with quotes if it is not in lower case.
pub fn quoted_name(name: &str) -> String {
    let is_plain = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_';
    if name.chars().all(is_plain) { name.to_owned() } else { format!("\"{name}\"") }
}
