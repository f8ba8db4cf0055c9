//! Rows of `TestNodePorts` of `pkg/proxy/nftables/proxier_test.go` and `pkg/proxy/iptables/
//! proxier_test.go`, of `pkg/proxy/util/nodeport_addresses_test.go`, and of `pkg/proxy/node_test.go`.

use waggle_agent::detection::Detection;

use super::rows::{Row, check, service, slice};
use crate::support::cluster::Cluster;

const INSIDE: &[Row] = &[
    ("pod to cluster IP", "10.0.0.2", "172.30.0.41:80", "10.180.0.1:80 10.180.2.1:80"),
    (
        "pod to cluster IP, IPv6",
        "fd00:10::9",
        "[fd00:172:30::41]:80",
        "[fd00:10::1]:80 [fd00:10:2::1]:80",
    ),
];

const BOTH: &str = "10.180.0.1:80 10.180.2.1:80 as node";
const BOTH_V6: &str = "[fd00:10::1]:80 [fd00:10:2::1]:80 as node";

/// Who sends where, and which of a case's words says whether it is served.
const ENTRANCES: [(&str, &str, char, &str); 8] = [
    ("203.0.113.2", "192.168.0.2:3001", 'p', BOTH),
    ("192.168.0.2", "192.168.0.2:3001", 'p', BOTH),
    ("203.0.113.2", "192.168.1.2:3001", 's', BOTH),
    ("192.168.0.2", "127.0.0.1:3001", 'l', BOTH),
    ("2600:5200::1", "[2001:db8::1]:3001", 'P', BOTH_V6),
    ("2001:db8::1", "[2001:db8::1]:3001", 'P', BOTH_V6),
    ("2600:5200::1", "[2001:db8:1::2]:3001", 'S', BOTH_V6),
    ("2001:db8::1", "[::1]:3001", 'L', BOTH_V6),
];

/// A case: its name; where NodePorts are served; of primary and secondary address and loopback
/// those that are, of IPv6 in capitals.
type Case = (&'static str, &'static [&'static str], &'static str);

const CASES: &[Case] = &[
    ("default", &["primary"], "pP"),
    (
        "IPv4 and IPv6, networks",
        &["192.168.0.0/24", "192.168.1.0/24", "2001:db8::/64", "2001:db8:1::2/128"],
        "psPS",
    ),
    ("IPv4, all", &["0.0.0.0/0", "::/0"], "psPS"),
    ("all by word", &["all"], "psPS"),
    ("IPv4 secondary alone", &["192.168.1.0/24", "2001:db8::/64"], "sP"),
    // Here `localhost` is served, of IPv6 and UDP too, and without route_localnet.
    ("primary and localhost", &["primary", "localhost"], "pPlL"),
    ("localhost alone", &["localhost"], "lL"),
    ("all and localhost", &["all", "localhost"], "psPSlL"),
];

/// A Service with a NodePort, where NodePorts are served at these addresses.
fn serving(addresses: &[&str]) -> Cluster {
    let spec = "type: NodePort, clusterIPs: [172.30.0.41, 'fd00:172:30::41'], \
                ports: [{name: p80, port: 80, nodePort: 3001}]";
    let objects = [
        service("svc1", spec),
        slice("svc1-1", "p80:80", "10.180.0.1@L 10.180.2.1@R"),
        slice("svc1-2", "p80:80", "fd00:10::1@L fd00:10:2::1@R"),
    ];
    let mut cluster = Cluster::with(Detection::default(), addresses);
    cluster.write("svc1", &objects.concat());
    cluster
}

fn at_entrances(when: &str, cluster: &Cluster, served: &str) {
    for (from, to, word, reached) in ENTRANCES {
        let expected = if served.contains(word) { reached } else { "" };
        assert_eq!(cluster.send(from, to), expected, "{when}: {from} -> {to}");
    }
}

#[test]
fn test_node_ports() {
    for (name, addresses, served) in CASES {
        let cluster = serving(addresses);
        check(name, &cluster, INSIDE);
        at_entrances(name, &cluster, served);
    }
}

/// Addresses that come later, as on a bridge, of a virtual router or of a tunnel.
#[test]
fn test_get_node_ips() {
    for (name, addresses, is_served) in [
        ("IPv4 single", &["10.20.30.51/32"][..], false),
        ("IPv4 zero CIDR", &["0.0.0.0/0"], true),
        ("IPv4 zero CIDR beside others", &["10.20.30.51/32", "0.0.0.0/0"], true),
        ("IPv4 network around it", &["100.200.0.0/16"], true),
        ("IPv6 networks alone mean all of IPv4", &["2001:db8::/32"], true),
        ("IPv6 zero CIDR and IPv4 network", &["::/0", "10.20.30.0/24"], false),
        ("primary", &["primary"], false),
    ] {
        let mut cluster = serving(addresses);
        assert_eq!(cluster.send("203.0.113.2", "100.200.201.1:3001"), "", "{name}, before");
        cluster.hold("100.200.201.1");
        let expected = if is_served { BOTH } else { "" };
        assert_eq!(cluster.send("203.0.113.2", "100.200.201.1:3001"), expected, "{name}");
    }
}

/// kube-proxy ends where the Node gets another address or podCIDR, and begins anew.
#[test]
fn test_node_manager_on_node_change() {
    let mut cluster = serving(&["primary"]);
    at_entrances("before", &cluster, "pP");
    cluster.write(
        "nodes",
        "apiVersion: v1\nkind: Node\nmetadata: {name: node-a}\nstatus: {addresses: \
         [{type: InternalIP, address: 192.168.1.2}, {type: InternalIP, address: '2001:db8:1::2'}]}\n",
    );
    at_entrances("after", &cluster, "sS");
}

/// A Service's own address comes before NodePorts at the same.
#[test]
fn a_frontend_at_the_nodes_own_address_comes_before_a_node_port() {
    let mut cluster = serving(&["primary"]);
    let spec = "clusterIP: 172.30.0.42, externalIPs: [192.168.0.2], ports: [{name: p, port: 3001}]";
    let other = [service("svc2", spec), slice("svc2-1", "p:99", "10.180.2.2")].concat();
    cluster.write("svc2", &other);
    assert_eq!(cluster.send("203.0.113.2", "192.168.0.2:3001"), "10.180.2.2:99 as node");
    cluster.remove("svc2");
    at_entrances("and without it", &cluster, "pP");
}
