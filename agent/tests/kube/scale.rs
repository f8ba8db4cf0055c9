//! As much as a cluster can hold, in one piece.

use std::time::{Duration, Instant};

use replay::{Answer, Resource, Server, Verb};
use waggle_agent::k8s::Change;

use super::cluster::{Cluster, block_on};

const COUNT: u32 = 50_000;

/// A list in one page, whatever limit was asked for.
fn page() -> String {
    let template = "{\"metadata\": {\"name\": \"@name\", \"namespace\": \"shop\"}, \"spec\": \
                    {\"clusterIP\": \"@address\", \"ports\": [{\"port\": 80}]}}";
    let items = (0..COUNT).map(|number| {
        let [_, high, middle, low] = number.to_be_bytes();
        let address = format!("10.{}.{middle}.{low}", 100 + high);
        template.replace("@name", &format!("s{number}")).replace("@address", &address)
    });
    let items: Vec<_> = items.collect();
    format!("{{\"metadata\": {{\"resourceVersion\": \"9\"}}, \"items\": [{}]}}", items.join(","))
}

#[test]
fn fifty_thousand_objects_in_one_page_are_taken_in_a_few_at_a_time() {
    let server = Server::default();
    server.fault(Resource::Services, Verb::List, Answer::body(page()));
    block_on(async {
        let mut cluster = Cluster::around(server);
        let since = Instant::now();
        let (mut largest, mut sum, mut is_listed) = (0, 0, false);
        while !is_listed {
            let changes = cluster.source.next().await;
            largest = largest.max(changes.len());
            sum += changes.iter().filter(|change| matches!(change, Change::Apply(_))).count();
            is_listed = changes.iter().any(|change| matches!(change, Change::Listed { .. }));
        }
        assert_eq!(sum, COUNT as usize);
        assert!(largest < 3000, "{largest} objects were held at once");
        assert!(since.elapsed() < Duration::from_secs(120), "{:?}", since.elapsed());
    });
}
