//! Lists and watches of a server that does what it should.

use std::time::Duration;

use replay::{Answer, Piece, Query, Resource, Server, Verb};
use serde_json::{Value, json};
use tokio::time::Instant;
use waggle_agent::kube::{Entrance, Phase};
use waggle_agent::metrics::Metrics;

use super::cluster::{Cluster, block_on, entrance, outcome_of_files};
use super::objects::{node, service, shop, slice, with};

/// The label of slices of a Service without an address.
const HEADLESS: &str = "service.kubernetes.io/headless";

#[test]
fn both_sources_come_to_the_same() {
    let many = (0..1234_u32).map(|number| {
        let [.., high, low] = number.to_be_bytes();
        let address = json!(format!("192.0.{high}.{low}"));
        with(
            node(&format!("n{number}"), low),
            "status.addresses",
            json!([{"type": "InternalIP", "address": address}]),
        )
    });
    let many: Vec<_> = shop().into_iter().chain(many).collect();
    for (name, objects) in [("few", shop()), ("none", vec![]), ("several pages", many)] {
        block_on(async {
            let mut cluster = Cluster::of(&objects);
            assert_eq!(cluster.until_well().await, [""; 0], "{name}");
            assert_eq!(cluster.outcome(), outcome_of_files(&objects), "{name}");
        });
    }
}

#[test]
fn both_sources_leave_to_others_what_is_labelled_so() {
    let labelled = |object: Value, label: &str| {
        let mut labels = object["metadata"]["labels"].clone();
        labels[label] = json!("other");
        with(object, "metadata.labels", labels)
    };
    let named = |object, name: &str| with(object, "metadata.name", json!(name));
    let more = named(slice("cart", &["10.1.1.99"]), "cart-more");
    let anothers = "service.kubernetes.io/service-proxy-name";
    for (object, label, is_left) in [
        (service("more", "10.96.0.8"), anothers, true),
        (service("more", "10.96.0.8"), HEADLESS, false),
        (more.clone(), anothers, false),
        (more, HEADLESS, true),
    ] {
        let row = format!("{}, {label}", object["kind"]);
        let with_it = |object| shop().into_iter().chain([object]).collect::<Vec<_>>();
        let (plain, objects) = (with_it(object.clone()), with_it(labelled(object, label)));
        let expected = outcome_of_files(&if is_left { shop() } else { plain });
        block_on(async {
            let mut cluster = Cluster::of(&objects);
            assert_eq!(cluster.until_well().await, [""; 0], "{row}");
            assert_eq!(cluster.outcome(), expected, "{row}");
            assert_eq!(outcome_of_files(&objects), expected, "{row}");
        });
    }
}

#[test]
fn requests_select_limit_and_ask_for_bookmarks() {
    block_on(async {
        let mut cluster = Cluster::of(&shop());
        cluster.until_well().await;
        cluster.rest(Duration::from_secs(1)).await;
        let mut requests = cluster.server.take_requests();
        requests.sort_by_key(|query| (query.verb, query.resource));
        let found: Vec<_> = requests.iter().map(|query| (query.verb, query.resource)).collect();
        let expected = [Verb::List, Verb::Watch]
            .into_iter()
            .flat_map(|verb| Resource::ALL.map(|resource| (verb, resource)));
        assert_eq!(found, expected.collect::<Vec<_>>());
        for query in &requests {
            let selector = match query.resource {
                Resource::Services => Some("!service.kubernetes.io/service-proxy-name"),
                Resource::EndpointSlices => Some("!service.kubernetes.io/headless"),
                Resource::Nodes | Resource::ServiceCidrs | Resource::NetworkPolicies => None,
            };
            assert_eq!(query.get("labelSelector"), selector, "{query:?}");
            match query.verb {
                Verb::List => assert_eq!(query.get("limit"), Some("500"), "{query:?}"),
                Verb::PatchStatus => panic!("{query:?}"),
                Verb::Watch => {
                    assert_eq!(query.get("allowWatchBookmarks"), Some("true"), "{query:?}");
                    assert_eq!(query.get("resourceVersion"), Some("1006"), "{query:?}");
                    let seconds: u64 = query.get("timeoutSeconds").unwrap().parse().unwrap();
                    assert!((120..=180).contains(&seconds), "{query:?}");
                }
            }
        }
    });
}

#[test]
fn changes_are_followed() {
    let foreign = json!({"service.kubernetes.io/service-proxy-name": "other"});
    block_on(async {
        let mut objects = shop();
        let mut cluster = Cluster::of(&objects);
        cluster.until_well().await;
        for (name, position, changed) in [
            ("new address", 0, Some(service("cart", "10.96.0.9"))),
            ("endpoints", 1, Some(slice("cart", &["10.1.1.7"]))),
            (
                "left to another proxy",
                2,
                Some(with(objects[2].clone(), "metadata.labels", foreign)),
            ),
            ("taken back", 2, Some(objects[2].clone())),
            ("deleted slice", 3, None),
            ("deleted node", 4, None),
        ] {
            let before = objects[position].clone();
            match changed {
                Some(changed) => {
                    cluster.server.put(changed.clone());
                    objects[position] = changed;
                }
                None => {
                    remove(&cluster, &before);
                    objects.remove(position);
                }
            }
            assert_eq!(cluster.until_like(&objects).await, [""; 0], "{name}");
        }
    });
}

fn remove(cluster: &Cluster, object: &Value) {
    let kind = object["kind"].as_str().unwrap();
    let resource = Resource::ALL.into_iter().find(|resource| resource.kind() == kind).unwrap();
    let name = object["metadata"]["name"].as_str().unwrap();
    let key = object["metadata"]["namespace"]
        .as_str()
        .map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"));
    cluster.server.remove(resource, &key);
}

#[test]
fn a_burst_of_changes_is_one_round() {
    block_on(async {
        let mut cluster = Cluster::of(&shop());
        cluster.until_well().await;
        cluster.rest(Duration::from_secs(1)).await;
        for number in 0..100 {
            cluster.server.put(service(&format!("s{number}"), &format!("10.96.1.{number}")));
        }
        assert_eq!(cluster.step().await.len(), 100);
    });
}

/// The versions that watches of Services began from.
fn versions(requests: &[Query]) -> Vec<&str> {
    let is_watch =
        |query: &&Query| (query.verb, query.resource) == (Verb::Watch, Resource::Services);
    requests.iter().filter(is_watch).filter_map(|query| query.get("resourceVersion")).collect()
}

#[test]
fn a_bookmark_is_where_the_next_watch_begins() {
    block_on(async {
        let mut cluster = Cluster::of(&shop());
        cluster.until_well().await;
        cluster.server.bookmark();
        cluster.rest(Duration::from_secs(200)).await;
        assert_eq!(versions(&cluster.server.take_requests()), ["1006", "1007"]);
        let health = cluster.source.health();
        assert!(health.collections.iter().all(|contact| {
            contact.phase == Phase::Watching && contact.resource_version.as_deref() == Some("1007")
        }));
    });
}

#[test]
fn a_watch_that_says_nothing_and_does_not_end_is_given_up() {
    block_on(async {
        let mut cluster = Cluster::of(&shop());
        let silence = Answer::Stream(vec![Piece::Silence]);
        cluster.server.fault(Resource::Services, Verb::Watch, silence);
        cluster.until_well().await;
        let since = Instant::now();
        cluster.server.put(service("late", "10.96.0.7"));
        cluster.until(|it| it.outcome().table.contains("shop/late")).await;
        assert!(since.elapsed() < Duration::from_secs(200), "{:?}", since.elapsed());
    });
}

#[test]
fn events_in_pieces_are_put_together() {
    block_on(async {
        let mut cluster = Cluster::of(&shop());
        let version = json!("2000");
        let object = with(service("cart", "10.96.0.20"), "metadata.resourceVersion", version);
        let line = json!({"type": "MODIFIED", "object": object}).to_string() + "\n\n";
        let pieces = line.as_bytes().chunks(7).map(|part| {
            [
                Piece::Text(String::from_utf8(part.to_vec()).unwrap()),
                Piece::Pause(Duration::from_millis(1)),
            ]
        });
        let answer = Answer::Stream(pieces.flatten().chain([Piece::Silence]).collect());
        cluster.server.fault(Resource::Services, Verb::Watch, answer);
        let mut expected = shop();
        expected[0] = service("cart", "10.96.0.20");
        assert_eq!(cluster.until_like(&expected).await, [""; 0]);
    });
}

#[test]
fn requests_are_counted_by_method_and_answer() {
    block_on(async {
        let (server, metrics) = (Server::default(), Metrics::new().unwrap());
        let figures = Some(metrics.requests.clone());
        let entrance = Entrance { figures, ..entrance(&server) };
        let mut cluster = Cluster::entered(server, entrance);
        while !cluster.step().await.contains(&"listed, complete: true".to_owned()) {}
        let text = metrics.reply().body;
        for (name, labels) in [
            ("requests_total", "code=\"200\",host=\"api.test\",method=\"GET\""),
            ("request_duration_seconds_count", "host=\"api.test\",verb=\"GET\""),
        ] {
            let line = format!("rest_client_{name}{{{labels}}} ");
            let count = text.lines().find_map(|found| found.strip_prefix(&line)).unwrap_or("0");
            assert!(count.parse::<u32>().unwrap() >= 4, "a list of each collection: {text}");
        }
    });
}
