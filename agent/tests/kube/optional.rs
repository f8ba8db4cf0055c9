//! Collections that a cluster may have, or give leave to read, and may not.

use std::collections::BTreeSet;
use std::time::Duration;

use replay::{Answer, Resource, Verb};
use serde_json::{Value, json};
use waggle_agent::kube::Phase;
use waggle_agent::model::Name;

use super::cluster::{Cluster, block_on};
use super::objects::shop;

/// API servers before Kubernetes 1.33 know no ServiceCIDRs, and roles made for something else name
/// neither them nor NetworkPolicies.
#[test]
fn without_what_is_optional_all_is_well() {
    const OPTIONAL: [Resource; 2] = [Resource::ServiceCidrs, Resource::NetworkPolicies];
    for (code, reason) in [(404, "NotFound"), (403, "Forbidden")] {
        for absent in [&OPTIONAL[..1], &OPTIONAL[1..], &OPTIONAL] {
            block_on(async {
                let mut cluster = Cluster::of(&shop());
                for resource in absent.iter().flat_map(|resource| [*resource; 50]) {
                    let refusal = Answer::refusal(code, reason, "no");
                    cluster.server.fault(resource, Verb::List, refusal);
                }
                cluster.until_well().await;
                cluster.rest(Duration::from_secs(60)).await;
                assert_eq!(cluster.node.problems(), "", "{code} {absent:?}");
                let contacts = cluster.source.health().collections;
                let phases: Vec<_> = contacts.iter().map(|contact| contact.phase).collect();
                let expected = Resource::ALL.map(|resource| match absent.contains(&resource) {
                    true => Phase::Absent,
                    false => Phase::Watching,
                });
                assert_eq!(phases, expected, "{code} {absent:?}");
            });
        }
    }
}

#[test]
fn service_cidrs_are_followed() {
    block_on(async {
        let mut cluster = Cluster::of(&shop());
        cluster.until_well().await;
        let cidr = |cidr: &str| {
            json!({"kind": "ServiceCIDR", "apiVersion": "networking.k8s.io/v1",
                   "metadata": {"name": "all"}, "spec": {"cidrs": [cidr]}})
        };
        for text in ["10.96.0.0/16", "10.96.0.0/12"] {
            cluster.server.put(cidr(text));
            let expected = [text.parse().unwrap()].into();
            cluster.until(|it| it.node.engine.service_networks().cidrs == expected).await;
        }
        cluster.server.remove(Resource::ServiceCidrs, "all");
        cluster.until(|it| it.node.engine.service_networks().cidrs.is_empty()).await;
    });
}

/// A policy as an API server gives it to who asks for metadata: whole in tests, of another kind else.
fn policy(kind: &str, name: &str) -> Value {
    json!({"kind": kind, "apiVersion": "networking.k8s.io/v1",
           "metadata": {"name": name, "namespace": "shop"},
           "spec": {"podSelector": {}, "policyTypes": "what nobody reads"}})
}

#[test]
fn network_policies_are_followed_by_their_names() {
    block_on(async {
        let named = |names: &[&str]| {
            names.iter().map(|name| Name::new("shop", *name)).collect::<BTreeSet<_>>()
        };
        let mut cluster = Cluster::of(&shop());
        cluster.server.put(policy("NetworkPolicy", "deny"));
        let one = named(&["deny"]);
        cluster.until(|it| *it.node.engine.network_policies() == one).await;
        let of_metadata = policy("PartialObjectMetadata", "allow");
        let event = json!({"type": "ADDED", "object": of_metadata}).to_string();
        let resource = Resource::NetworkPolicies;
        cluster.server.fault(resource, Verb::Watch, Answer::events([event.as_str()]));
        cluster.server.compact();
        cluster.server.put(policy("NetworkPolicy", "deny"));
        let both = named(&["allow", "deny"]);
        cluster.until(|it| *it.node.engine.network_policies() == both).await;
        cluster.server.remove(resource, "shop/deny");
        let rest = named(&["allow"]);
        cluster.until(|it| *it.node.engine.network_policies() == rest).await;
        assert_eq!(cluster.node.problems(), "");
    });
}
