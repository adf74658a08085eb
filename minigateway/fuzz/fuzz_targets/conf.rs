//! Any text as a configuration: an error has a location in the text, and a valid configuration
//! decides about requests without a panic.
#![no_main]

use minigateway::conf::config::read;
use minigateway::explain::why::{Burst, explain_burst};
use minigateway::handlers::pipeline::Pipeline;
use std::time::Duration;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let resolve = |server: &str| server.parse().map(|it| vec![it]).map_err(|_| "none".to_owned());
    match read(text, &resolve, &|_| Err(String::new())) {
        Err(error) => assert!(error.line <= text.lines().count() + 1, "{error}"),
        // A store of 2 GB is not a finding.
        Ok(config) if config.limits.iter().any(|it| it.keys_max > 1000) => {}
        Ok(config) => {
            let pipeline = Pipeline::new(config, None);
            let burst = Burst {
                method: "GET".to_owned(),
                url: "/a/7".to_owned(),
                headers: vec!["X-A: 1".to_owned()],
                data: String::new(),
                from: [192, 0, 2, 1].into(),
                times: 3,
                every: Duration::from_millis(400),
            };
            explain_burst(&pipeline, &burst, &mut std::io::sink()).expect("a request");
        }
    }
});
