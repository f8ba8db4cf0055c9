//! Node to [`NodeSpec`].

use ipnetwork::IpNetwork;
use k8s_openapi::api::core::v1::{Node, NodeSpec as Spec};

use super::Reading;
use super::reading::Findings;
use crate::model::{Name, NodeSpec};

const ZONE: &str = "topology.kubernetes.io/zone";
/// The key of the taint by which the cluster autoscaler says that a node goes.
const GOING: &str = "ToBeDeletedByClusterAutoscaler";

/// Reads a Node.
pub(super) fn from_resource(name: Name, node: &Node) -> Reading<NodeSpec> {
    let mut findings = Findings::default();
    let spec = node.spec.clone().unwrap_or_default();
    let pod_cidrs = pod_cidr_texts(&spec)
        .filter_map(|text| match text.parse::<IpNetwork>() {
            Ok(cidr) => Some(cidr),
            Err(_) => {
                findings.error(format!(
                    "has spec.podCIDRs \"{text}\", which is no network; write it as 10.1.1.0/24"
                ));
                None
            }
        })
        .collect();
    let addresses = node.status.iter().flat_map(|status| status.addresses.iter().flatten());
    let internal_ips = addresses
        .filter(|address| address.type_ == "InternalIP")
        .filter_map(|address| findings.address("InternalIP", &address.address))
        .collect();
    let zone = node.metadata.labels.as_ref().and_then(|labels| labels.get(ZONE));
    let zone = zone.filter(|zone| !zone.is_empty()).cloned();
    let is_leaving = node.metadata.deletion_timestamp.is_some() || is_going(&spec);
    let is_network_unavailable = is_network_unavailable(node);
    findings.with(Some(NodeSpec {
        name: name.name,
        pod_cidrs,
        internal_ips,
        zone,
        is_leaving,
        is_network_unavailable,
    }))
}

/// Whether the condition is there and not False: where no cloud sets it there is none.
fn is_network_unavailable(node: &Node) -> bool {
    let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let mut conditions = conditions.filter(|condition| condition.type_ == "NetworkUnavailable");
    conditions.any(|condition| condition.status != "False")
}

fn is_going(spec: &Spec) -> bool {
    spec.taints.iter().flatten().any(|taint| taint.key == GOING)
}

fn pod_cidr_texts(spec: &Spec) -> impl Iterator<Item = &str> {
    let listed = spec.pod_cidrs.iter().flatten();
    let single = spec.pod_cidr.iter().filter(|_| spec.pod_cidrs.is_none());
    listed.chain(single).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_network_is_named_and_the_rest_is_kept() {
        let yaml = "{apiVersion: v1, kind: Node, metadata: {name: node-a, labels: {\
            topology.kubernetes.io/zone: z1}}, spec: {podCIDRs: [10.1.1.0/24, 10.1.1.0/33, \
            'fd01:1::/64']}, status: {addresses: [{type: Hostname, address: node-a}, \
            {type: InternalIP, address: 192.168.0.1}]}}";
        let node: Node = serde_saphyr::from_str(yaml).unwrap();
        let reading = from_resource(Name::new("", "node-a"), &node);
        let expected = NodeSpec {
            name: "node-a".to_owned(),
            pod_cidrs: vec!["10.1.1.0/24".parse().unwrap(), "fd01:1::/64".parse().unwrap()],
            internal_ips: vec!["192.168.0.1".parse().unwrap()],
            zone: Some("z1".to_owned()),
            is_leaving: false,
            is_network_unavailable: false,
        };
        assert_eq!(reading.spec, Some(expected));
        assert_eq!(
            reading.problems.iter().map(|problem| &problem.message).collect::<Vec<_>>(),
            ["has spec.podCIDRs \"10.1.1.0/33\", which is no network; write it as 10.1.1.0/24"],
        );
    }

    #[test]
    fn a_node_leaves_by_its_deletion_and_by_the_autoscalers_taint() {
        for (name, fields, is_leaving) in [
            ("plain", "metadata: {name: a}", false),
            (
                "other taint",
                "metadata: {name: a}, spec: {taints: [{key: other, effect: NoSchedule}]}",
                false,
            ),
            ("cordoned", "metadata: {name: a}, spec: {unschedulable: true}", false),
            (
                "tainted",
                "metadata: {name: a}, spec: {taints: [{key: other, effect: NoSchedule}, \
              {key: ToBeDeletedByClusterAutoscaler, value: '17', effect: NoSchedule}]}",
                true,
            ),
            ("deleted", "metadata: {name: a, deletionTimestamp: '2026-01-01T00:00:00Z'}", true),
        ] {
            let yaml = format!("{{apiVersion: v1, kind: Node, {fields}}}");
            let node: Node = serde_saphyr::from_str(&yaml).unwrap();
            let spec = from_resource(Name::new("", "a"), &node).spec.unwrap();
            assert_eq!(spec.is_leaving, is_leaving, "{name}");
        }
    }
    #[test]
    fn pods_are_kept_away_by_a_condition_that_is_there_and_not_false() {
        for (conditions, expected) in [
            ("[]", false),
            ("[{type: Ready, status: 'True'}]", false),
            ("[{type: NetworkUnavailable, status: 'False'}]", false),
            ("[{type: Ready, status: 'True'}, {type: NetworkUnavailable, status: 'True'}]", true),
            ("[{type: NetworkUnavailable, status: Unknown}]", true),
        ] {
            let yaml = format!(
                "{{apiVersion: v1, kind: Node, metadata: {{name: a}}, status: {{conditions: {conditions}}}}}"
            );
            let node: Node = serde_saphyr::from_str(&yaml).unwrap();
            let spec = from_resource(Name::new("", "a"), &node).spec.unwrap();
            assert_eq!(spec.is_network_unavailable, expected, "{conditions}");
        }
    }
}
