//! The ways to the pods of other nodes: by those nodes' own addresses where they are on a link of
//! this one, else through the tunnel.
//!
//! Of the routes that carry our number only those by a next hop are made here; those to what is on
//! a link lead to pods of this node and are the CNI plugin's.

mod apply;
mod item;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use dataplane_common::abi::{Network, NetworkFlags};
use hostnet::route::{Route, Routes};
use ipnetwork::IpNetwork;

use crate::config::Mode;
use crate::devices::Devices;
use crate::model::NodeSpec;
use crate::networks::PodNetworks;
use crate::problem::Problem;
use crate::tunnel::Tunnel;

pub use apply::{Applied, Step, apply, present};
pub use item::Item;

/// How other nodes can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach<'a> {
    /// What is set.
    pub mode: Mode,
    /// The tunnel and its device's index, where there is one.
    pub tunnel: Option<(&'a Tunnel, u32)>,
}

/// The ways to the pods of other nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ways<'a> {
    /// Whose networks they lead to.
    pub pods: &'a PodNetworks<'a>,
    /// What the kernel is to have.
    pub items: BTreeSet<Item>,
    /// What that follows from.
    pub reach: Reach<'a>,
}

impl Ways<'_> {
    /// Says of networks whether they are reached through the tunnel.
    pub fn mark(&self, networks: &mut BTreeMap<IpNetwork, Network>) {
        let Some((_, link)) = self.reach.tunnel else { return };
        for item in &self.items {
            if let Item::Route(route) = item
                && route.link == link
                && let Some(network) = networks.get_mut(&route.destination)
            {
                network.flags = network.flags.union(NetworkFlags::TUNNEL);
            }
        }
    }
}

/// What the kernel is to have, and the networks that cannot be reached. Those that another program
/// routes to are left to it.
#[must_use]
pub fn wanted(
    own: &str,
    pods: &PodNetworks<'_>,
    devices: &Devices,
    present: &Routes,
    reach: Reach<'_>,
) -> (BTreeSet<Item>, BTreeSet<Problem>) {
    let ours: BTreeSet<_> = present.ours.iter().map(|route| route.destination).collect();
    let foreign: BTreeSet<_> = present.ways.iter().map(|way| way.destination).collect();
    let (mut items, mut problems) = (BTreeSet::new(), BTreeSet::new());
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
        match reach.way(node, *network, devices) {
            Ok(way) => items.extend(way),
            Err(cause) => {
                let message = format!("has the podCIDR {network}, which {cause}");
                problems.insert(Problem::error(object, message));
            }
        }
    }
    (items, problems)
}

/// Whether a network is a part, and not all, of another one.
fn is_part(part: IpNetwork, whole: IpNetwork) -> bool {
    part.prefix() > whole.prefix() && whole.contains(part.ip())
}

impl Reach<'_> {
    fn way(
        &self,
        node: &NodeSpec,
        network: IpNetwork,
        devices: &Devices,
    ) -> Result<Vec<Item>, String> {
        let direct = || direct(node, network, devices).map(|route| vec![Item::Route(route)]);
        match self.mode {
            Mode::HostGw => direct(),
            Mode::Auto if !is_beyond(node, network, devices) => direct(),
            Mode::Auto | Mode::Vxlan => self.through(node, network, devices),
        }
    }

    fn through(
        &self,
        node: &NodeSpec,
        network: IpNetwork,
        devices: &Devices,
    ) -> Result<Vec<Item>, String> {
        let Some((tunnel, link)) = self.tunnel else {
            return Err("waits for the tunnel".to_owned());
        };
        let end = tunnel.far_end(link, node, network, devices)?;
        let route = Route::through(network, end.neighbour.ip, link);
        let own = tunnel.addresses.iter().find(|own| own.is_ipv4() == network.is_ipv4());
        let route = own.map_or(route, |own| route.from(own.ip()));
        Ok(vec![Item::Neighbour(end.neighbour), Item::Forward(end.forward), Item::Route(route)])
    }
}

/// Whether a node shares no link with this one, be it one that is down.
fn is_beyond(node: &NodeSpec, network: IpNetwork, devices: &Devices) -> bool {
    let mut ips = node.internal_ips.iter().filter(|ip| ip.is_ipv4() == network.is_ipv4());
    ips.next().is_none_or(|ip| devices.holding(*ip).is_none() && !devices.is_near(*ip))
}

fn direct(node: &NodeSpec, network: IpNetwork, devices: &Devices) -> Result<Route, String> {
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
mod tests;
