//! Networks of clients that load balancers' addresses let in, as the table `sources` has them.

use aya::maps::lpm_trie::Key;
use dataplane_common::abi::{SOURCE_PREFIX, ServiceId, SourceKey};
use ipnetwork::IpNetwork;

use super::networks::{network, prefix};

/// A network of clients that a ServicePort lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// The ServicePort.
    pub service: ServiceId,
    /// The clients.
    pub network: IpNetwork,
}

impl Source {
    pub(super) fn key(self) -> Key<SourceKey> {
        let (bits, addr) = prefix(self.network);
        Key::new(SOURCE_PREFIX + bits, SourceKey { service: self.service, addr })
    }

    /// Nothing where no agent wrote such a key.
    pub(super) fn of(key: &Key<SourceKey>) -> Option<Self> {
        let SourceKey { service, addr } = key.data();
        let bits = key.prefix_len().checked_sub(SOURCE_PREFIX)?;
        Some(Self { service, network: network(bits, addr)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_survives_its_key() {
        for (text, bits) in [("10.1.2.0/24", 152), ("192.0.2.1/32", 160), ("fd01::/64", 96)] {
            let source = Source { service: ServiceId(7), network: text.parse().unwrap() };
            let key = source.key();
            assert_eq!((key.prefix_len(), Source::of(&key)), (bits, Some(source)), "{text}");
        }
    }
}
