//! Determines the API version that a request asks for.
//!
//! ```text
//! GET /v1/orders/7                                  path              1
//! Api-Version: 2                                    header            2
//! Accept: application/vnd.shop.v1+json;q=0.5,       media type        2: the client prefers it
//!         application/vnd.shop.v2+json
//! GET /orders/7?version=1                           query             1
//! GET /orders/7                                     none              the default, or an error
//! GET /v1/orders/7 and Api-Version: 2               both              an error
//! ```
//!
//! A contradiction is an error, because a cache on the way may give priority to another source.
//!
//! `Accept` is a preference: a list with weights (RFC 9110, 12.5.1) that may name versions that do
//! not exist. `application/json`, `application/*` and `*/*` match the default version, and the most
//! specific of them gives its weight; weight 0 excludes it. If nothing matches, the answer is 406.
//!
//! Real systems: Kubernetes has versions in paths; GitHub has dates in a header, and before 2022
//! had the media type `application/vnd.github.v3+json`.

use std::borrow::Cow;

/// Where a request may name a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In the path, as the first segment `/v1`.
    Path,
    /// In this header.
    Header(String),
    /// In `Accept: application/vnd.NAME.v1+json`.
    MediaType(String),
    /// In this parameter of the query.
    Query(String),
}

/// The versions of an API, and how requests name them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// The names of the versions.
    pub names: Vec<String>,
    /// Where requests may name them.
    pub sources: Vec<Source>,
    /// The version for requests that do not name one.
    pub default: Option<usize>,
}

/// The version that was chosen for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The index of the version.
    pub version: usize,
    /// The index of the first source that named it; `None` for the default.
    pub source: Option<usize>,
}

/// Why a request has no version: the status and the detail of its answer.
pub type VersionError = (u16, &'static str);
const MISSING: VersionError = (400, "the request names no version");
const UNKNOWN: VersionError = (400, "the version does not exist");
const CONTRADICTION: VersionError = (400, "the request names two versions");
const NOT_ACCEPTABLE: VersionError = (406, "no version has an accepted media type");

/// The version that a source of a request asks for.
enum Preference {
    Unspecified,
    Version(usize),
    /// The client accepts any version.
    Any,
}

impl Versions {
    /// Chooses the version of a request. `of_path` is the version in its path; `values` returns all
    /// values of a source: of the header, of `Accept`, or of the query parameter.
    ///
    /// # Errors
    /// If the request names no version, an unknown one or two different ones.
    pub fn choose<'a>(
        &self,
        of_path: Option<usize>,
        values: impl Fn(&Source) -> Vec<Cow<'a, [u8]>>,
    ) -> Result<Chosen, VersionError> {
        let mut chosen = None::<Chosen>;
        let mut accepts_default = true;
        for (index, source) in self.sources.iter().enumerate() {
            let preference = match source {
                Source::Path => of_path.map_or(Preference::Unspecified, Preference::Version),
                Source::Header(_) | Source::Query(_) => self.named(&values(source))?,
                Source::MediaType(name) => self.accepted(name, &values(source)),
            };
            match (preference, chosen) {
                (Preference::Version(version), None) => {
                    chosen = Some(Chosen { version, source: Some(index) });
                }
                (Preference::Version(version), Some(before)) if version != before.version => {
                    return Err(CONTRADICTION);
                }
                (Preference::Unspecified, _) if matches!(source, Source::MediaType(_)) => {
                    accepts_default = false;
                }
                _ => {}
            }
        }

        let default = self.default.map(|version| Chosen { version, source: None });
        match chosen.or(default) {
            None => Err(MISSING),
            // If another source named a version, `Accept` is only about the format.
            Some(Chosen { source: None, .. }) if !accepts_default => Err(NOT_ACCEPTABLE),
            Some(chosen) => Ok(chosen),
        }
    }

    fn named(&self, names: &[Cow<'_, [u8]>]) -> Result<Preference, VersionError> {
        let Some((name, others)) = names.split_first() else { return Ok(Preference::Unspecified) };
        if others.iter().any(|it| it != name) {
            return Err(CONTRADICTION);
        }
        let version = self.names.iter().position(|it| it.as_bytes() == &**name);
        version.map(Preference::Version).ok_or(UNKNOWN)
    }

    /// Returns the version with the largest weight in `Accept`; if several have it, the first one.
    fn accepted(&self, vendor: &str, accept: &[Cow<'_, [u8]>]) -> Preference {
        let ranges = accept.iter().flat_map(|it| split(it, b','));
        let ranges = ranges.map(<[u8]>::trim_ascii).filter(|it| !it.is_empty());
        // The weights of versions, and of the most specific range that matches the default.
        let (mut named, mut others) = (Vec::<(usize, u16)>::new(), None::<(u8, u16)>);
        let mut is_empty = true;
        for range in ranges {
            is_empty = false;
            let mut parts = split(range, b';').map(|it| it.trim_ascii().to_ascii_lowercase());
            let media_type = parts.next().unwrap_or_default();
            let weight = parts.find_map(|it| it.strip_prefix(b"q=").map(per_mille));
            let weight = weight.unwrap_or(1000);
            let width = match media_type.as_slice() {
                b"application/json" => 0,
                b"application/*" => 1,
                b"*/*" => 2,
                other => {
                    let name = vendor_version(other, &vendor.to_ascii_lowercase());
                    let is =
                        |it: &String| name.is_some_and(|n| n.eq_ignore_ascii_case(it.as_bytes()));
                    named.extend(self.names.iter().position(is).map(|it| (it, weight)));
                    continue;
                }
            };
            if others.is_none_or(|(narrowest, _)| width <= narrowest) {
                others = Some((width, weight));
            }
        }
        if is_empty {
            return Preference::Any;
        }

        let of_default = named.iter().find(|it| Some(it.0) == self.default).map(|it| it.1);
        let of_default = of_default.or(others.map(|it| it.1)).unwrap_or(0);
        let wanted = named.iter().filter(|it| it.1 > 0);
        let best = wanted.rev().max_by_key(|it| it.1);
        match best.filter(|it| it.1 >= of_default || self.default.is_none()) {
            Some((version, _)) => Preference::Version(*version),
            None if of_default > 0 => Preference::Any,
            None => Preference::Unspecified,
        }
    }
}

/// Splits a header's value at separators outside of quoted strings.
fn split(value: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    value.split(move |it| {
        let was_escaped = std::mem::replace(&mut is_escaped, false);
        match it {
            b'"' if !was_escaped => is_quoted = !is_quoted,
            b'\\' if is_quoted && !was_escaped => is_escaped = true,
            _ => {}
        }
        *it == separator && !is_quoted
    })
}

/// Finds `1` in `application/vnd.shop.v1+json`.
fn vendor_version<'a>(media_type: &'a [u8], vendor: &str) -> Option<&'a [u8]> {
    let rest = media_type.strip_prefix(b"application/vnd.")?;
    let rest = rest.strip_prefix(vendor.as_bytes())?;
    rest.strip_prefix(b".v")?.strip_suffix(b"+json")
}

/// Reads a weight, a number from 0 to 1, in thousandths. Returns 0 for anything else.
fn per_mille(weight: &[u8]) -> u16 {
    let number = std::str::from_utf8(weight).ok().and_then(|it| it.parse::<f32>().ok());
    number.filter(|it| (0.0..=1.0).contains(it)).map_or(0, |it| (it * 1000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> Versions {
        Versions {
            names: vec!["1".to_owned(), "2".to_owned()],
            sources: vec![
                Source::Path,
                Source::Header("api-version".to_owned()),
                Source::MediaType("shop".to_owned()),
                Source::Query("version".to_owned()),
            ],
            default: Some(1),
        }
    }

    fn choose(
        versions: &Versions,
        of_path: Option<usize>,
        values: &[(&str, &'static str)],
    ) -> Result<usize, VersionError> {
        let find = |source: &Source| {
            let name = match source {
                Source::Header(name) | Source::Query(name) => name,
                _ => "accept",
            };
            let values = values.iter().filter(|it| it.0 == name);
            values.map(|it| Cow::Borrowed(it.1.as_bytes())).collect()
        };
        versions.choose(of_path, find).map(|it| it.version)
    }

    #[test]
    fn the_figure_of_the_head() {
        let shop = shop();
        let liked = "application/vnd.shop.v1+json;q=0.5, application/vnd.shop.v2+json";
        assert_eq!(choose(&shop, Some(0), &[]), Ok(0));
        assert_eq!(choose(&shop, None, &[("api-version", "2")]), Ok(1));
        assert_eq!(choose(&shop, None, &[("accept", liked)]), Ok(1));
        assert_eq!(choose(&shop, None, &[("version", "1")]), Ok(0));
        assert_eq!(choose(&shop, None, &[]), Ok(1));
        let both = choose(&shop, Some(0), &[("api-version", "2")]);
        assert_eq!(both, Err(CONTRADICTION));
        let twice = |one, other| choose(&shop, None, &[("version", one), ("version", other)]);
        assert_eq!([twice("1", "1"), twice("1", "2")], [Ok(0), Err(CONTRADICTION)]);
        let none = Versions { default: None, ..shop };
        assert_eq!(choose(&none, None, &[]), Err(MISSING));
        assert_eq!(choose(&none, None, &[("version", "9")]), Err(UNKNOWN));
    }

    #[test]
    fn accept_is_a_preference() {
        let shop = shop();
        for (accept, version) in [
            ("*/*", Ok(1)),
            ("text/html, application/json;q=0.1", Ok(1)),
            ("application/vnd.shop.v9+json, application/vnd.shop.v1+json;q=0.2", Ok(0)),
            ("application/vnd.shop.v9+json, */*;q=0.1", Ok(1)),
            ("application/vnd.shop.v1+json;q=0.5, */*;q=0.6", Ok(1)),
            ("application/vnd.shop.v1+json;q=0.5, */*;q=0.5", Ok(0)),
            ("application/vnd.shop.v9+json", Err(NOT_ACCEPTABLE)),
            ("application/vnd.shop.v1+json;q=0", Err(NOT_ACCEPTABLE)),
            ("application/vnd.shop.v1+json;q=2", Err(NOT_ACCEPTABLE)),
            ("text/html", Err(NOT_ACCEPTABLE)),
            ("", Ok(1)),
            (" , ", Ok(1)),
            ("Application/VND.Shop.V1+JSON;Q=0.5, */*; Q=0.4", Ok(0)),
            // Weight 0 excludes, and a specific range overrides a wider one.
            ("application/vnd.shop.v2+json;q=0, */*", Err(NOT_ACCEPTABLE)),
            ("application/vnd.shop.v2+json;q=0, application/vnd.shop.v1+json;q=0.1, */*", Ok(0)),
            ("*/*, application/json;q=0", Err(NOT_ACCEPTABLE)),
            ("*/*;q=0, application/json", Ok(1)),
            ("application/*;q=0.1, application/vnd.shop.v1+json;q=0.2, */*", Ok(0)),
            ("application/vnd.shop.v1+json;a=\"x,y;q=0\";q=0.9, */*;q=0.5", Ok(0)),
            ("application/vnd.shop.v1+json;a=\"\\\";q=0,\", */*;q=0.5", Ok(0)),
            ("application/vnd.shop.v1+json, application/vnd.shop.v2+json", Ok(0)),
        ] {
            assert_eq!(choose(&shop, None, &[("accept", accept)]), version, "{accept}");
        }
        // Several lines are one list.
        let lines = ["text/html", "application/vnd.shop.v1+json"].map(|it| ("accept", it));
        assert_eq!(choose(&shop, None, &lines), Ok(0));
        // The path names the version, so `Accept` is left to the upstream.
        assert_eq!(choose(&shop, Some(0), &[("accept", "text/html")]), Ok(0));
    }

    #[test]
    fn weights_are_compared_in_thousandths() {
        let weights = ["1", "1.000", "0.5", "0.05", "0.125", "0", "1.1", "0.0294", "x", "", "nan"];
        let expected = [1000, 1000, 500, 50, 125, 0, 0, 29, 0, 0, 0];
        assert_eq!(weights.map(|it| per_mille(it.as_bytes())), expected);
    }
}
