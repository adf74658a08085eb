//! Which version of an API a request asks for.
//!
//! ```text
//! GET /v1/orders/7                                  path              1
//! Api-Version: 2                                    header            2
//! Accept: application/vnd.shop.v1+json;q=0.5,       media type        2: the client likes it more
//!         application/vnd.shop.v2+json
//! GET /orders/7?version=1                           query             1
//! GET /orders/7                                     none of them      the default, or an error
//! GET /v1/orders/7 and Api-Version: 2               both              an error
//! ```
//!
//! A contradiction is an error, because a cache in between may know another order of the sources.
//!
//! `Accept` is a wish: a list with weights (RFC 9110, 12.5.1) that may name versions which do not
//! exist. `application/json` and `*/*` fit the default. If nothing fits, the answer is 406.
//!
//! Counterparts: Kubernetes has versions in paths, GitHub in a header by date, before 2022 in the
//! media type `application/vnd.github.v3+json`.

/// Where a request may name a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A first segment `/v1`.
    Path,
    /// This header.
    Header(String),
    /// `Accept: application/vnd.NAME.v1+json`.
    MediaType(String),
    /// This parameter of the query.
    Query(String),
}

/// The versions of an API, and how requests name them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// Their names.
    pub names: Vec<String>,
    /// Where requests name them.
    pub sources: Vec<Source>,
    /// The version of requests that name none.
    pub default: Option<usize>,
}

/// The version of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Its index.
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

/// What a source says about the version.
enum Said {
    Nothing,
    Version(usize),
    /// The client accepts any version.
    Any,
}

impl Versions {
    /// Chooses the version of a request: `of_path` is what its path names, `header` finds the value
    /// of a header, `query` follows the question mark.
    ///
    /// # Errors
    /// If there is no version, or more than one.
    pub fn choose<'a>(
        &self,
        of_path: Option<usize>,
        header: impl Fn(&str) -> Option<&'a [u8]>,
        query: &[u8],
    ) -> Result<Chosen, VersionError> {
        let mut chosen = None::<Chosen>;
        let mut accepts_default = true;
        for (index, source) in self.sources.iter().enumerate() {
            let said = match source {
                Source::Path => of_path.map_or(Said::Nothing, Said::Version),
                Source::Header(name) => self.named(header(name))?,
                Source::Query(name) => self.named(parameter(query, name))?,
                Source::MediaType(name) => self.accepted(name, header("accept"))?,
            };
            match (said, chosen) {
                (Said::Version(version), None) => {
                    chosen = Some(Chosen { version, source: Some(index) });
                }
                (Said::Version(version), Some(before)) if version != before.version => {
                    return Err(CONTRADICTION);
                }
                (Said::Nothing, _) if matches!(source, Source::MediaType(_)) => {
                    accepts_default = false;
                }
                _ => {}
            }
        }

        let default = self.default.map(|version| Chosen { version, source: None });
        match chosen.or(default) {
            None => Err(MISSING),
            // Another source named one: `Accept` is then about the format alone.
            Some(Chosen { source: None, .. }) if !accepts_default => Err(NOT_ACCEPTABLE),
            Some(chosen) => Ok(chosen),
        }
    }

    fn named(&self, name: Option<&[u8]>) -> Result<Said, VersionError> {
        let Some(name) = name else { return Ok(Said::Nothing) };
        let version = self.names.iter().position(|it| it.as_bytes() == name);
        version.map(Said::Version).ok_or(UNKNOWN)
    }

    /// The version that `Accept` gives most weight; of several, the one that comes first.
    fn accepted(&self, vendor: &str, accept: Option<&[u8]>) -> Result<Said, VersionError> {
        let Some(accept) = accept else { return Ok(Said::Any) };
        let (mut best, mut any) = (None::<(u16, usize)>, 0);
        for range in accept.split(|it| *it == b',') {
            let mut parts = range.split(|it| *it == b';').map(<[u8]>::trim_ascii);
            let media_type = parts.next().unwrap_or_default();
            let weight = parts.find_map(|it| it.strip_prefix(b"q=")).map_or(1000, per_mille);
            if weight == 0 {
                continue;
            }

            let is_any = [&b"*/*"[..], b"application/*", b"application/json"].contains(&media_type);
            any = any.max(weight * u16::from(is_any));
            let name = vendor_version(media_type, vendor);
            let version = name.and_then(|it| self.names.iter().position(|n| n.as_bytes() == it));
            match (version, best) {
                (Some(_), Some((most, _))) if most >= weight => {}
                (Some(version), _) => best = Some((weight, version)),
                (None, _) => {}
            }
        }
        let is_liked = |weight: u16| weight >= any || self.default.is_none();
        Ok(match best.filter(|it| is_liked(it.0)) {
            Some((_, version)) => Said::Version(version),
            None if any > 0 => Said::Any,
            None => Said::Nothing,
        })
    }
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

/// The value of a parameter, as it was sent.
fn parameter<'a>(query: &'a [u8], name: &str) -> Option<&'a [u8]> {
    query.split(|it| *it == b'&').find_map(|pair| {
        let equals = pair.iter().position(|it| *it == b'=')?;
        (&pair[..equals] == name.as_bytes()).then_some(&pair[equals + 1..])
    })
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
        headers: &[(&str, &'static str)],
        query: &str,
    ) -> Result<usize, VersionError> {
        let find =
            |name: &str| headers.iter().find(|it| it.0 == name).map(|(_, value)| value.as_bytes());
        versions.choose(of_path, find, query.as_bytes()).map(|it| it.version)
    }

    #[test]
    fn the_figure_of_the_head() {
        let shop = shop();
        let liked = "application/vnd.shop.v1+json;q=0.5, application/vnd.shop.v2+json";
        assert_eq!(choose(&shop, Some(0), &[], ""), Ok(0));
        assert_eq!(choose(&shop, None, &[("api-version", "2")], ""), Ok(1));
        assert_eq!(choose(&shop, None, &[("accept", liked)], ""), Ok(1));
        assert_eq!(choose(&shop, None, &[], "a=b&version=1"), Ok(0));
        assert_eq!(choose(&shop, None, &[], ""), Ok(1));
        let both = choose(&shop, Some(0), &[("api-version", "2")], "");
        assert_eq!(both, Err(CONTRADICTION));
        let none = Versions { default: None, ..shop };
        assert_eq!(choose(&none, None, &[], ""), Err(MISSING));
        assert_eq!(choose(&none, None, &[], "version=9"), Err(UNKNOWN));
    }

    #[test]
    fn accept_is_a_wish() {
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
        ] {
            assert_eq!(choose(&shop, None, &[("accept", accept)], ""), version, "{accept}");
        }
        // A path says which version; what the client accepts is then the upstream's business.
        assert_eq!(choose(&shop, Some(0), &[("accept", "text/html")], ""), Ok(0));
    }

    #[test]
    fn weights_are_compared_in_thousandths() {
        let weights = ["1", "1.000", "0.5", "0.05", "0.125", "0", "1.1", "0.0294", "x", "", "nan"];
        let expected = [1000, 1000, 500, 50, 125, 0, 0, 29, 0, 0, 0];
        assert_eq!(weights.map(|it| per_mille(it.as_bytes())), expected);
    }
}
