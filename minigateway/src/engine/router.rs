//! Finds the route of a request: a radix tree over paths.
//!
//! ```text
//! 1  /users                     u s e r s  [1]
//! 2  /users/{id}                  /  {}  [2]
//! 3  /users/{id}/orders              /orders  [3]
//! 4  /users/me                       me  [4]
//! 5  /uploads/*                 ploads/  *  [5]
//!
//! GET /users/me           4     literal text comes before a parameter
//! GET /users/7            2
//! GET /users/meyer        2     `me` matches only a prefix: back to the parameter
//! GET /uploads/a/b.png    5     `*` matches the rest, slashes included
//! GET /users/             1     a trailing slash is ignored
//! GET /uploads            5     `*` also matches nothing
//! ```
//!
//! # Why a tree?
//!
//! A linear search compares the path with one pattern after another: ten thousand routes, ten
//! thousand comparisons. In the tree, patterns share their prefixes, so a lookup reads the path
//! once, whatever the number of routes, unless it must backtrack. See `cargo bench -p benches
//! --bench router`.
//!
//! # Which route, if several match?
//!
//! Each node tries literal text first, then a parameter, then `*`. A pattern has a list of routes,
//! and the caller accepts or rejects each of them, by method and headers. If it rejects all, the
//! search continues with less specific patterns. So `GET /users/{id}` can be combined with
//! `/users/*` for all other methods.
//!
//! # Trailing slashes
//!
//! Many servers treat `/admin/` like `/admin`. So a trailing slash is ignored, in paths and in
//! patterns. Otherwise `/admin/` could take the route `/*` instead of a protected route `/admin`.
//!
//! Backtracking is costly if many patterns have text and a parameter at the same depth. The routes
//! bound the cost, not the path, because a parameter ends at the next slash: a path is read at most
//! 2^d times, where d is the number of its nodes with both text and a parameter below.
//!
//! Real systems: `matchit` backtracks too; Go's `httprouter` refuses patterns that would need it;
//! NGINX's locations are a tree of prefixes and a list of regular expressions.

/// Routes by path. A route is a number that the caller chooses.
#[derive(Debug, Default)]
pub struct Router {
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    /// The literal text of this node.
    text: Vec<u8>,
    /// Nodes for the text that follows; no two begin with the same byte.
    children: Vec<Node>,
    /// The node after a parameter, which is a whole segment.
    parameter: Option<Box<Node>>,
    /// Routes that end here.
    routes: Vec<usize>,
    /// Routes that end with `*` here.
    catch_all: Vec<usize>,
}

impl Router {
    /// Adds a route for all paths that match `pattern`. Routes of the same pattern are tried in the
    /// order in which they were added.
    ///
    /// # Errors
    /// If the pattern is malformed: a hint what to write instead.
    pub fn insert(&mut self, pattern: &str, route: usize) -> Result<(), &'static str> {
        if !pattern.starts_with('/') {
            return Err("a path begins with a slash");
        }
        if pattern.contains("//") {
            return Err("a path has no empty segments");
        }
        let pattern = pattern.strip_suffix('/').unwrap_or(pattern);
        // Literal text from `start` to `at` is not in the tree yet.
        let (mut node, mut start, mut at) = (&mut self.root, 0, 0);
        for segment in pattern.split_inclusive('/') {
            let name = segment.trim_end_matches('/');
            let end = at + name.len();
            let parameter = name.strip_prefix('{').and_then(|it| it.strip_suffix('}'));
            let is_name = |it: &str| it.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_');
            if parameter.is_some_and(|it| !it.is_empty() && is_name(it)) {
                node = node.child(&pattern.as_bytes()[start..at]).parameter.get_or_insert_default();
                start = end;
            } else if name == "*" && end == pattern.len() {
                // Without its slash, so that `/files/*` also matches `/files`.
                node.child(&pattern.as_bytes()[start..at - 1]).catch_all.push(route);
                return Ok(());
            } else if name.contains('*') {
                return Err("`*` must be at the end, after a slash, as in `/files/*`");
            } else if name.contains(['{', '}']) {
                return Err(
                    "a parameter is a whole segment without a pattern, as in `/users/{id}`",
                );
            } else if name.contains(['%', ';', '\\', '?', '#']) || [".", ".."].contains(&name) {
                return Err("write characters as such, without `%`, query and segments of dots");
            }
            at += segment.len();
        }
        node.child(&pattern.as_bytes()[start..]).routes.push(route);
        Ok(())
    }

    /// Returns the first route for `path` that `accepts` returns true for, most specific patterns
    /// first. The path has no query, and is percent-decoded.
    pub fn find(&self, path: &[u8], mut accepts: impl FnMut(usize) -> bool) -> Option<usize> {
        self.root.find(path.strip_suffix(b"/").unwrap_or(path), &mut accepts)
    }
}

impl Node {
    /// Returns the node at `text` below this one, and creates it if it is missing.
    fn child(&mut self, text: &[u8]) -> &mut Node {
        let Some(first) = text.first() else { return self };
        let Some(index) = self.children.iter().position(|it| it.text[0] == *first) else {
            self.children.push(Node { text: text.to_vec(), ..Node::default() });
            return self.children.last_mut().expect("just pushed");
        };

        let child = &mut self.children[index];
        let common = child.text.iter().zip(text).take_while(|(a, b)| a == b).count();
        if common < child.text.len() {
            child.split(common);
        }
        child.child(&text[common..])
    }

    /// Keeps the first `length` bytes of the text and moves the rest of the node to a child.
    fn split(&mut self, length: usize) {
        let rest = self.text.split_off(length);
        let text = std::mem::take(&mut self.text);
        let lower = Node { text: rest, ..std::mem::take(self) };
        *self = Node { text, children: vec![lower], ..Node::default() };
    }

    fn find(&self, path: &[u8], accepts: &mut impl FnMut(usize) -> bool) -> Option<usize> {
        let Some(first) = path.first() else {
            let here = self.routes.iter().chain(&self.catch_all).copied();
            return here.into_iter().find(|it| accepts(*it));
        };

        let child = self.children.iter().find(|it| it.text[0] == *first);
        let child = child.and_then(|it| Some((it, path.strip_prefix(it.text.as_slice())?)));
        if let Some((child, rest)) = child
            && let Some(route) = child.find(rest, accepts)
        {
            return Some(route);
        }

        if let Some(parameter) = &self.parameter {
            let end = path.iter().position(|it| *it == b'/').unwrap_or(path.len());
            // A parameter matches a whole segment, and not an empty one.
            if end > 0
                && let Some(route) = parameter.find(&path[end..], accepts)
            {
                return Some(route);
            }
        }
        let catch_all = self.catch_all.iter().copied();
        catch_all.take_while(|_| *first == b'/').find(|it| accepts(*it))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn router(patterns: &[&str]) -> Router {
        let mut router = Router::default();
        for (route, pattern) in patterns.iter().enumerate() {
            router.insert(pattern, route + 1).expect("well formed");
        }
        router
    }

    fn find(router: &Router, path: &str) -> Option<usize> {
        router.find(path.as_bytes(), |_| true)
    }

    #[test]
    fn the_example_of_the_head() {
        let patterns = ["/users", "/users/{id}", "/users/{id}/orders", "/users/me", "/uploads/*"];
        let router = router(&patterns);
        for (path, route) in [
            ("/users", Some(1)),
            ("/users/me", Some(4)),
            ("/users/7", Some(2)),
            ("/users/meyer", Some(2)),
            ("/users/me/orders", Some(3)),
            ("/users/7/orders", Some(3)),
            ("/users/7/order", None),
            ("/users/", Some(1)),
            ("/users/7/", Some(2)),
            ("/uploads/a/b.png", Some(5)),
            ("/uploads/", Some(5)),
            ("/uploads", Some(5)),
            ("/uploadsa", None),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(find(&router, path), route, "{path}");
        }
    }

    #[test]
    fn a_rejected_route_falls_back_to_less_specific_ones() {
        let router = router(&["/users/{id}", "/users/*", "/*"]);
        let find = |not: &[usize]| router.find(b"/users/7", |route| !not.contains(&route));
        assert_eq!([find(&[]), find(&[1]), find(&[1, 2])], [Some(1), Some(2), Some(3)]);
        assert_eq!(find(&[1, 2, 3]), None);
    }

    #[test]
    fn malformed_patterns_are_refused() {
        let insert = |pattern| Router::default().insert(pattern, 1);
        for (pattern, hint) in [
            ("", "begins with a slash"),
            ("users", "begins with a slash"),
            ("/*/a", "`*` must be at the end"),
            ("/a*", "`*` must be at the end"),
            ("/{}", "a parameter is a whole segment"),
            ("/{a", "a parameter is a whole segment"),
            ("/a{b}", "a parameter is a whole segment"),
            ("/{a}b", "a parameter is a whole segment"),
            ("/caf%C3%A9", "write characters as such"),
            ("/a;b", "write characters as such"),
            ("/a/../b", "write characters as such"),
            ("//a", "no empty segments"),
            ("/a//", "no empty segments"),
        ] {
            assert!(insert(pattern).is_err_and(|it| it.contains(hint)), "{pattern}");
        }
        assert_eq!(insert("/"), Ok(()));
    }

    /// The reference: returns true if a pattern matches a path.
    fn fits(pattern: &str, path: &str) -> bool {
        let [pattern, path] = [pattern, path].map(|it| it.strip_suffix('/').unwrap_or(it));
        let [mut pattern, mut path] = [pattern, path].map(|it| it.split('/').peekable());
        loop {
            match (pattern.next(), path.next()) {
                (Some("*"), _) if pattern.peek().is_none() => return true,
                (Some(part), Some(segment)) if part.starts_with('{') && !segment.is_empty() => {}
                (Some(part), Some(segment)) if part == segment => {}
                (None, None) => return true,
                _ => return false,
            }
        }
    }

    /// From left to right, text is more specific than a parameter, and a parameter than `*`.
    fn specificity(pattern: &str) -> Vec<u8> {
        let rank = |part: &str| match part {
            "*" => 2,
            part if part.starts_with('{') => 1,
            _ => 0,
        };
        pattern.split('/').map(rank).collect()
    }

    proptest! {
        #[test]
        fn it_finds_the_same_route_as_a_linear_search(
            patterns in prop::collection::btree_set("(/(a|ab|b|\\{x\\})){1,4}(/\\*)?", 1..12),
            paths in prop::collection::vec("(/(a|ab|b|c|)){0,5}", 1..20),
        ) {
            let patterns = patterns.iter().map(String::as_str).collect::<Vec<_>>();
            let router = router(&patterns);
            for path in paths {
                let fitting = patterns.iter().enumerate().filter(|(_, it)| fits(it, &path));
                let best = fitting.min_by_key(|(_, it)| specificity(it));
                prop_assert_eq!(find(&router, &path), best.map(|(it, _)| it + 1), "{}", path);
            }
        }
    }
}
