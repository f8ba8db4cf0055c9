//! A host with devices of every role, and what follows for it.

use dataplane_common::abi::PodFlags;
use hostnet::link::Layer;
use hostnet::route::{Route, Way};

use super::*;
use crate::devices::tests::{devices, node};
use crate::node_ports::NodePorts;
use crate::service_networks::ServiceNetworks;

fn seen() -> Seen {
    let mut devices = devices(&[
        (1, "lo", 65536, &["127.0.0.1/8"]),
        (2, "eth0", 1500, &["192.0.2.1/24", "192.0.2.7/24", "fd00::1/64"]),
        (3, "tun0", 1400, &[]),
        (4, "cni0", 1450, &["10.1.1.1/24"]),
        (5, "vethport", 1450, &[]),
        (6, "pod0", 1500, &[]),
        (7, "wag00c0ffee123", 1500, &[]),
        (8, "bond0", 1500, &[]),
        (9, "slave0", 1500, &[]),
    ]);
    devices.links[2].layer = Layer::Ip;
    devices.links[3].kind = Some("bridge".to_owned());
    devices.links[4].controller = Some(4);
    devices.links[8].controller = Some(8);
    devices.links[6].kind = Some("veth".to_owned());
    let pod: IpAddr = "10.1.1.9".parse().unwrap();
    let entry = Pod { ifindex: 6, flags: PodFlags::default(), ..Pod::default() };
    let ways = vec![Way { destination: "0.0.0.0/0".parse().unwrap(), metric: 0, link: 2 }];
    let ours = vec![Route::on_link(pod.into(), 6)];
    let (pods, links) = ([(pod.into(), entry)].into(), BTreeMap::new());
    Seen { pods, links, devices, routes: Routes { ours, ways } }
}

fn uplink(mtu: u32) -> abi::Link {
    abi::Link { mtu, flags: LinkFlags::default() }
}

fn workloads(mtu: u32) -> abi::Link {
    abi::Link { mtu, flags: LinkFlags::WORKLOADS }
}

fn planned(own: &NodeSpec, test: impl FnOnce(&Seen, &Plan<'_>, Wanted)) {
    let seen = seen();
    let pods = seen.pod_links(Scan::Pins);
    let cluster = Cluster::default();
    let plan = Plan::of(&seen, Some(own), &cluster, &Selection::default(), &pods);
    test(&seen, &plan, pods);
}

#[test]
fn every_device_has_one_role() {
    planned(&node("a", &["192.0.2.1"], &[]), |seen, plan, pods| {
        let roles: Vec<_> = plan.roles(seen, pods).into_values().map(|wish| wish.role).collect();
        let expected = [
            Role::Other,
            Role::Device(Layer::Ethernet),
            Role::Device(Layer::Ip),
            Role::Device(Layer::Ethernet),
            Role::Port,
            Role::Pod,
            Role::InTheMaking,
            Role::Device(Layer::Ethernet),
            Role::Other,
        ];
        assert_eq!(roles, expected);
        let links: Vec<_> = plan.links(&Detection::default()).into_iter().collect();
        let expected =
            [(2, uplink(1500)), (3, workloads(1400)), (4, workloads(1450)), (8, workloads(1500))];
        assert_eq!(links, expected);
    });
}

#[test]
fn ports_go_with_their_bridge() {
    for (name, selection, other, expected) in [
        ("served", "", &[][..], Role::Port),
        ("whatever the port is called", "!veth*", &[], Role::Port),
        ("left out", "!cni0", &[], Role::Other),
        ("uplink", "", &["10.1.1.2"], Role::Other),
    ] {
        let mut seen = seen();
        let towards = |destination: &str| Way {
            destination: destination.parse().unwrap(),
            metric: 0,
            link: 4,
        };
        seen.routes.ways.push(towards("10.1.1.0/24"));
        let cluster = Cluster {
            nodes: [("b".to_owned(), node("b", other, &[]))].into(),
            ..Cluster::default()
        };
        let (pods, selection) = (seen.pod_links(Scan::Pins), selection.parse().unwrap());
        let plan = Plan::of(&seen, None, &cluster, &selection, &pods);
        assert_eq!(plan.roles(&seen, pods)[&5].role, expected, "{name}");
    }
}

#[test]
fn an_uplink_stays_one_until_all_nodes_are_known() {
    for (is_complete, expected) in
        [(false, [uplink(1500), uplink(1400)]), (true, [uplink(1500), workloads(1400)])]
    {
        let mut seen = seen();
        // As an agent before has left it: the default route was another, the tunnel is older.
        seen.links = [(2, workloads(1500)), (3, uplink(1280)), (4, workloads(1450))].into();
        let (pods, cluster) =
            (seen.pod_links(Scan::Pins), Cluster { is_complete, ..Cluster::default() });
        let plan = Plan::of(&seen, None, &cluster, &Selection::default(), &pods);
        let links: Vec<_> = plan.links(&Detection::default()).into_values().take(2).collect();
        assert_eq!(links, expected, "{is_complete}");
    }
}

fn serving() -> Cluster {
    let node_ports = NodePorts { range: Some((30_000, 30_010)), ..NodePorts::default() };
    let cidrs = ["10.96.0.0/12".parse().unwrap()].into();
    let services = ServiceNetworks { cidrs, ..ServiceNetworks::default() };
    Cluster { node_ports, services, ..Cluster::default() }
}

#[test]
fn node_ports_are_served_at_the_nodes_addresses_else_at_all_of_its_uplinks() {
    for (ips, expected) in [
        (vec!["192.0.2.7"], vec!["192.0.2.7"]),
        (vec!["203.0.113.1"], vec!["192.0.2.1", "192.0.2.7", "fd00::1"]),
        (vec![], vec!["192.0.2.1", "192.0.2.7", "fd00::1"]),
    ] {
        planned(&node("a", &ips, &[]), |seen, plan, _| {
            let ports = Ports { first: 1024, last: 29_999, shared: true };
            let own = node("a", &ips, &[]);
            let before =
                Node { first_known_port: 40_000, last_known_port: 50_000, ..Node::default() };
            let addresses =
                plan.addresses(seen, Some(&own), ports, &before, &[NodePortAddress::Primary]);
            let expected: BTreeSet<IpAddr> =
                expected.iter().map(|ip| ip.parse().unwrap()).collect();
            assert_eq!(addresses.node_ports, expected, "{ips:?}");
            let cluster = serving();
            let node = addresses.node(7, &cluster, NodeFlags::MASQUERADE_ALL, &before);
            let four = if ips == ["192.0.2.7"] { [192, 0, 2, 7] } else { [192, 0, 2, 1] };
            let expected = Node {
                netns_cookie: 7,
                masquerade4: four,
                masquerade6: "fd00::1".parse::<Ipv6Addr>().unwrap().octets(),
                first_port: 1024,
                last_port: 29_999,
                first_known_port: 1024,
                last_known_port: 50_000,
                first_node_port: 30_000,
                last_node_port: 30_010,
                flags: NodeFlags::SHARED_PORTS.union(NodeFlags::MASQUERADE_ALL),
                first_service6: Ipv6Addr::LOCALHOST.octets(),
                last_service6: [0; 16],
                first_service4: [10, 96, 0, 0],
                last_service4: [10, 111, 255, 255],
                ..Node::default()
            };
            assert_eq!(node, expected, "{ips:?}");
        });
    }
}
