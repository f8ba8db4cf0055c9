//! Values by networks, found by what is around or inside a network.

use std::collections::{BTreeMap, BTreeSet};

use ipnetwork::IpNetwork;

/// Values by networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefixes<T> {
    values: BTreeMap<IpNetwork, T>,
    /// The lengths that occur, so that few are tried.
    lengths: BTreeSet<u8>,
}

impl<T> Default for Prefixes<T> {
    fn default() -> Self {
        Self { values: BTreeMap::new(), lengths: BTreeSet::new() }
    }
}

impl<T> Prefixes<T> {
    /// The value of a network, which is the default one at first.
    pub fn value_mut(&mut self, network: IpNetwork) -> &mut T
    where
        T: Default,
    {
        let network = masked(network);
        self.lengths.insert(network.prefix());
        self.values.entry(network).or_default()
    }

    /// The networks that a network lies in, itself among them, the smallest first.
    pub fn around(&self, network: IpNetwork) -> impl Iterator<Item = (IpNetwork, &T)> {
        let lengths = self.lengths.range(..=network.prefix()).rev();
        lengths.filter_map(move |length| {
            let around = masked(IpNetwork::new(network.ip(), *length).ok()?);
            self.values.get(&around).map(|value| (around, value))
        })
    }

    /// The networks that lie in a network, itself among them.
    pub fn inside(&self, network: IpNetwork) -> impl Iterator<Item = (IpNetwork, &T)> {
        let network = masked(network);
        let from = self.values.range(network..);
        let inside = from.take_while(move |(inside, _)| {
            inside.is_ipv4() == network.is_ipv4() && network.contains(inside.ip())
        });
        inside.map(|(inside, value)| (*inside, value))
    }
}

/// A network without the bits behind its prefix.
#[must_use]
pub fn masked(network: IpNetwork) -> IpNetwork {
    IpNetwork::new(network.network(), network.prefix()).unwrap_or(network)
}

/// The length of a network that is one address.
#[must_use]
pub const fn all_bits(network: &IpNetwork) -> u8 {
    match network {
        IpNetwork::V4(_) => 32,
        IpNetwork::V6(_) => 128,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_found_by_what_they_lie_in() {
        const NETWORKS: [&str; 7] = [
            "0.0.0.0/0",
            "10.1.0.0/16",
            "10.1.2.0/24",
            "10.1.2.0/25",
            "10.1.3.0/24",
            "::/0",
            "fd01::/16",
        ];
        let mut prefixes = Prefixes::default();
        for network in NETWORKS {
            *prefixes.value_mut(network.parse().unwrap()) = network;
        }
        for (network, around, inside) in [
            ("10.1.2.0/24", vec![2, 1, 0], vec![2, 3]),
            ("10.1.2.9/32", vec![3, 2, 1, 0], vec![]),
            ("10.1.2.200/24", vec![2, 1, 0], vec![2, 3]),
            ("10.1.0.0/16", vec![1, 0], vec![1, 2, 3, 4]),
            ("10.0.0.0/8", vec![0], vec![1, 2, 3, 4]),
            ("192.0.2.0/24", vec![0], vec![]),
            ("fd01::1/128", vec![6, 5], vec![]),
            ("::/0", vec![5], vec![5, 6]),
        ] {
            let network: IpNetwork = network.parse().unwrap();
            let texts =
                |rows: Vec<usize>| rows.into_iter().map(|row| NETWORKS[row]).collect::<Vec<_>>();
            let found: Vec<_> = prefixes.around(network).map(|(_, text)| *text).collect();
            assert_eq!(found, texts(around), "around {network}");
            let found: Vec<_> = prefixes.inside(network).map(|(_, text)| *text).collect();
            assert_eq!(found, texts(inside), "inside {network}");
        }
    }
}
