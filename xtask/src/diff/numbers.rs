//! Addresses and ports that no two Services of a run have at one time, nor one after the other.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::service::Family;
use crate::random::Random;

/// Those left to a run.
#[derive(Debug)]
pub(super) struct Numbers {
    cluster_hosts: Pool,
    virtual_hosts: Pool,
    node_ports: Pool,
}

/// Each number of a range once, in an order of its own.
#[derive(Debug)]
struct Pool {
    start: u16,
    stride: u16,
    size: u16,
    given: u16,
}

/// Prime, and so is every size below: strides meet all of a range.
const STRIDES: [u16; 4] = [7, 101, 11, 89];

impl Numbers {
    /// All of them, in an order by chance.
    pub(super) fn new(random: &mut Random) -> Self {
        let mut pool = |size| Pool::new(random, size);
        Self { cluster_hosts: pool(60_013), virtual_hosts: pool(251), node_ports: pool(2_767) }
    }

    /// A cluster IP of each of some families.
    pub(super) fn cluster_ips(&mut self, families: &[Family]) -> Option<Vec<IpAddr>> {
        // The lowest are the API server's own Service and others that are fixed.
        let host = 1_024 + self.cluster_hosts.take()?;
        let [high, low] = host.to_be_bytes();
        let address = |family: &Family| match family {
            Family::IPv4 => IpAddr::from(Ipv4Addr::new(10, 96, high, low)),
            Family::IPv6 => Ipv6Addr::new(0xfd00, 0x10, 0x96, 0, 0, 0, 0, host).into(),
        };
        Some(families.iter().map(address).collect())
    }

    /// An address of each of some families that nobody has.
    pub(super) fn virtual_ips(&mut self, families: &[Family]) -> Option<Vec<IpAddr>> {
        let host = 1 + self.virtual_hosts.take()?;
        let [_, low] = host.to_be_bytes();
        let address = |family: &Family| match family {
            Family::IPv4 => IpAddr::from(Ipv4Addr::new(198, 51, 100, low)),
            Family::IPv6 => Ipv6Addr::new(0xfdc6, 0, 0, 0, 0, 0, 0, host).into(),
        };
        Some(families.iter().map(address).collect())
    }

    /// A port for all nodes.
    pub(super) fn node_port(&mut self) -> Option<u16> {
        Some(30_000 + self.node_ports.take()?)
    }
}

impl Pool {
    fn new(random: &mut Random, size: u16) -> Self {
        let start = u16::try_from(random.below(usize::from(size))).unwrap_or_default();
        Self { start, stride: *random.pick(&STRIDES), size, given: 0 }
    }

    fn take(&mut self) -> Option<u16> {
        let Self { start, stride, size, given } = self;
        let step = u32::from(*given) * u32::from(*stride) + u32::from(*start);
        let number = u16::try_from(step % u32::from(*size)).ok()?;
        *given = given.checked_add(1).filter(|given| given <= size)?;
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Numbers, Random};
    use crate::diff::service::Family;

    #[test]
    fn no_number_is_given_twice_and_all_are() {
        for seed in 0..8 {
            let mut numbers = Numbers::new(&mut Random::new(seed));
            let ports: Vec<u16> = std::iter::from_fn(|| numbers.node_port()).collect();
            let distinct: BTreeSet<u16> = ports.iter().copied().collect();
            assert_eq!((ports.len(), distinct.len()), (2_767, 2_767), "seed {seed}");
            assert!(distinct.iter().all(|port| (30_000..=32_767).contains(port)), "seed {seed}");
        }
    }

    #[test]
    fn addresses_are_of_networks_that_are_free_for_them() {
        let mut numbers = Numbers::new(&mut Random::new(1));
        let families = [Family::IPv4, Family::IPv6];
        for (addresses, networks) in [
            (numbers.cluster_ips(&families), ["10.96.", "fd00:10:96::"]),
            (numbers.virtual_ips(&families), ["198.51.100.", "fdc6::"]),
        ] {
            for (address, network) in addresses.unwrap().iter().zip(networks) {
                assert!(address.to_string().starts_with(network), "{address} in {network}");
            }
        }
    }
}
