//! The role that is shipped allows what is asked for, and no more.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::cluster::{Cluster, block_on};
use super::objects::shop;

/// Group and resource of a path, as `/apis/discovery.k8s.io/v1/endpointslices`.
fn resource_of(path: &str) -> (String, String) {
    let parts: Vec<_> = path.split('/').skip(1).collect();
    match parts[..] {
        ["api", _, resource] => (String::new(), resource.to_owned()),
        ["apis", group, _, resource] => (group.to_owned(), resource.to_owned()),
        _ => panic!("{path}: no collection"),
    }
}

fn allowed() -> BTreeSet<(String, String)> {
    let text = include_str!("../../../manifests/rbac.yaml");
    let documents =
        text.split("\n---\n").map(|text| serde_saphyr::from_str::<Value>(text).unwrap());
    let role = documents.into_iter().find(|document| document["kind"] == "ClusterRole").unwrap();
    let mut allowed = BTreeSet::new();
    for rule in role["rules"].as_array().unwrap() {
        if rule["resources"] == json!(["events"]) {
            assert_eq!(rule["verbs"], json!(["create"]));
            continue;
        }
        if rule["resources"] == json!(["nodes/status"]) {
            assert_eq!(rule["verbs"], json!(["patch"]));
            continue;
        }
        assert_eq!(rule["verbs"], json!(["get", "list", "watch"]));
        for resource in rule["resources"].as_array().unwrap() {
            let group = rule["apiGroups"][0].as_str().unwrap().to_owned();
            allowed.insert((group, resource.as_str().unwrap().to_owned()));
        }
    }
    allowed
}

#[test]
fn the_role_allows_what_is_asked_for_and_no_more() {
    block_on(async {
        let mut cluster = Cluster::of(&shop());
        cluster.until_well().await;
        let requests = cluster.server.take_requests();
        let asked: BTreeSet<_> =
            requests.iter().map(|query| resource_of(query.resource.path())).collect();
        assert_eq!(asked, allowed());
    });
}
