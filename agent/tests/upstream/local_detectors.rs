//! Rows of `pkg/proxy/util/localdetector_test.go` and of `Test_getLocalDetectors` of
//! `cmd/kube-proxy/app/server_linux_test.go`: whose packets to a cluster IP are a pod's.

use waggle_agent::config::DetectLocal;
use waggle_agent::detection::Detection;

use super::rows::{service, slice};
use crate::support::cluster::Cluster;

/// A pod behind its own link, one of the same addresses behind a bridge, a pod of another node, and
/// the node itself.
const SENDERS: [&str; 4] = ["10.180.0.2", "10.180.0.2%cbr0", "10.181.0.2%eth0", "192.168.0.2"];
const SENDERS_V6: [&str; 4] =
    ["fd00:10::9", "fd00:10::9%cbr0", "fd00:10:0:0:1::9%eth0", "2001:db8::1"];

fn cluster_cidrs(cidrs: &[&str]) -> DetectLocal {
    DetectLocal::ClusterCidrs(cidrs.iter().map(|cidr| cidr.parse().unwrap()).collect())
}

/// Which of the senders keep their address.
fn kept(cluster: &Cluster, senders: [&str; 4], to: &str) -> [bool; 4] {
    senders.map(|from| !cluster.send(from, to).ends_with("as node"))
}

#[test]
fn test_get_local_detectors() {
    let bridge = |name: &str| DetectLocal::BridgeInterface(name.to_owned());
    let prefix = |name: &str| DetectLocal::InterfaceNamePrefix(name.to_owned());
    for (name, by, v4, v6) in [
        ("what the node knows", DetectLocal::OwnPods, "yyn", "yyn"),
        ("ClusterCIDR, dual-stack", cluster_cidrs(&["10.0.0.0/8", "fd00:10::/64"]), "yyy", "yyy"),
        ("ClusterCIDR, this node's part", cluster_cidrs(&["10.180.0.0/16"]), "yyn", "yyyy"),
        ("ClusterCIDR, IPv6", cluster_cidrs(&["fd00:10::/64"]), "yyyy", "yyy"),
        ("ClusterCIDR, none", cluster_cidrs(&[]), "yyyy", "yyyy"),
        ("NodeCIDR", DetectLocal::NodeCidr, "yyn", "yyn"),
        ("BridgeInterface", bridge("cbr0"), "yyn", "yyn"),
        ("BridgeInterface, of another name", bridge("cbr"), "ynn", "ynn"),
        ("InterfaceNamePrefix", prefix("cb"), "yyn", "yyn"),
        ("InterfaceNamePrefix, of the uplink", prefix("eth"), "yny", "yny"),
        ("nothing is known", DetectLocal::None, "yyyy", "yyyy"),
    ] {
        let detection = Detection { by, ..Detection::default() };
        let mut cluster = Cluster::with(detection, &["primary"]);
        let objects = [
            service(
                "svc1",
                "clusterIPs: [172.30.0.41, 'fd00:172:30::41'], ports: [{name: p, port: 80}]",
            ),
            slice("svc1-1", "p:80", "10.180.0.1@L"),
            slice("svc1-2", "p:80", "fd00:10::1@L"),
        ];
        cluster.write("svc1", &objects.concat());
        for (senders, to, expected) in
            [(SENDERS, "172.30.0.41:80", v4), (SENDERS_V6, "[fd00:172:30::41]:80", v6)]
        {
            let found = kept(&cluster, senders, to).map(|kept| if kept { 'y' } else { 'n' });
            let expected = format!("{expected:n<4}");
            assert_eq!(found.iter().collect::<String>(), expected, "{name}: {to}");
        }
    }
}
