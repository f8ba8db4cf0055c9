//! What the host has for this node's own pods and may have lost: routes go with the address that
//! they prefer as source, or when their link goes down; programs and entries go with a clean-up.
//!
//! The CNI plugin makes all of it. Routes and entries tell of each other here.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use dataplane_common::abi::{Addr, NetnsId, Pod, PodFlags};
use hostnet::link::Link;
use hostnet::neigh::Neighbour;
use hostnet::route::{self, Route};
use hostnet::{Netlink, neigh};
use tracing::info;

use crate::devices::Devices;
use crate::maps::delivery::DeliveryMaps;
use crate::problem::Problem;

/// The links that routes to single pods lead to, by their indexes.
#[must_use]
pub fn links<'a>(devices: &'a Devices, routes: &[Route]) -> BTreeMap<u32, &'a Link> {
    let links = to_pods(routes).filter_map(|(_, link)| devices.device(link));
    links.map(|link| (link.index, link)).collect()
}

/// The routes to pods that are missing, or prefer another source than the first of the node's own
/// addresses of their family.
#[must_use]
pub fn lost_routes(
    pods: &BTreeMap<Addr, Pod>,
    own_ips: &[IpAddr],
    devices: &Devices,
    present: &[Route],
) -> Vec<Route> {
    let mut lost = Vec::new();
    for (addr, pod) in pods {
        let Some(link) = devices.device(pod.ifindex).filter(|link| link.is_up) else { continue };
        let ip = addr.to_ip();
        let route = Route::on_link(ip.into(), link.index);
        let source = own_ips.iter().find(|own| own.is_ipv4() == ip.is_ipv4());
        let route = source.map_or(route, |source| route.from(*source));
        // One by another link is a newer pod's.
        let is_kept = |present: &Route| {
            present.destination == route.destination
                && (present.link != route.link || present.source == route.source)
        };
        if !present.iter().any(is_kept) {
            lost.push(route);
        }
    }
    lost
}

/// Makes the kernel have routes; returns what it refused.
pub async fn restore_routes(netlink: &Netlink, lost: &[Route]) -> BTreeSet<Problem> {
    let mut problems = BTreeSet::new();
    for route in lost {
        match route::ensure(netlink, route).await {
            Ok(()) => info!(%route, "restored the route to a pod"),
            // The pod went with its link.
            Err(error) if error.is_absent() => {}
            Err(error) => {
                let object = format!("route to {}", route.destination);
                problems.insert(Problem::error(object, error.to_string()));
            }
        }
    }
    problems
}

/// Adds the entries of pods that have a route and no entry, or one without their hardware address;
/// returns those whose address is not known. They have an entry all the same: without one a pod may
/// send nothing.
///
/// # Errors
/// When neighbours cannot be listed, or the kernel refuses an entry.
pub async fn restore_entries(
    netlink: &Netlink,
    maps: &mut DeliveryMaps,
    known: &BTreeMap<Addr, Pod>,
    devices: &Devices,
    routes: &[Route],
) -> anyhow::Result<BTreeSet<Problem>> {
    let is_whole = |ip| known.get(&Addr::from(ip)).is_some_and(|pod| pod.pod_mac != UNKNOWN);
    let lost: Vec<_> = to_pods(routes).filter(|(ip, _)| !is_whole(*ip)).collect();
    if lost.is_empty() {
        return Ok(BTreeSet::new());
    }
    let neighbours = neigh::list(netlink).await?;
    let mut problems = BTreeSet::new();
    for (ip, link) in lost {
        let Some(link) = devices.device(link) else { continue };
        let pod = entry(ip, link, &neighbours);
        problems.extend((pod.pod_mac == UNKNOWN).then(|| unknown(ip, link)));
        match known.get(&ip.into()) {
            Some(before) if *before == pod => {}
            Some(before) => maps.change_pod(ip.into(), *before, pod)?,
            None if maps.add_pod(ip.into(), pod)? => {
                info!(pod = %ip, device = link.name, "restored the entry of a pod");
            }
            None => {}
        }
    }
    Ok(problems)
}

/// In the place of a hardware address that the host does not know.
const UNKNOWN: [u8; 6] = [0; 6];

/// A pod whose hardware address is not known is reached by the stack, which asks for it.
fn entry(ip: IpAddr, link: &Link, neighbours: &[Neighbour]) -> Pod {
    let mut here = neighbours.iter().filter(|neighbour| neighbour.link == link.index);
    let pod_mac = here.find(|neighbour| neighbour.ip == ip).map(|neighbour| neighbour.mac.0);
    let (pod_mac, host_mac) = pod_mac.zip(link.mac.map(|mac| mac.0)).unwrap_or_default();
    let is_known = pod_mac != UNKNOWN;
    Pod {
        ifindex: link.index,
        mtu: link.mtu,
        pod_mac,
        host_mac,
        flags: if is_known { PodFlags::default() } else { PodFlags::NO_PEER },
        netns: link.netns.map_or_else(NetnsId::default, NetnsId::of),
    }
}

/// The addresses of pods of this node with the index of the link to each.
fn to_pods(routes: &[Route]) -> impl Iterator<Item = (IpAddr, u32)> {
    let to_one = |route: &&Route| {
        let all_bits = if route.destination.is_ipv4() { 32 } else { 128 };
        route.via.is_none() && route.destination.prefix() == all_bits
    };
    routes.iter().filter(to_one).map(|route| (route.destination.ip(), route.link))
}

fn unknown(ip: IpAddr, link: &Link) -> Problem {
    let message = format!(
        "is behind {}, but the host does not know its hardware address yet: its packets take the \
         way through the host's stack; send it one",
        link.name
    );
    Problem::note(format!("pod {ip}"), message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::tests::devices;

    fn own_route(source: Option<&str>, link: u32) -> Route {
        let route = Route::on_link("10.1.1.2/32".parse().unwrap(), link);
        source.map_or(route, |source| route.from(source.parse().unwrap()))
    }

    #[test]
    fn a_pods_route_is_lost_unless_it_is_there_with_its_source() {
        const NODE: Option<&str> = Some("192.0.2.1");
        let host = devices(&[(1, "lo", 65536, &[]), (7, "wag0", 1500, &[])]);
        let right = own_route(NODE, 7);
        for (name, link, own_ips, present, expected) in [
            ("there", 7, vec!["192.0.2.1"], vec![right], vec![]),
            ("missing", 7, vec!["fd00::1", "192.0.2.1"], vec![], vec![right]),
            ("without source", 7, vec!["192.0.2.1"], vec![own_route(None, 7)], vec![right]),
            ("address gone", 7, vec!["fd00::1"], vec![], vec![own_route(None, 7)]),
            ("newer pod", 7, vec!["192.0.2.1"], vec![own_route(NODE, 9)], vec![]),
            ("device gone", 8, vec!["192.0.2.1"], vec![], vec![]),
            ("loopback", 1, vec!["192.0.2.1"], vec![], vec![]),
        ] {
            let ip: IpAddr = "10.1.1.2".parse().unwrap();
            let pods = [(Addr::from(ip), Pod { ifindex: link, ..Pod::default() })].into();
            let own_ips: Vec<IpAddr> = own_ips.iter().map(|ip| ip.parse().unwrap()).collect();
            assert_eq!(lost_routes(&pods, &own_ips, &host, &present), expected, "{name}");
        }
    }

    #[test]
    fn links_of_pods_are_those_that_single_addresses_are_on() {
        let host = devices(&[(2, "eth0", 1500, &[]), (7, "wag0", 1500, &[])]);
        let peer = Route::through("10.1.2.0/24".parse().unwrap(), "192.0.2.2".parse().unwrap(), 2);
        let found = links(&host, &[own_route(None, 7), own_route(None, 8), peer]);
        assert_eq!(found.into_keys().collect::<Vec<_>>(), [7]);
    }
}
