//! At which addresses each mode serves NodePorts.

use ipnetwork::IpNetwork;

use super::form::{Form, Mode};
use crate::config::NodePortAddress;

const LOOPBACK: &str = "127.0.0.0/8";

/// Where nothing is said nftables serves the primary addresses and the older modes all. Loopback is
/// among those of iptables, unless `localhostNodePorts` is false.
pub(super) fn addresses(mode: Mode, form: &Form) -> Vec<NodePortAddress> {
    let given = form.node_port_addresses.clone().unwrap_or_default();
    let mut addresses = match (given.is_empty(), mode) {
        (false, _) => given,
        (true, Mode::Nftables) => vec![NodePortAddress::Primary],
        (true, Mode::Iptables | Mode::Ipvs) => vec![NodePortAddress::All],
    };
    if mode != Mode::Iptables {
        return addresses;
    }
    let is_wanted = form.iptables.as_ref().and_then(|rules| rules.localhost_node_ports);
    let had_loopback = addresses.iter().any(has_loopback);
    // Networks stay: one of loopback says that no others of its family are meant.
    addresses.retain(|address| *address != NodePortAddress::Localhost);
    if had_loopback && is_wanted.unwrap_or(true) {
        addresses.push(NodePortAddress::Localhost);
    }
    addresses
}

fn has_loopback(address: &NodePortAddress) -> bool {
    match address {
        NodePortAddress::Primary => false,
        NodePortAddress::All | NodePortAddress::Localhost => true,
        NodePortAddress::Within(network) => is_loopback(address) || network.prefix() == 0,
    }
}

/// Whether it has addresses of loopback alone.
fn is_loopback(address: &NodePortAddress) -> bool {
    match address {
        NodePortAddress::Primary | NodePortAddress::All => false,
        NodePortAddress::Localhost => true,
        NodePortAddress::Within(network) => {
            let loopback = LOOPBACK.parse().ok();
            loopback.is_some_and(|loopback: IpNetwork| loopback.contains(network.ip()))
                && network.prefix() >= 8
        }
    }
}
