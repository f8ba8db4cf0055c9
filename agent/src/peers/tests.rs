//! Which ways lead to other nodes.

use hostnet::fdb::Forward;
use hostnet::neigh::{Neighbour, Trust};
use hostnet::route::Way;

use super::*;
use crate::config::Vxlan;
use crate::devices::tests::{devices, node};
use crate::tunnel::mac;

fn route(destination: &str, via: &str, link: u32) -> Route {
    Route::through(destination.parse().unwrap(), via.parse().unwrap(), link)
}

/// The routes to nodes that share a link with this one, and what is told.
fn decided(peers: &[NodeSpec]) -> (Vec<Route>, Vec<String>) {
    let (items, problems) = reached(Mode::HostGw, peers);
    let route = |item| match item {
        Item::Route(route) => route,
        other => panic!("{other}"),
    };
    (items.into_iter().map(route).collect(), problems)
}

/// What leads to other nodes, through a tunnel where that is device 9, and what is told.
fn reached(mode: Mode, peers: &[NodeSpec]) -> (Vec<Item>, Vec<String>) {
    let own = node("a", &["192.0.2.1", "fd00::1"], &["10.1.1.0/24"]);
    let nodes = std::iter::once(&own).chain(peers);
    let nodes = nodes.map(|node| (node.name.clone(), node.clone())).collect();
    let host = devices(&[(2, "eth0", 1500, &["192.0.2.1/24", "fd00::1/64"])]);
    let pods = PodNetworks::of("a", &nodes);
    let tunnel = Tunnel::of(&own, &host, Vxlan::default()).unwrap();
    let reach = Reach { mode, tunnel: Some((&tunnel, 9)) };
    let (items, mut problems) = wanted("a", &pods, &host, &foreign(), reach);
    problems.extend(pods.problems);
    (items.into_iter().collect(), problems.iter().map(ToString::to_string).collect())
}

/// A route that is ours, and one that another program has.
fn foreign() -> Routes {
    let ours = route("10.1.2.0/24", "192.0.2.2", 2);
    let way = |text: &str| Way { destination: text.parse().unwrap(), metric: 0, link: 2 };
    Routes {
        ours: vec![ours],
        ways: ["10.1.2.0/24", "10.1.7.0/24", "10.1.8.64/26", "10.1.0.0/16"].map(way).to_vec(),
    }
}

#[test]
fn each_network_is_routed_by_the_address_of_its_family() {
    let (routes, problems) =
        decided(&[node("b", &["192.0.2.2", "fd00::2"], &["10.1.2.7/24", "fd01:2::/64"])]);
    let expected = [route("10.1.2.0/24", "192.0.2.2", 2), route("fd01:2::/64", "fd00::2", 2)];
    assert_eq!((routes, problems), (expected.to_vec(), vec![]));
}

#[test]
fn networks_that_cannot_be_reached_are_named_and_the_others_are_routed() {
    let good = node("z", &["192.0.2.9"], &["10.1.9.0/24"]);
    for (name, peer, cause) in [
        ("far", node("b", &["198.51.100.2"], &["10.1.2.0/24"]), "is in no network of this"),
        ("other family", node("b", &["192.0.2.2"], &["fd01:2::/64"]), "no InternalIP of that"),
        ("own network", node("b", &["192.0.2.2"], &["10.1.1.0/24"]), "also that of Node a"),
        ("own address", node("b", &["192.0.2.1"], &["10.1.2.0/24"]), "held by this host"),
        ("foreign", node("b", &["192.0.2.2"], &["10.1.7.0/24"]), "which another program has a"),
    ] {
        let (routes, problems) = decided(&[peer, good.clone()]);
        assert_eq!(routes, [route("10.1.9.0/24", "192.0.2.9", 2)], "{name}");
        assert!(problems.len() == 1 && problems[0].contains(cause), "{name}: {problems:?}");
    }
}

#[test]
fn a_network_of_which_another_program_routes_a_part_is_routed_and_that_is_told() {
    let (routes, problems) = decided(&[node("b", &["192.0.2.2"], &["10.1.8.0/24"])]);
    let told = "Node b has the podCIDR 10.1.8.0/24, of which another program routes \
                    10.1.8.64/26 elsewhere: pods there are not reached if that is wrong; delete \
                    that route then";
    assert_eq!(routes, [route("10.1.8.0/24", "192.0.2.2", 2)]);
    assert_eq!(problems, [told]);
}

#[test]
fn a_network_is_the_first_nodes_that_has_it_however_often_it_is_named() {
    let twice = node("b", &["192.0.2.2"], &["10.1.2.0/24", "10.1.2.0/24"]);
    let [second, third] = ["c", "d"].map(|name| node(name, &["192.0.2.3"], &["10.1.2.0/24"]));
    let (routes, problems) = decided(&[twice, second, third]);
    let told = |name| {
        format!(
            "Node {name} has the podCIDR 10.1.2.0/24, which is also that of Node b, which is \
                 routed to: give one of them another podCIDR"
        )
    };
    assert_eq!(routes, [route("10.1.2.0/24", "192.0.2.2", 2)]);
    assert_eq!(problems, ["c", "d"].map(told));
}

/// Node b's end of the tunnel for one of its networks.
fn through(network: &str, end: &str, source: Option<&str>) -> [Item; 3] {
    let (link, mac, ip) = (9, mac("b"), end.parse().unwrap());
    let route = route(network, end, link);
    [
        Item::Neighbour(Neighbour { link, ip, mac, trust: Trust::Permanent }),
        Item::Forward(Forward { link, mac, host: "198.51.100.2".parse().unwrap() }),
        Item::Route(source.map_or(route, |source| route.from(source.parse().unwrap()))),
    ]
}

#[test]
fn nodes_that_share_no_link_are_reached_through_the_tunnel() {
    let far = node("b", &["198.51.100.2", "fd00::2"], &["10.1.2.0/24", "fd01:2::/64"]);
    let near = node("c", &["192.0.2.3"], &["10.1.3.0/24"]);
    let v4 = through("10.1.2.0/24", "10.1.2.0", Some("10.1.1.0"));
    let v6 = through("fd01:2::/64", "fd01:2::", None);
    let [to_v6, to_c] =
        [route("fd01:2::/64", "fd00::2", 2), route("10.1.3.0/24", "192.0.2.3", 2)].map(Item::Route);
    let mac_of_c = mac("c");
    let [vtep_of_c, host_of_c] = ["10.1.3.0", "192.0.2.3"].map(|ip| ip.parse().unwrap());
    let c_through = [
        Item::Neighbour(Neighbour {
            link: 9,
            ip: vtep_of_c,
            mac: mac_of_c,
            trust: Trust::Permanent,
        }),
        Item::Forward(Forward { link: 9, mac: mac_of_c, host: host_of_c }),
        Item::Route(route("10.1.3.0/24", "10.1.3.0", 9).from("10.1.1.0".parse().unwrap())),
    ];
    let auto = [v4.to_vec(), vec![to_v6, to_c]].concat();
    let vxlan = [v4.to_vec(), v6.to_vec(), c_through.to_vec()].concat();
    for (mode, expected) in [(Mode::Auto, auto), (Mode::Vxlan, vxlan)] {
        let (found, problems) = reached(mode, &[far.clone(), near.clone()]);
        let expected: BTreeSet<_> = expected.into_iter().collect();
        assert_eq!((found.into_iter().collect(), problems), (expected, vec![]), "{mode:?}");
    }
}

#[test]
fn an_end_of_the_tunnel_that_cannot_be_is_named() {
    for (name, peer, cause) in [
        ("other family", node("b", &["fd00::2"], &["10.1.2.0/24"]), "no InternalIP of IPv4"),
        ("own address", node("b", &["192.0.2.1"], &["10.1.2.0/24"]), "held by this host"),
    ] {
        for mode in [Mode::Vxlan, Mode::Auto] {
            let (items, problems) = reached(mode, std::slice::from_ref(&peer));
            assert!(items.is_empty(), "{name}: {items:?}");
            assert!(problems.len() == 1 && problems[0].contains(cause), "{name}: {problems:?}");
        }
    }
}
