//! The pinned maps that say what this node is and whose networks are: `node` and `networks`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{Array, Map, MapData};
use dataplane_common::abi::{Addr, IPV4_PREFIX, Network, Node, names};
use hostnet::Pins;
use ipnetwork::IpNetwork;

use super::kernel::{array, pinned, read, write};
use super::{ApplyError, Result};

/// The pinned maps `node` and `networks`.
pub struct NetworkMaps {
    node: Array<MapData, Node>,
    networks: LpmTrie<MapData, [u8; 16], Network>,
    /// What the trie holds: nobody else writes to it.
    written: BTreeMap<IpNetwork, Network>,
}

/// A change to the trie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Put(IpNetwork, Network),
    Remove(IpNetwork),
}

impl NetworkMaps {
    /// Opens the maps, whose shapes must have been checked.
    ///
    /// # Errors
    /// When one is not pinned or the kernel refuses.
    pub fn open(pins: &Pins) -> Result<Self> {
        let networks = trie(pins)?;
        let mut written = BTreeMap::new();
        for entry in &networks {
            let (key, network) = entry.map_err(read(names::NETWORKS))?;
            written.extend(network_of(&key).map(|name| (name, network)));
        }
        Ok(Self { node: array(pins, names::NODE)?, networks, written })
    }

    /// What `node` holds.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn node(&self) -> Result<Node> {
        self.node.get(&0, 0).map_err(read(names::NODE))
    }

    /// Makes `node` hold this; says whether it had to be written.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn ensure_node(&mut self, node: Node) -> Result<bool> {
        let is_other = self.node()? != node;
        if is_other {
            self.node.set(0, node, 0).map_err(write(names::NODE))?;
        }
        Ok(is_other)
    }

    /// Makes `networks` hold the wanted ones, and if they are all, no others; says how many it had
    /// to write or remove.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn ensure_networks(
        &mut self,
        wanted: &BTreeMap<IpNetwork, Network>,
        are_all: bool,
    ) -> Result<usize> {
        let steps = diff(&self.written, wanted, are_all);
        for step in &steps {
            match *step {
                Step::Put(name, network) => {
                    let failed = write(names::NETWORKS);
                    self.networks.insert(&key_of(name), network, 0).map_err(failed)?;
                    self.written.insert(name, network);
                }
                Step::Remove(name) => {
                    match self.networks.remove(&key_of(name)).map_err(write(names::NETWORKS)) {
                        Ok(()) | Err(ApplyError::NotFound { .. }) => {}
                        Err(error) => return Err(error),
                    }
                    self.written.remove(&name);
                }
            }
        }
        Ok(steps.len())
    }
}

/// How many networks there are.
///
/// # Errors
/// When the map is not pinned or the kernel refuses.
pub(crate) fn count(pins: &Pins) -> Result<usize> {
    let keys: std::result::Result<Vec<_>, _> = trie(pins)?.keys().collect();
    keys.map(|keys| keys.len()).map_err(read(names::NETWORKS))
}

fn trie(pins: &Pins) -> Result<LpmTrie<MapData, [u8; 16], Network>> {
    let data = pinned(pins, names::NETWORKS)?;
    LpmTrie::try_from(Map::LpmTrie(data)).map_err(read(names::NETWORKS))
}

/// What is new or changed first, so that no network is missing that is only written otherwise.
fn diff(
    present: &BTreeMap<IpNetwork, Network>,
    wanted: &BTreeMap<IpNetwork, Network>,
    are_all: bool,
) -> Vec<Step> {
    let put = wanted.iter().filter(|(name, network)| present.get(name) != Some(network));
    let put = put.map(|(name, network)| Step::Put(*name, *network));
    let surplus = present.keys().filter(|name| are_all && !wanted.contains_key(name));
    put.chain(surplus.map(|name| Step::Remove(*name))).collect()
}

fn key_of(network: IpNetwork) -> Key<[u8; 16]> {
    let (bits, addr) = prefix(network);
    Key::new(bits, addr.0)
}

fn network_of(key: &Key<[u8; 16]>) -> Option<IpNetwork> {
    network(key.prefix_len(), Addr(key.data()))
}

/// A network as tries have it: how many bits count, and of which address.
pub(super) fn prefix(network: IpNetwork) -> (u32, Addr) {
    let bits = u32::from(network.prefix());
    let bits = if network.is_ipv4() { IPV4_PREFIX + bits } else { bits };
    (bits, Addr::from(network.ip()))
}

/// The network of so many bits of an address.
pub(super) fn network(bits: u32, addr: Addr) -> Option<IpNetwork> {
    let ip = addr.to_ip();
    let bits = match ip {
        IpAddr::V4(_) => bits.checked_sub(IPV4_PREFIX)?,
        IpAddr::V6(_) => bits,
    };
    IpNetwork::new(ip, u8::try_from(bits).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_survives_its_key() {
        for (text, prefix) in
            [("10.1.2.0/24", 120), ("0.0.0.0/0", 96), ("192.0.2.1/32", 128), ("fd01::/64", 64)]
        {
            let network: IpNetwork = text.parse().unwrap();
            let key = key_of(network);
            assert_eq!((key.prefix_len(), network_of(&key)), (prefix, Some(network)), "{text}");
        }
    }

    #[test]
    fn only_what_differs_is_written_and_nothing_goes_before_all_is_known() {
        let [a, b, c] =
            ["10.1.1.0/24", "10.1.2.0/24", "10.1.3.0/24"].map(|text| text.parse().unwrap());
        let [one, two] = [1, 2].map(|kind| Network { kind, ..Network::default() });
        let present = BTreeMap::from([(a, one), (b, one), (c, one)]);
        let wanted = BTreeMap::from([(b, one), (c, two)]);
        for (are_all, expected) in
            [(true, vec![Step::Put(c, two), Step::Remove(a)]), (false, vec![Step::Put(c, two)])]
        {
            assert_eq!(diff(&present, &wanted, are_all), expected, "{are_all}");
        }
        assert_eq!(diff(&wanted, &wanted, true), []);
    }
}
