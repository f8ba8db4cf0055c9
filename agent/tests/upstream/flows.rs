//! `TestCleanStaleEntries` and `TestServiceWithoutEndpoints` of `pkg/proxy/conntrack/
//! cleanup_test.go`: kube-proxy deletes a UDP flow whose endpoint does not serve any more. Nothing is
//! deleted here: the flow's next packet chooses again, whatever the Service had in between.

use dataplane_common::packet::TcpFlags;

use super::rows::{ingress, service_with, slice};
use crate::support::cluster::Cluster;

const SPEC: &str = "type: LoadBalancer, clusterIP: 172.30.1.5, externalIPs: [5.6.7.8], ports: \
                    [{name: u, port: 8000, nodePort: 32000, protocol: UDP}, \
                    {name: t, port: 8000, nodePort: 32000}]";

/// The endpoint that a flow has, among two.
const FIRST: &str = "10.244.0.3";
const OTHER: &str = "10.244.0.4";

/// Every way in, for a client outside and one in a pod.
const WAYS: [(&str, &str); 8] = [
    ("203.0.113.2", "172.30.1.5:8000"),
    ("203.0.113.2", "1.2.3.4:8000"),
    ("203.0.113.2", "5.6.7.8:8000"),
    ("203.0.113.2", "192.168.0.2:32000"),
    ("10.0.0.2", "172.30.1.5:8000"),
    ("10.0.0.2", "1.2.3.4:8000"),
    ("10.0.0.2", "5.6.7.8:8000"),
    ("10.0.0.2", "192.168.0.2:32000"),
];

const SPORT: u16 = 5000;

fn served(endpoints: &str) -> String {
    service_with("svc1", SPEC, &ingress(&["1.2.3.4"]))
        + &slice("svc1-1", "u:8000/UDP t:8000", endpoints)
}

/// The address of the endpoint that the next packet of a flow reaches, or what else it meets.
fn next(cluster: &Cluster, from: &str, to: &str, protocol: &str, flags: TcpFlags) -> String {
    let met = cluster.flow((from, SPORT), &format!("{to}/{protocol}"), flags);
    met.split(':').next().unwrap_or_default().to_owned()
}

/// Both endpoints serve, the first is chosen.
fn begun() -> Cluster {
    let [mut cluster, _] = Cluster::both();
    cluster.write("svc1", &served(&format!("{FIRST}@R {OTHER}@R")));
    for (from, to) in WAYS {
        for protocol in ["TCP", "UDP"] {
            assert_eq!(next(&cluster, from, to, protocol, TcpFlags::SYN), FIRST, "{from} {to}");
        }
    }
    cluster
}

#[test]
fn test_clean_stale_entries() {
    for (name, endpoints, of_tcp, of_udp) in [
        ("serving", format!("{FIRST}@R {OTHER}@R"), FIRST, FIRST),
        ("serving and on its way out", format!("{FIRST}@Rst {OTHER}@R"), FIRST, FIRST),
        ("not serving", format!("{FIRST}@R- {OTHER}@R"), FIRST, OTHER),
        ("deleted", format!("{OTHER}@R"), FIRST, OTHER),
        ("others added", format!("{FIRST}@R {OTHER}@R 10.244.0.5@R"), FIRST, FIRST),
    ] {
        let mut cluster = begun();
        cluster.write("svc1", &served(&endpoints));
        for (from, to) in WAYS {
            let met =
                ["TCP", "UDP"].map(|protocol| next(&cluster, from, to, protocol, TcpFlags::ACK));
            assert_eq!(met, [of_tcp, of_udp], "{name}: {from} to {to}");
        }
    }
}

#[test]
fn test_service_without_endpoints() {
    let mut cluster = begun();
    cluster.write("svc1", &served(""));
    for (from, to) in WAYS {
        assert_eq!(next(&cluster, from, to, "UDP", TcpFlags::SYN), "REJECT", "{from} to {to}");
    }
    cluster.write("svc1", &served(&format!("{OTHER}@R")));
    for (from, to) in WAYS {
        assert_eq!(next(&cluster, from, to, "UDP", TcpFlags::SYN), OTHER, "{from} to {to}");
    }
}

/// What was sent before there was a Service leaves nothing that would keep later packets from it.
#[test]
fn a_flow_that_began_before_its_service_is_served_as_soon_as_there_is_one() {
    let [mut cluster, _] = Cluster::both();
    for (from, to) in WAYS {
        assert_eq!(next(&cluster, from, to, "UDP", TcpFlags::SYN), "", "{from} to {to}");
    }
    cluster.write("svc1", &served(&format!("{OTHER}@R")));
    for (from, to) in WAYS {
        assert_eq!(next(&cluster, from, to, "UDP", TcpFlags::SYN), OTHER, "{from} to {to}");
    }
}

/// Other ports of the same addresses are nobody's but the node's and its peers'.
#[test]
fn other_ports_of_an_external_address_are_left_alone() {
    let cluster = begun();
    for to in ["1.2.3.4:3000", "5.6.7.8:3000", "192.168.0.2:32001"] {
        for protocol in ["TCP", "UDP"] {
            let met = next(&cluster, "203.0.113.2", to, protocol, TcpFlags::SYN);
            assert_eq!(met, "", "{to}/{protocol}");
        }
    }
}
