//! The page.

use crate::model::Run;

/// Renders.
pub fn render(run: &Run) -> String {
    format!("{}", run.began)
}
