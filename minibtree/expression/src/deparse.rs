//! An expression as PostgreSQL writes it, in EXPLAIN and in the catalog.
//!
//! ```text
//! a > 1 AND b = 'x'      ((a > 1) AND ((b)::text = 'x'::text))
//! ```
//!
//! PostgreSQL's `ruleutils.c`.

use crate::{Expr, InnerQuery};
use minibtree_types::values::{Type, Value};
use std::fmt::Write;

/// Writes expressions.
pub struct Deparser<'a> {
    /// The name of an object of a type like `regclass`, by its number.
    pub name_of: &'a dyn Fn(Type, i64) -> String,
    /// What the columns are called, first those of the query itself, then of the one around it.
    pub names: &'a [&'a [String]],
    /// What is written for a subquery of a plan; `None` in the catalog, where there are none.
    pub subplan: Option<&'a dyn Fn(usize) -> String>,
}

impl Deparser<'_> {
    /// An expression as PostgreSQL writes it.
    pub fn text<Query: InnerQuery>(&self, expr: &Expr<Query>) -> String {
        let text = |expr: &Expr<Query>| self.text(expr);
        let listed = |all: &[Expr<Query>], between: &str| {
            all.iter().map(text).collect::<Vec<_>>().join(between)
        };
        match expr {
            Expr::Constant(Value::Int(number), base) if base.is_object() => {
                format!("'{}'::{}", (self.name_of)(*base, *number), base.name())
            }
            Expr::Constant(value, base) => base.literal(value),
            Expr::Parameter(number, _) => format!("${}", number + 1),
            Expr::Column(column) => {
                let names = self.names.get(column.level);
                names.and_then(|it| it.get(column.position)).cloned().unwrap_or_default()
            }
            Expr::Now(name) => (*name).to_owned(),
            Expr::Compare(comparison, left, right, _) => {
                format!("({} {} {})", text(left), comparison.name(), text(right))
            }
            Expr::Call(function, arguments) => self.call(function.name, arguments),
            Expr::And(all) => format!("({})", listed(all, " AND ")),
            Expr::Or(all) => format!("({})", listed(all, " OR ")),
            Expr::Not(inner) => match &**inner {
                Expr::IsNull(inner) => format!("({} IS NOT NULL)", text(inner)),
                Expr::InList(value, list, _) => self.in_list(value, list, "<> ALL"),
                inner => format!("(NOT {})", text(inner)),
            },
            Expr::IsNull(inner) => format!("({} IS NULL)", text(inner)),
            Expr::IsTruth(inner, wanted, negated) => {
                let not = if *negated { "NOT " } else { "" };
                let what = wanted.map_or("UNKNOWN", |it| if it { "TRUE" } else { "FALSE" });
                format!("({} IS {not}{what})", text(inner))
            }
            Expr::IsDistinct(left, right, _) => {
                format!("({} IS DISTINCT FROM {})", text(left), text(right))
            }
            Expr::Case(cases, otherwise) => {
                let mut all = "CASE".to_owned();
                for (condition, result) in cases {
                    let _ = write!(all, " WHEN {} THEN {}", text(condition), text(result));
                }
                format!("{all} ELSE {} END", text(otherwise))
            }
            Expr::Coalesce(all) => format!("COALESCE({})", listed(all, ", ")),
            Expr::NullIf(_, value) => format!("NULLIF({}, ...)", text(value)),
            Expr::Extreme(all, true, _) => format!("GREATEST({})", listed(all, ", ")),
            Expr::Extreme(all, false, _) => format!("LEAST({})", listed(all, ", ")),
            Expr::InList(value, list, _) => self.in_list(value, list, "= ANY"),
            Expr::Cast(inner, ..)
                if matches!(**inner, Expr::Now("CURRENT_DATE" | "LOCALTIMESTAMP")) =>
            {
                text(inner)
            }
            Expr::Cast(inner, _, to, _) => format!("({})::{}", text(inner), to.declared_name()),
            Expr::Fit(inner, to, _) => format!("({})::{}", text(inner), to.name()),
            Expr::SubPlan(number, _) | Expr::InitPlan(number, _) => {
                self.subplan.map_or(String::new(), |it| it(*number))
            }
            Expr::Aggregate(..) | Expr::Window(_) | Expr::Subquery(_) => String::new(),
        }
    }

    /// A function or an operator.
    fn call<Query: InnerQuery>(&self, name: &str, arguments: &[Expr<Query>]) -> String {
        let arguments: Vec<String> = arguments.iter().map(|it| self.text(it)).collect();
        let is_operator = !name.starts_with(char::is_alphabetic);
        match &arguments[..] {
            [left, right] if is_operator => format!("({left} {name} {right})"),
            [one] if is_operator => format!("({name} {one})"),
            all => format!("{name}({})", all.join(", ")),
        }
    }

    /// `(a = ANY (ARRAY[1, 2]))` in the catalog; in a plan, PostgreSQL has computed the array:
    /// `(a = ANY ('{1,2}'::integer[]))`.
    fn in_list<Query: InnerQuery>(
        &self,
        value: &Expr<Query>,
        list: &[Expr<Query>],
        operator: &str,
    ) -> String {
        if let [array] = list {
            return format!("({} {operator} ({}))", self.text(value), self.text(array));
        }
        let base = list.first().map_or(Type::Text, Expr::base);
        let item = |expr: &Expr<Query>| match expr {
            Expr::Constant(value, _) => Some(value.clone()),
            _ => None,
        };
        let computed = list.iter().map(item).collect::<Option<Vec<_>>>().zip(Type::array_of(base));
        let array = match computed.filter(|_| self.subplan.is_some()) {
            Some((items, array)) => array.literal(&Value::from(items)),
            None => self.array(value, list),
        };
        format!("({} {operator} ({array}))", self.text(value))
    }

    /// An array of expressions. Where text is looked for in a `varchar`, literals are `varchar`s
    /// that are cast.
    fn array<Query: InnerQuery>(&self, value: &Expr<Query>, list: &[Expr<Query>]) -> String {
        let is_varying = matches!(value, Expr::Cast(_, Type::Varchar, Type::Text, _));
        let element = |it: &Expr<Query>| match it {
            Expr::Constant(value, Type::Text) if is_varying => Type::Varchar.literal(value),
            it => self.text(it),
        };
        let array = list.iter().map(element).collect::<Vec<_>>().join(", ");
        if is_varying { format!("(ARRAY[{array}])::text[]") } else { format!("ARRAY[{array}]") }
    }
}
