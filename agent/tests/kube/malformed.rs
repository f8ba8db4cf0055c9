//! Objects that cannot be read, of each kind: named, and the rest serves.

use replay::Resource;
use serde_json::{Value, json};

use super::cluster::{Cluster, Outcome, block_on, outcome_of_files};
use super::objects::{node, service, shop, slice, with};

/// What an object is called, what it should be, and how it cannot be read.
fn rows() -> Vec<(&'static str, Value, Value)> {
    let (late, slice, node) =
        (service("late", "10.96.0.8"), slice("late", &["10.1.1.9"]), node("node-c", 3));
    let rows = [
        ("Service shop/late", &late, "spec.ports", json!("many")),
        ("Service shop/late", &late, "spec", json!([1, 2])),
        ("Service shop/late", &late, "metadata.labels", json!(7)),
        ("Service shop/late", &late, "metadata.creationTimestamp", json!("yesterday")),
        ("Service shop/late", &late, "spec.ports", json!([{"port": 4_294_967_376_u64}])),
        ("Service shop/late", &late, "spec.clusterIPs", json!([10])),
        ("EndpointSlice shop/late-x7k2p", &slice, "endpoints", json!({"a": 1})),
        ("EndpointSlice shop/late-x7k2p", &slice, "ports", json!([{"port": "http"}])),
        ("EndpointSlice shop/late-x7k2p", &slice, "endpoints", json!([{"addresses": "10.1.1.9"}])),
        ("Node node-c", &node, "status.addresses", json!("192.0.2.3")),
        ("Node node-c", &node, "spec.podCIDRs", json!([{}])),
    ];
    rows.map(|(name, good, path, value)| (name, good.clone(), with(good.clone(), path, value)))
        .into()
}

/// What an object says that makes no sense, and what is said of that.
type Senseless = (&'static str, Value, &'static str);

fn of_services() -> Vec<Senseless> {
    let ports = |port: i64| json!([{"port": port}]);
    vec![
        ("spec", Value::Null, "has no cluster IP"),
        ("spec.clusterIPs", json!(["10.96.0.256"]), "which is no IP address; correct it"),
        ("spec.clusterIPs", json!(["127.0.0.1"]), "cannot be used here; use another address"),
        ("spec.ports", json!([]), "has no ports, so nothing of it can be served; add spec.ports"),
        ("spec.ports", ports(65_536), "has port 65536; use a number from 1 to 65535"),
        ("spec.ports", ports(0), "has port 0; use a number from 1 to 65535"),
        ("spec.ports", ports(-1), "has port -1; use a number from 1 to 65535"),
        ("spec.ports", json!([{"port": 80, "protocol": "tcp"}]), "\"tcp\"; use TCP, UDP or SCTP"),
        ("spec.type", json!("Internal"), "which is taken as ClusterIP; use ClusterIP, "),
        ("spec.sessionAffinity", json!("Always"), "is taken as None; use None or ClientIP"),
        ("spec.internalTrafficPolicy", json!("Zone"), "taken as Cluster; use Cluster or Local"),
        ("spec.externalIPs", json!(["here"]), "\"here\", which is no IP address; correct it"),
    ]
}

fn of_slices() -> Vec<Senseless> {
    let bad = json!([{"addresses": ["10.1.1.999"]}]);
    vec![
        ("addressType", json!("IPv5"), "has addressType \"IPv5\"; use IPv4 or IPv6"),
        ("addressType", json!("IPv6"), "is not of its addressType; move it to another slice"),
        ("metadata.labels", Value::Null, "belongs to no Service; add the label"),
        ("endpoints", bad, "\"10.1.1.999\", which is no IP address; correct it"),
        ("endpoints", json!([{}]), "without an address; add one or remove the endpoint"),
        ("ports", json!([{"port": 70_000}]), "has port 70000; use a number from 1 to 65535"),
        ("ports", json!([{"port": 80, "protocol": "IP"}]), "\"IP\"; use TCP, UDP or SCTP"),
    ]
}

fn of_nodes() -> Vec<Senseless> {
    let addresses = json!([{"type": "InternalIP", "address": "node-c"}]);
    vec![
        ("spec.podCIDRs", json!(["10.1.3.0/33"]), "is no network; write it as 10.1.1.0/24"),
        ("status.addresses", addresses, "InternalIP \"node-c\", which is no IP address; correct"),
    ]
}

fn message_of(name: &str) -> String {
    format!("{name} cannot be read: ")
}

#[test]
fn one_in_a_list_is_named_and_the_rest_serves() {
    for (name, good, bad) in rows() {
        block_on(async {
            let mut objects = shop();
            let mut cluster = Cluster::of(&objects);
            cluster.server.put(bad.clone());
            cluster.until(|it| it.node.report.listed).await;
            let report = &cluster.node.report;
            let [problem] = &report.problems[..] else { panic!("{bad}: {report:?}") };
            assert!(problem.to_string().starts_with(&message_of(name)), "{problem}");
            assert!(!report.complete, "{bad}");
            assert_eq!(cluster.outcome(), outcome_of_files(&objects), "{bad}");
            cluster.server.put(good.clone());
            objects.push(good);
            cluster.until_like(&objects).await;
            assert!(cluster.node.report.complete, "{bad}");
        });
    }
}

#[test]
fn one_that_makes_no_sense_is_named_with_a_remedy_and_the_rest_serves() {
    let served = outcome_of_files(&shop()).table;
    let (late, slice, node) =
        (service("late", "10.96.0.8"), slice("late", &["10.1.1.9"]), node("node-c", 3));
    for (name, good, rows) in [
        ("Service shop/late", late, of_services()),
        ("EndpointSlice shop/late-x7k2p", slice, of_slices()),
        ("Node node-c", node, of_nodes()),
    ] {
        for (path, value, message) in rows {
            let object = with(good.clone(), path, value);
            block_on(async {
                let mut cluster = Cluster::of(&shop());
                cluster.server.put(object.clone());
                cluster.until(|it| it.node.report.complete).await;
                let problems = cluster.node.problems();
                let mut lines = problems.lines();
                let is_named = lines.any(|it| it.starts_with(name) && it.contains(message));
                assert!(is_named, "{object}: {problems}");
                let table = cluster.outcome().table;
                assert!(served.lines().all(|line| table.contains(line)), "{object}: {table}");
            });
        }
    }
}

#[test]
fn one_that_becomes_so_stays_as_it_was_until_it_is_mended_or_gone() {
    for (name, good, bad) in rows() {
        block_on(async {
            let objects: Vec<_> = shop().into_iter().chain([good.clone()]).collect();
            let mut cluster = Cluster::of(&objects);
            cluster.until_well().await;
            let before: Outcome = cluster.outcome();
            cluster.server.put(bad.clone());
            cluster.until(|it| it.node.problems().starts_with(&message_of(name))).await;
            assert_eq!(cluster.outcome(), before, "{bad}");
            // The same, told by a list.
            cluster.server.compact();
            cluster.server.put(service("other", "10.96.0.30"));
            cluster.until(|it| it.outcome().table.contains("shop/other")).await;
            cluster.server.remove(Resource::Services, "shop/other");
            cluster.until(|it| it.outcome() == before).await;
            assert!(cluster.node.problems().starts_with(&message_of(name)), "{bad}");
            let (_, key) = name.split_once(' ').unwrap();
            for resource in Resource::ALL {
                cluster.server.remove(resource, key);
            }
            cluster.until_like(&shop()).await;
        });
    }
}

#[test]
fn one_without_a_name_keeps_others_from_being_taken_out() {
    block_on(async {
        let mut cluster = Cluster::of(&shop());
        cluster.until_well().await;
        cluster.server.remove(Resource::Services, "shop/till");
        cluster
            .server
            .put(json!({"kind": "Service", "apiVersion": "v1", "metadata": {"namespace": "shop"}}));
        cluster.server.compact();
        cluster.until(|it| it.node.problems().starts_with("a Service without a name")).await;
        assert!(cluster.outcome().table.contains("shop/till"), "{:?}", cluster.outcome());
        cluster.server.remove(Resource::Services, "shop/");
        cluster.server.compact();
        let expected: Vec<_> = shop()
            .into_iter()
            .filter(|object| object["metadata"]["name"] != "till" || object["kind"] != "Service")
            .collect();
        cluster.until_like(&expected).await;
    });
}
