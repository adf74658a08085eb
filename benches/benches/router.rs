//! Finding a route among 10, 1,000 and 10,000, beside `matchit` and trying one after another.
//!
//! `cargo bench -p benches --bench router`. Routes are `/v1/RESOURCE/{id}/PART`, three to a
//! resource; paths are drawn from all of them in turn.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use minigateway::engine::router::Router;

/// The patterns of `count` routes.
fn patterns(count: usize) -> Vec<String> {
    let pattern = |number: usize| {
        let resource = format!("/v1/resource-{}", number / 3);
        match number % 3 {
            0 => resource,
            1 => format!("{resource}/{{id}}"),
            _ => format!("{resource}/{{id}}/orders"),
        }
    };
    (0..count).map(pattern).collect()
}

fn find(c: &mut Criterion) {
    for (name, count) in [("router/10", 10), ("router/1k", 1_000), ("router/10k", 10_000)] {
        let patterns = patterns(count);
        let paths = patterns.iter().map(|it| it.replace("{id}", "42")).collect::<Vec<_>>();
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(1));

        let (mut ours, mut theirs) = (Router::default(), matchit::Router::new());
        for (route, pattern) in patterns.iter().enumerate() {
            ours.insert(pattern, route).expect("well formed");
            theirs.insert(pattern.as_str(), route).expect("no conflict");
        }
        let mut next = (0..count).cycle();
        group.bench_function("minigateway", |b| {
            b.iter(|| {
                let route = next.next().expect("endless");
                let found = ours.find(black_box(paths[route].as_bytes()), |_| true);
                assert_eq!(found, Some(route));
            });
        });
        group.bench_function("matchit", |b| {
            b.iter(|| {
                let route = next.next().expect("endless");
                let found = theirs.at(black_box(&paths[route])).map(|it| *it.value);
                assert_eq!(found.ok(), Some(route));
            });
        });
    }
}

criterion_group! {
    name = router;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = find
}
criterion_main!(router);
