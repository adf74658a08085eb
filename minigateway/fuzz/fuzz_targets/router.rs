//! Any patterns and any path: the tree offers exactly the routes that a comparison segment by
//! segment finds. The last line of the input is the path, the others are patterns.
#![no_main]

use minigateway::engine::router::Router;

libfuzzer_sys::fuzz_target!(|input: &str| {
    let mut lines = input.lines().collect::<Vec<_>>();
    let path = lines.pop().unwrap_or_default();
    let mut router = Router::default();
    let mut expected = Vec::new();
    for (index, pattern) in lines.iter().enumerate() {
        if router.insert(pattern, index).is_ok() && fits(pattern, path) {
            expected.push(index);
        }
    }

    let mut offered = Vec::new();
    let found = router.find(path.as_bytes(), |route| {
        offered.push(route);
        false
    });
    assert_eq!(found, None);
    // The first one that was offered is taken if it is accepted.
    assert_eq!(router.find(path.as_bytes(), |_| true), offered.first().copied());
    offered.sort_unstable();
    assert_eq!(offered, expected, "{path:?}");
});

/// A slash at the end is no segment, and `*` is the rest, if there is one.
fn fits(pattern: &str, path: &str) -> bool {
    let [pattern, path] = [pattern, path].map(|it| it.strip_suffix('/').unwrap_or(it));
    let mut segments = path.split('/');
    for part in pattern.split('/') {
        let Some(segment) = segments.next() else { return part == "*" };
        match part {
            "*" => return true,
            _ if part.starts_with('{') => {
                if segment.is_empty() {
                    return false;
                }
            }
            _ => {
                if part != segment {
                    return false;
                }
            }
        }
    }
    segments.next().is_none()
}
