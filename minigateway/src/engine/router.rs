//! Which route a request takes: a radix tree over paths.
//!
//! ```text
//! 1  /users                     u s e r s  [1]
//! 2  /users/{id}                  /  {}  [2]
//! 3  /users/{id}/orders              /orders  [3]
//! 4  /users/me                       me  [4]
//! 5  /uploads/*                 ploads/  *  [5]
//!
//! GET /users/me           4     text before a parameter
//! GET /users/7            2
//! GET /users/meyer        2     `me` fits, but not to the end: back to the parameter
//! GET /uploads/a/b.png    5     `*` takes the rest, slashes included
//! GET /users/             1     a slash at the end is no segment
//! GET /uploads            5     and none is missing
//! ```
//!
//! # Why a tree?
//!
//! The naive way tries the patterns one after another; ten thousand routes are ten thousand
//! comparisons. In the tree, paths share their beginnings, so a lookup reads the path once,
//! whatever the number of routes, unless it must backtrack. `cargo bench -p benches --bench
//! router` has the curve.
//!
//! # Which of several?
//!
//! At each node text is tried first, then a parameter, then `*`. A path leads to a list of routes;
//! the caller says which of them takes the request, by method and headers. If none does, the search
//! goes on with less specific patterns, so that `GET /users/{id}` and `/users/*` for all other
//! methods work together.
//!
//! # Slashes at the end
//!
//! Many servers answer `/admin/` like `/admin`. So a slash at the end changes no route, neither of
//! a path nor of a pattern: `/*` never takes what the route `/admin` or `/admin/*` is for.
//!
//! Backtracking is costly if many patterns have text and a parameter at the same depth. The routes
//! bound the cost, not the path, because a parameter ends at the next slash: a path is read at most
//! 2^d times, where d is the number of nodes on it that have both text and a parameter below.
//!
//! Real systems: `matchit` backtracks too; Go's `httprouter` refuses patterns that would need it;
//! NGINX's locations are a tree of prefixes and a list of regular expressions.

/// Routes by path. The numbers are the caller's.
#[derive(Debug, Default)]
pub struct Router {
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    /// What the path has here.
    text: Vec<u8>,
    /// Text that follows; no two begin with the same byte.
    children: Vec<Node>,
    /// A parameter that follows: a segment, or the rest of one.
    parameter: Option<Box<Node>>,
    /// Routes that end here.
    routes: Vec<usize>,
    /// Routes that end with `*` here.
    catch_all: Vec<usize>,
}

impl Router {
    /// Adds a route for all paths that `pattern` fits. Routes of the same pattern are tried in the
    /// order in which they were added.
    ///
    /// # Errors
    /// If the pattern is malformed: what to write instead.
    pub fn insert(&mut self, pattern: &str, route: usize) -> Result<(), &'static str> {
        if !pattern.starts_with('/') {
            return Err("a path begins with a slash");
        }
        if pattern.contains("//") {
            return Err("a path has no empty segments");
        }
        let pattern = pattern.strip_suffix('/').unwrap_or(pattern);
        // From `start` on is text that the tree does not have yet.
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
                // The slash before it is missing where the rest is empty.
                node.child(&pattern.as_bytes()[start..at - 1]).catch_all.push(route);
                return Ok(());
            } else if name.contains('*') {
                return Err("`*` stands at the end, after a slash, as in `/files/*`");
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

    /// The first route for `path` that `accepts`, most specific patterns first. The path has
    /// neither a query nor percent signs that hide something.
    pub fn find(&self, path: &[u8], mut accepts: impl FnMut(usize) -> bool) -> Option<usize> {
        self.root.find(path.strip_suffix(b"/").unwrap_or(path), &mut accepts)
    }
}

impl Node {
    /// The node that `text` leads to from here, made if it is missing.
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

    /// Keeps the first `length` bytes of the text; all else moves to a child.
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
            // A parameter is a whole segment: patterns have them after a slash only.
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
    fn what_does_not_accept_leaves_it_to_the_less_specific() {
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
            ("/*/a", "`*` stands at the end"),
            ("/a*", "`*` stands at the end"),
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

    /// The naive way: does a pattern fit a path?
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

    /// Text is more specific than a parameter, a parameter than `*`, from left to right.
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
        fn it_finds_what_trying_all_patterns_finds(
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
