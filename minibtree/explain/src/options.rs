//! The options of an EXPLAIN.

use minibtree_types::error::Result;
use minibtree_types::{error, unsupported};

/// What an EXPLAIN shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Executes the statement, and shows what happened.
    pub analyze: bool,
    /// Shows what each node returns, and schemas.
    pub verbose: bool,
    /// Shows what each node was expected to cost.
    pub costs: bool,
    /// Shows how long each node took.
    pub timing: bool,
    /// Shows pages used.
    pub buffers: bool,
    /// Shows the path through pages; ours.
    pub pages: bool,
    /// Shows how long planning and execution took.
    pub summary: bool,
    /// JSON in place of text.
    pub json: bool,
}

impl Options {
    /// Reads options: each has a name, and maybe a value.
    ///
    /// # Errors
    /// `42601` for an option that is none, `22023` for a format that is none, `0A000` for those
    /// that we do not have.
    pub fn read(
        analyze: bool,
        verbose: bool,
        given: impl IntoIterator<Item = (String, Option<String>)>,
    ) -> Result<Options> {
        let mut options = Options { analyze, verbose, costs: true, ..Options::default() };
        let (mut summary, mut timing) = (None, None);
        for (name, value) in given {
            let name = name.to_lowercase();
            let value = value.map_or("on".to_owned(), |it| it.to_lowercase());
            let value = value.trim_matches('\'');
            if name == "format" {
                options.json = value == "json";
                match value {
                    "text" | "json" => continue,
                    "xml" | "yaml" => return Err(unsupported!("EXPLAIN (format {value})")),
                    _ => {
                        let text = "unrecognized value for EXPLAIN option \"format\"";
                        return Err(error!(INVALID_PARAMETER_VALUE, "{text}: \"{value}\""));
                    }
                }
            }
            let is_on = match value {
                "on" | "true" | "1" => true,
                "off" | "false" | "0" => false,
                _ => return Err(error!(SYNTAX_ERROR, "{name} requires a Boolean value")),
            };
            match name.as_str() {
                "analyze" => options.analyze = is_on,
                "verbose" => options.verbose = is_on,
                "costs" => options.costs = is_on,
                "timing" => timing = Some(is_on),
                "buffers" => options.buffers = is_on,
                "pages" => options.pages = is_on,
                "summary" => summary = Some(is_on),
                "wal" | "settings" if !is_on => {}
                "wal" | "settings" => return Err(unsupported!("EXPLAIN ({name})")),
                _ => return Err(error!(SYNTAX_ERROR, "unrecognized EXPLAIN option \"{name}\"")),
            }
        }
        if timing == Some(true) && !options.analyze {
            return Err(error!(INVALID_PARAMETER_VALUE, "EXPLAIN option TIMING requires ANALYZE"));
        }
        options.timing = timing.unwrap_or(true);
        options.summary = summary.unwrap_or(options.analyze);
        Ok(options)
    }
}
