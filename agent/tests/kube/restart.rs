//! An agent that takes over while the API server is away, slow or partly silent: what is pinned
//! serves, and nothing is taken out before everything was listed.

use std::time::Duration;

use replay::{Answer, Resource, Server, Verb};
use tokio::time::timeout;

use super::cluster::{Cluster, block_on, outcome_of_files};
use super::objects::shop;

/// A node that an earlier agent left, and a server that lost half of what that agent knew.
async fn left_behind() -> (Cluster, Server) {
    let mut cluster = Cluster::of(&shop());
    cluster.until_well().await;
    let server = Server::default();
    for object in shop() {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        if name != "till" && name != "cart-x7k2p" {
            server.put(object);
        }
    }
    (cluster, server)
}

#[test]
fn nothing_is_taken_out_before_every_collection_was_listed() {
    for late in Resource::NEEDED {
        for (name, answer) in [
            ("silence", Answer::Silence),
            ("reset", Answer::Reset),
            ("refusal", Answer::refusal(500, "InternalError", "m")),
        ] {
            block_on(async {
                let (cluster, server) = left_behind().await;
                let before = cluster.outcome().maps;
                for _ in 0..20 {
                    server.fault(late, Verb::List, answer.clone());
                }
                let mut cluster = Cluster::taking_over(server, cluster.node);
                let minute = Duration::from_secs(60);
                let _elapsed = timeout(minute, cluster.until(|it| it.node.report.complete)).await;
                assert!(!cluster.node.report.complete, "{late:?} {name}");
                assert_eq!(cluster.outcome().maps, before, "{late:?} {name}");
                cluster.until(|it| it.node.report.complete).await;
                let expected: Vec<_> = shop()
                    .into_iter()
                    .filter(|object| {
                        !["till", "cart-x7k2p"]
                            .contains(&object["metadata"]["name"].as_str().unwrap())
                    })
                    .collect();
                assert_eq!(cluster.outcome(), outcome_of_files(&expected), "{late:?} {name}");
            });
        }
    }
}

#[test]
fn with_the_server_away_what_is_pinned_serves_and_the_reason_is_told() {
    block_on(async {
        let (cluster, server) = left_behind().await;
        let before = cluster.outcome().maps;
        for resource in Resource::ALL {
            for _ in 0..200 {
                server.fault(resource, Verb::List, Answer::Reset);
            }
        }
        let mut cluster = Cluster::taking_over(server, cluster.node);
        let hour = Duration::from_secs(3600);
        let _elapsed = timeout(hour, cluster.until(|it| it.node.report.listed)).await;
        assert_eq!(cluster.outcome().maps, before);
        assert_eq!((cluster.node.report.listed, cluster.node.report.writes), (false, 0));
        let problems = cluster.node.problems();
        let start = "API server https://api.test cannot be reached for services, \
                     endpointslices.discovery.k8s.io, nodes: ";
        assert!(problems.starts_with(start) && problems.lines().count() == 1, "{problems}");
        let asked = cluster.server.take_requests().len();
        assert!((400..1200).contains(&asked), "{asked} requests in an hour");
    });
}
