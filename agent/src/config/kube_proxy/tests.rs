//! Files as they are found, and what becomes of them.

use std::time::Duration;

use super::*;
use crate::config::{Config, Conntrack, DetectLocal, NodePortAddress};

/// The configuration, and what the file says in vain.
fn taken(text: &str) -> (Config, Vec<String>) {
    let Taken { config, left_out } = parse(Path::new("k.yaml"), text).unwrap();
    let left_out = left_out.into_iter().map(|it| format!("{} ({})", it.field, it.why));
    (config, left_out.collect())
}

fn with(body: &str) -> String {
    format!("apiVersion: {API_VERSION}\nkind: {KIND}\n{body}")
}

/// What is served where nothing is said: a mode of old is meant.
fn usual() -> Config {
    let node_port_addresses = vec![NodePortAddress::All, NodePortAddress::Localhost];
    Config { node_port_addresses, ..Config::default() }
}

#[test]
fn the_file_of_kubeadm_is_taken_without_a_word() {
    let cidrs = ["10.244.0.0/16", "fd00:10:244::/56"].map(|cidr| cidr.parse().unwrap());
    let expected = Config {
        kubeconfig: Some("/var/lib/kube-proxy/kubeconfig.conf".into()),
        detect_local: DetectLocal::ClusterCidrs(cidrs.to_vec()),
        ..usual()
    };
    assert_eq!(taken(include_str!("samples/kubeadm.yaml")), (expected, vec![]));
}

#[test]
fn the_file_of_kind_leaves_the_sysctls_alone() {
    let conntrack = Conntrack {
        max_per_core: 0,
        tcp_established_timeout: Duration::ZERO,
        tcp_close_wait_timeout: Duration::ZERO,
        ..Conntrack::default()
    };
    let expected = Config { conntrack, ..Config::default() };
    let left_out = vec!["metadata (unknown)".to_owned()];
    assert_eq!(taken(include_str!("samples/kind.yaml")), (expected, left_out));
}

#[test]
fn a_file_as_clouds_write_it_is_taken_as_json() {
    let conntrack = Conntrack {
        max_per_core: 65_536,
        min: 262_144,
        tcp_be_liberal: true,
        udp_timeout: Duration::from_secs(10),
        udp_stream_timeout: Duration::from_secs(60),
        ..Conntrack::default()
    };
    let expected = Config {
        kubeconfig: Some("/var/lib/kube-proxy/kubeconfig".into()),
        node_port_addresses: vec![NodePortAddress::All],
        detect_local: DetectLocal::InterfaceNamePrefix("gke".to_owned()),
        healthz_bind_address: "[::]:10256".parse().unwrap(),
        metrics_bind_address: "0.0.0.0:10249".parse().unwrap(),
        bind_address_hard_fail: true,
        sync_period: Duration::from_secs(60),
        min_sync_period: Duration::from_secs(10),
        conntrack,
        ..Config::default()
    };
    let left_out = [
        "featureGates (no gates here)",
        "logging.verbosity (see logLevel and RUST_LOG)",
        "oomScoreAdj (left to who starts the agent)",
    ];
    let left_out = left_out.map(str::to_owned).to_vec();
    assert_eq!(taken(include_str!("samples/managed.json")), (expected, left_out));
}

#[test]
fn a_file_for_ipvs_is_taken_and_what_is_of_ipvs_alone_is_named() {
    let networks = ["192.168.0.0/24", "127.0.0.0/8"];
    let within = networks.map(|network| NodePortAddress::Within(network.parse().unwrap()));
    let expected = Config {
        node_name: Some("node-a".to_owned()),
        node_port_addresses: within.to_vec(),
        detect_local: DetectLocal::None,
        masquerade_all: true,
        healthz_bind_address: "0.0.0.0:10356".parse().unwrap(),
        sync_period: Duration::from_secs(10),
        min_sync_period: Duration::ZERO,
        ..Config::default()
    };
    let left_out = [
        "iptables.masqueradeBit (packets are not marked)",
        "ipvs.excludeCIDRs (no IPVS here)",
        "ipvs.scheduler (no IPVS here)",
        "ipvs.strictARP (no IPVS here)",
        "ipvs.tcpTimeout (no IPVS here)",
    ];
    let left_out = left_out.map(str::to_owned).to_vec();
    assert_eq!(taken(include_str!("samples/ipvs.yaml")), (expected, left_out));
}

#[test]
fn node_ports_are_where_the_mode_has_them() {
    use NodePortAddress::{All, Localhost, Primary, Within};
    let within = |text: &str| Within(text.parse().unwrap());
    for (body, expected) in [
        ("mode: iptables", vec![All, Localhost]),
        ("mode: ipvs", vec![All]),
        ("mode: nftables", vec![Primary]),
        ("iptables: {localhostNodePorts: false}", vec![All]),
        ("nodePortAddresses: [10.0.0.0/8]", vec![within("10.0.0.0/8")]),
        ("nodePortAddresses: [0.0.0.0/0]", vec![within("0.0.0.0/0"), Localhost]),
        ("nodePortAddresses: [127.0.0.0/8]", vec![within("127.0.0.0/8"), Localhost]),
        (
            "iptables: {localhostNodePorts: false}\nnodePortAddresses: [127.0.0.0/8]",
            vec![within("127.0.0.0/8")],
        ),
        ("mode: nftables\nnodePortAddresses: [localhost]", vec![Localhost]),
        ("mode: nftables\nnodePortAddresses: [primary]", vec![Primary]),
    ] {
        assert_eq!(taken(&with(body)).0.node_port_addresses, expected, "{body}");
    }
}

#[test]
fn pods_are_known_by_what_the_file_says() {
    let networks = || DetectLocal::ClusterCidrs(vec!["10.0.0.0/8".parse().unwrap()]);
    for (body, expected) in [
        ("", DetectLocal::OwnPods),
        ("clusterCIDR: 10.0.0.0/8", networks()),
        ("detectLocalMode: ClusterCIDR\nclusterCIDR: 10.0.0.0/8", networks()),
        ("detectLocalMode: ClusterCIDR", DetectLocal::None),
        ("detectLocalMode: NodeCIDR\nclusterCIDR: 10.0.0.0/8", DetectLocal::NodeCidr),
        (
            "detectLocalMode: BridgeInterface\ndetectLocal: {bridgeInterface: br0}",
            DetectLocal::BridgeInterface("br0".to_owned()),
        ),
    ] {
        assert_eq!(taken(&with(body)).0.detect_local, expected, "{body}");
    }
}

#[test]
fn what_is_unknown_is_named_and_the_last_of_two_counts() {
    let (config, left_out) =
        taken(&with("nodeportaddresses: []\nipvs: {sched: rr}\nmode: ipvs\nmode: nftables"));
    assert_eq!(config, Config::default());
    assert_eq!(left_out, ["ipvs.sched (unknown)", "nodeportaddresses (unknown)"]);
}

#[test]
fn a_wrong_kind_is_refused_with_its_position() {
    for (body, position, cause) in [
        ("mode: 5", "3:7", "mode is a number; write a text"),
        ("mode: userspace", "3:7", "unknown variant `userspace`, expected one of"),
        ("conntrack:\n  maxPerCore: many", "4:15", "conntrack.maxPerCore is a text; write a whole"),
        ("conntrack: {min: 1.5}", "3:18", "conntrack.min is a number; write a whole number"),
        ("conntrack: {min: -1}", "3:18", "invalid u32"),
        ("conntrack: 7", "3:12", "conntrack is a number; write the fields of the section"),
        ("conntrack: {udpTimeout: 10}", "3:25", "conntrack.udpTimeout is a number; write a span"),
        ("conntrack: {udpTimeout: soon}", "3:25", "conntrack.udpTimeout is a text; write a span"),
        ("ipvs: {strictARP: 'yes'}", "3:19", "ipvs.strictARP is a text; write true or false"),
        ("clusterCIDR: 10.0.0.1", "3:14", "\"10.0.0.1\" is no network; write it as 10.0.0.0/8"),
        ("nodePortAddresses: [10.0.0.1]", "3:21", "\"10.0.0.1\" names no addresses of a node"),
        ("nodePortAddresses: 10.0.0.0/8", "3:20", "nodePortAddresses is a text; write a list"),
        ("healthzBindAddress: here", "3:21", "\"here\" is no address to listen at; write it as"),
        (
            "detectLocalMode: BridgeInterface",
            "3:18",
            "detectLocalMode needs detectLocal.bridgeInterface, which is empty; fill it in",
        ),
    ] {
        let message = parse(Path::new("k.yaml"), &with(body)).unwrap_err().to_string();
        assert!(message.starts_with(&format!("k.yaml:{position}: {cause}")), "{message}");
    }
}
