//! Routes to the pods of other nodes, by those nodes' own addresses: nodes share a link.
//!
//! Of the routes that carry our number only those by a next hop are made here; those to what is on
//! a link lead to pods of this node and are the CNI plugin's.

use std::collections::BTreeSet;
use std::net::IpAddr;

use hostnet::route::{self, Route, Routes};
use hostnet::{Netlink, Result};
use ipnetwork::IpNetwork;

use crate::devices::Devices;
use crate::model::NodeSpec;
use crate::networks::PodNetworks;
use crate::problem::Problem;

/// The wanted routes, and the networks that cannot be reached. Those that another program routes to
/// are left to it.
#[must_use]
pub fn wanted(
    own: &str,
    pods: &PodNetworks<'_>,
    devices: &Devices,
    present: &Routes,
) -> (BTreeSet<Route>, BTreeSet<Problem>) {
    let ours: BTreeSet<_> = present.ours.iter().map(|route| route.destination).collect();
    let foreign: BTreeSet<_> = present.ways.iter().map(|way| way.destination).collect();
    let (mut routes, mut problems) = (BTreeSet::new(), BTreeSet::new());
    for (network, node) in pods.owned.iter().filter(|(_, node)| node.name != own) {
        let object = format!("Node {}", node.name);
        if foreign.contains(network) && !ours.contains(network) {
            let message = format!(
                "has the podCIDR {network}, which another program has a route to: it is left to \
                 that one; delete that route to have one made here"
            );
            problems.insert(Problem::note(object, message));
            continue;
        }
        if let Some(part) = foreign.iter().find(|part| is_part(**part, *network)) {
            let message = format!(
                "has the podCIDR {network}, of which another program routes {part} elsewhere: pods \
                 there are not reached if that is wrong; delete that route then"
            );
            problems.insert(Problem::note(object.clone(), message));
        }
        match route_to(node, *network, devices) {
            Ok(route) => {
                routes.insert(route);
            }
            Err(cause) => {
                let message = format!("has the podCIDR {network}, which {cause}");
                problems.insert(Problem::error(object, message));
            }
        }
    }
    (routes, problems)
}

/// Makes the kernel's routes the wanted ones: what is missing first, then, if the wanted ones are
/// all, what is too many.
///
/// # Errors
/// When routes cannot be listed. Routes that the kernel refuses are among the problems.
pub async fn apply(netlink: &Netlink, wanted: &BTreeSet<Route>, are_all: bool) -> Result<Applied> {
    let mut applied = Applied::default();
    for step in diff(wanted, &present(netlink).await?) {
        if !are_all && matches!(step, Step::Delete(_)) {
            continue;
        }
        let outcome = match step {
            Step::Ensure(route) => route::ensure(netlink, &route).await,
            Step::Delete(route) => route::delete(netlink, &route).await.map(drop),
        };
        match outcome {
            Ok(()) => applied.steps.push(step),
            Err(error) => {
                let object = format!("route to {}", step.route().destination);
                applied.problems.insert(Problem::error(object, error.to_string()));
            }
        }
    }
    Ok(applied)
}

/// The routes of ours that lead to other nodes.
///
/// # Errors
/// When routes cannot be listed.
pub async fn present(netlink: &Netlink) -> Result<BTreeSet<Route>> {
    let ours = route::list(netlink).await?;
    Ok(ours.into_iter().filter(|route| route.via.is_some()).collect())
}

/// What was done to routes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Applied {
    /// What the kernel did.
    pub steps: Vec<Step>,
    /// What it refused.
    pub problems: BTreeSet<Problem>,
}

/// A change to a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make it, or let it replace the one to the same destination.
    Ensure(Route),
    /// Delete it.
    Delete(Route),
}

impl Step {
    /// The route in question.
    #[must_use]
    pub const fn route(&self) -> &Route {
        match self {
            Self::Ensure(route) | Self::Delete(route) => route,
        }
    }
}

fn diff(wanted: &BTreeSet<Route>, present: &BTreeSet<Route>) -> Vec<Step> {
    let destinations: BTreeSet<_> = wanted.iter().map(|route| route.destination).collect();
    let missing = wanted.difference(present).copied().map(Step::Ensure);
    let surplus = present.iter().filter(|route| !destinations.contains(&route.destination));
    missing.chain(surplus.copied().map(Step::Delete)).collect()
}

/// Whether a network is a part, and not all, of another one.
fn is_part(part: IpNetwork, whole: IpNetwork) -> bool {
    part.prefix() > whole.prefix() && whole.contains(part.ip())
}

fn route_to(
    node: &NodeSpec,
    network: IpNetwork,
    devices: &Devices,
) -> std::result::Result<Route, String> {
    let same_family = |ip: &&IpAddr| ip.is_ipv4() == network.is_ipv4();
    let Some(via) = node.internal_ips.iter().copied().find(|ip| same_family(&ip)) else {
        return Err(
            "cannot be reached: the Node has no InternalIP of that family; name one in its \
                    status.addresses"
                .to_owned(),
        );
    };
    if devices.holding(via).is_some() {
        return Err(format!(
            "cannot be reached: its InternalIP {via} is held by this host; mend that Node, or \
             --node-name if it is this one"
        ));
    }
    let Some(link) = devices.towards(via) else {
        return Err(format!(
            "cannot be reached: its InternalIP {via} is in no network of this host's devices, and \
             nodes must share a link; mend the Node, or route to its podCIDR by other means"
        ));
    };
    Ok(Route::through(network, via, link.index))
}

#[cfg(test)]
mod tests {
    use hostnet::route::Way;

    use super::*;
    use crate::devices::tests::{devices, node};

    fn route(destination: &str, via: &str, link: u32) -> Route {
        Route::through(destination.parse().unwrap(), via.parse().unwrap(), link)
    }

    fn decided(peers: &[NodeSpec]) -> (Vec<Route>, Vec<String>) {
        let own = node("a", &["192.0.2.1", "fd00::1"], &["10.1.1.0/24"]);
        let nodes = std::iter::once(&own).chain(peers);
        let nodes = nodes.map(|node| (node.name.clone(), node.clone())).collect();
        let host = devices(&[(2, "eth0", 1500, &["192.0.2.1/24", "fd00::1/64"])]);
        let pods = PodNetworks::of("a", &nodes);
        let (routes, mut problems) = wanted("a", &pods, &host, &foreign());
        problems.extend(pods.problems);
        (routes.into_iter().collect(), problems.iter().map(ToString::to_string).collect())
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

    #[test]
    fn missing_routes_are_made_before_surplus_ones_go_and_changed_ones_are_replaced() {
        let [same, new] =
            [route("10.1.2.0/24", "192.0.2.2", 2), route("10.1.3.0/24", "192.0.2.3", 2)];
        let [old, moved] =
            [route("10.1.4.0/24", "192.0.2.4", 2), route("10.1.3.0/24", "192.0.2.8", 2)];
        for (present, expected) in [
            (vec![same, new], vec![]),
            (vec![same], vec![Step::Ensure(new)]),
            (vec![same, moved], vec![Step::Ensure(new)]),
            (vec![old], vec![Step::Ensure(same), Step::Ensure(new), Step::Delete(old)]),
        ] {
            let steps = diff(&[same, new].into(), &present.into_iter().collect());
            assert_eq!(steps, expected);
        }
    }
}
