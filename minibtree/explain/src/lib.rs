//! Prints a plan, as the text that people read and the JSON that pev2 reads.
//!
//! A node is a list of [`Property`]s in PostgreSQL's order, and the nodes below it. Each property
//! says what it is in JSON and in text, so both formats come from the same list:
//!
//! ```
//! use minibtree_explain::{Node, Value, text};
//!
//! let mut scan = Node::new("Seq Scan on t");
//! scan.json("Node Type", Value::text("Seq Scan"));
//! scan.title("  (cost=0.00..35.50 rows=2550 width=4)");
//! scan.json("Total Cost", Value::Literal("35.50".to_owned()));
//! scan.both("Filter", Value::text("(a > 1)"));
//!
//! let lines = text(&scan);
//! assert_eq!(lines[0], "Seq Scan on t  (cost=0.00..35.50 rows=2550 width=4)");
//! assert_eq!(lines[1], "  Filter: (a > 1)");
//! assert_eq!(minibtree_explain::json(&scan, &[]), concat!(
//!     "[\n  {\n    \"Plan\": {\n      \"Node Type\": \"Seq Scan\",\n",
//!     "      \"Total Cost\": 35.50,\n      \"Filter\": \"(a > 1)\"\n    }\n  }\n]"
//! ));
//! ```
//!
//! PostgreSQL's `ExplainPropertyText` and the like in `explain.c`, which print while they walk the
//! plan.

mod figures;
mod names;
mod options;

pub use figures::{Measured, document};
pub use names::{is_column_name, quoted_name};
pub use options::Options;

/// A value of a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A string.
    Text(String),
    /// A list of strings; in text, with commas between them.
    List(Vec<String>),
    /// A number, `true` or `false`, written as it is.
    Literal(String),
    /// Properties of their own; an empty group is written as PostgreSQL's empty list of triggers.
    Group(Vec<(&'static str, Value)>),
}

impl Value {
    /// A text.
    pub fn text(text: impl Into<String>) -> Value {
        Value::Text(text.into())
    }

    /// A number, `true` or `false`.
    pub fn literal(value: impl ToString) -> Value {
        Value::Literal(value.to_string())
    }
}

/// What a node tells.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Property {
    /// A name and a value, in JSON only.
    Json(&'static str, Value),
    /// The same; in text it is a line, `name: value`.
    Both(&'static str, Value),
    /// The end of the first line, in text only.
    Title(String),
    /// A line of text.
    Line(String),
}

/// A node of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    title: String,
    /// `SubPlan 1`: the line before the node, for one that is no input.
    pub label: Option<String>,
    properties: Vec<Property>,
    /// The nodes below, in the order in which they are shown.
    pub children: Vec<Node>,
}

impl Node {
    /// A node with the beginning of its first line.
    pub fn new(title: impl Into<String>) -> Node {
        Node { title: title.into(), ..Node::default() }
    }

    /// Adds a property of JSON.
    pub fn json(&mut self, name: &'static str, value: Value) {
        self.properties.push(Property::Json(name, value));
    }

    /// Adds a property of both formats.
    pub fn both(&mut self, name: &'static str, value: Value) {
        self.properties.push(Property::Both(name, value));
    }

    /// Adds a property of JSON after another one.
    pub fn insert_after(&mut self, other: &str, name: &'static str, value: Value) {
        let is_meant = |it: &Property| matches!(it, Property::Json(name, _) if *name == other);
        let at = self.properties.iter().position(is_meant).map_or(0, |it| it + 1);
        self.properties.insert(at, Property::Json(name, value));
    }

    /// Removes a property of JSON.
    pub fn forget(&mut self, name: &str) {
        self.properties.retain(|it| !matches!(it, Property::Json(own, _) if *own == name));
    }

    /// Adds to the first line of the text.
    pub fn title(&mut self, text: impl Into<String>) {
        self.properties.push(Property::Title(text.into()));
    }

    /// Adds a line of text.
    pub fn line(&mut self, text: impl Into<String>) {
        self.properties.push(Property::Line(text.into()));
    }
}

/// The lines of a plan in the text format.
pub fn text(plan: &Node) -> Vec<String> {
    let mut lines = Vec::new();
    text_of(plan, 0, &mut lines);
    lines
}

/// Writes a node `indent` times two spaces from the margin.
fn text_of(node: &Node, mut indent: usize, lines: &mut Vec<String>) {
    let spaces = |indent: usize| " ".repeat(2 * indent);
    if let Some(label) = &node.label {
        lines.push(spaces(indent) + label);
        indent += 1;
    }

    let ends = node.properties.iter().filter_map(|it| match it {
        Property::Title(text) => Some(text.as_str()),
        _ => None,
    });
    let title = node.title.clone() + &ends.collect::<String>();
    match indent {
        0 => lines.push(title),
        _ => {
            lines.push(format!("{}->  {title}", spaces(indent)));
            indent += 2;
        }
    }

    indent += 1;
    for property in &node.properties {
        let line = match property {
            Property::Line(text) => text.clone(),
            Property::Both(name, value) => match value {
                Value::Text(text) | Value::Literal(text) => format!("{name}: {text}"),
                Value::List(items) => format!("{name}: {}", items.join(", ")),
                Value::Group(_) => continue,
            },
            Property::Json(..) | Property::Title(_) => continue,
        };
        lines.push(spaces(indent) + &line);
    }
    for child in &node.children {
        text_of(child, indent, lines);
    }
}

/// A plan as a JSON document; `summary` is what comes after the plan.
pub fn json(plan: &Node, summary: &[(&'static str, Value)]) -> String {
    let mut out = "[\n  {\n    \"Plan\": ".to_owned();
    json_of(plan, 2, &mut out);
    for (name, value) in summary {
        out += ",\n    ";
        member(name, value, 2, &mut out);
    }
    out + "\n  }\n]"
}

fn json_of(node: &Node, indent: usize, out: &mut String) {
    let members = node.properties.iter().filter_map(|it| match it {
        Property::Json(name, value) | Property::Both(name, value) => Some((*name, value)),
        Property::Title(_) | Property::Line(_) => None,
    });
    group(members, indent, out);
    if node.children.is_empty() {
        return close(indent, '}', out);
    }

    let inner = "  ".repeat(indent + 1);
    *out += &format!(",\n{inner}\"Plans\": [");
    for (number, child) in node.children.iter().enumerate() {
        *out += if number > 0 { ",\n" } else { "\n" };
        *out += &"  ".repeat(indent + 2);
        json_of(child, indent + 2, out);
    }
    close(indent + 1, ']', out);
    close(indent, '}', out);
}

/// Writes the members of an object, without its end.
fn group<'a>(members: impl Iterator<Item = (&'a str, &'a Value)>, indent: usize, out: &mut String) {
    out.push('{');
    for (number, (name, value)) in members.enumerate() {
        *out += if number > 0 { ",\n" } else { "\n" };
        *out += &"  ".repeat(indent + 1);
        member(name, value, indent + 1, out);
    }
}

fn close(indent: usize, bracket: char, out: &mut String) {
    *out += &format!("\n{}{bracket}", "  ".repeat(indent));
}

fn member(name: &str, value: &Value, indent: usize, out: &mut String) {
    *out += &format!("{}: ", quoted(name));
    match value {
        Value::Text(text) => *out += &quoted(text),
        Value::Literal(text) => *out += text,
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(|it| quoted(it)).collect();
            *out += &format!("[{}]", items.join(", "));
        }
        Value::Group(members) if members.is_empty() => {
            out.push('[');
            close(indent, ']', out);
        }
        Value::Group(members) => {
            group(members.iter().map(|(name, value)| (*name, value)), indent, out);
            close(indent, '}', out);
        }
    }
}

/// A string of JSON, with PostgreSQL's escapes (`escape_json`).
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' => out += "\\\"",
            '\\' => out += "\\\\",
            '\n' => out += "\\n",
            '\r' => out += "\\r",
            '\t' => out += "\\t",
            '\u{8}' => out += "\\b",
            '\u{c}' => out += "\\f",
            letter if letter < ' ' => out += &format!("\\u{:04x}", u32::from(letter)),
            letter => out.push(letter),
        }
    }
    out + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_below_are_indented_as_postgresql_does() {
        let mut scan = Node::new("Seq Scan on b");
        scan.json("Node Type", Value::text("Seq Scan"));
        let mut sub = Node { label: Some("SubPlan 1".to_owned()), ..scan.clone() };
        sub.both("Output", Value::List(vec!["\"x\"".to_owned(), "y".to_owned()]));
        let mut top = Node::new("Limit");
        top.children = vec![scan, sub];
        let expected = [
            "Limit",
            "  ->  Seq Scan on b",
            "  SubPlan 1",
            "    ->  Seq Scan on b",
            "          Output: \"x\", y",
        ];
        assert_eq!(text(&top), expected);

        top.children.remove(0);
        top.json("Node Type", Value::text("Limit"));
        let expected = [
            "[",
            "  {",
            "    \"Plan\": {",
            "      \"Node Type\": \"Limit\",",
            "      \"Plans\": [",
            "        {",
            "          \"Node Type\": \"Seq Scan\",",
            "          \"Output\": [\"\\\"x\\\"\", \"y\"]",
            "        }",
            "      ]",
            "    },",
            "    \"Triggers\": [",
            "    ]",
            "  }",
            "]",
        ];
        let plan = expected.join("\n");
        assert_eq!(json(&top, &[("Triggers", Value::Group(Vec::new()))]), plan);
    }
}
