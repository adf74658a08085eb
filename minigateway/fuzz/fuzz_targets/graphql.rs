//! Any document: nothing panics, the cost is bounded by the text, a comment changes nothing, and
//! the cost is the same in JSON, as `application/graphql` and in a batch with a stored query.
#![no_main]

use minigateway::wire::graphql::check;
use minigateway_graphql::{Cost, scan};
use minilb::wire::http1::head::RequestHead;

const MAX: Cost = Cost { depth: u32::MAX, aliases: u32::MAX };

libfuzzer_sys::fuzz_target!(|document: &str| {
    let costs = scan(document);
    assert_eq!(scan(&format!("#{{\n{document}\n#}}")).is_ok(), costs.is_ok());
    let total = costs.as_ref().map(|costs| {
        assert!(costs.len() <= document.len());
        let depth = costs.iter().map(|it| it.depth).max().unwrap_or(0);
        assert!(depth as usize <= document.len());
        let aliases = costs.iter().map(|it| it.aliases).fold(0, u32::saturating_add);
        let others = costs.len().saturating_sub(1) as u32;
        Cost { depth, aliases: aliases.saturating_add(others) }
    });

    let ask = |media_type: &str, body: &[u8]| {
        let mut request = RequestHead::default();
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: {media_type}\r\n\r\n");
        request.parse(head.as_bytes()).expect("well formed").expect("complete");
        check(MAX, &request, body).map_err(|(status, _)| status)
    };
    let expected = total.map_err(|_| 400);
    if !document.is_empty() {
        assert_eq!(ask("application/graphql", document.as_bytes()), expected);
    }
    let json = serde_json::to_string(document).expect("text is JSON");
    assert_eq!(ask("application/json", format!("{{\"query\":{json}}}").as_bytes()), expected);
    let batch = format!("[{{\"id\":1}},{{\"Query\":{json},\"variables\":{{}}}}]");
    assert_eq!(ask("application/json; charset=utf-8", batch.as_bytes()), expected);
    // Any body as it is: an answer, whatever it is.
    let _ = ask("application/json", document.as_bytes());
});
