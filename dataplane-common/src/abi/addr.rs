//! Addresses, ports and protocols as they stand in packets and keys.

use core::fmt::Debug;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IPv4 or IPv6 address in 16 bytes, IPv4 as `::ffff:a.b.c.d` (RFC 4291, 2.5.5.2).
#[repr(C, align(4))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Addr(pub [u8; 16]);

const _: () = assert!(size_of::<Addr>() == 16);

/// The IP version of a packet or an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// One family's address as packets carry it: `[u8; 4]` or `[u8; 16]`.
///
/// Code that handles packets is generic over this, so that the families are one piece of code.
pub trait Address:
    Copy + Debug + Default + PartialEq + Eq + PartialOrd + Ord + core::hash::Hash
{
    /// The family the address belongs to.
    const FAMILY: Family;

    /// Stands for the client where a flow's backend is its own client.
    const HAIRPIN: Self;

    /// The unspecified address.
    const ANY: Self;

    /// The loopback address.
    const LOOPBACK: Self;

    /// The flag of a node that cannot tell its pods of this family.
    const PODS_UNKNOWN: super::NodeFlags;

    /// Source of this node's masqueraded flows; [`Address::ANY`] is none.
    fn masquerade(node: &super::Node) -> Self;

    /// The same towards backends through a tunnel; [`Address::ANY`] where there is none.
    fn tunnel(node: &super::Node) -> Self;

    /// Whether the address is or can be a cluster IP, as far as two bounds tell.
    fn is_of_services(self, node: &super::Node) -> bool;

    /// Whether none but a pod of this node can have the address, as far as two bounds tell.
    fn is_of_pods(self, node: &super::Node) -> bool;

    /// Whether packets for the address leave no host.
    fn is_loopback(self) -> bool;

    /// The address in the form that control tables share.
    fn widen(self) -> Addr;

    /// The address out of the form that control tables share; of another family's, what stands in
    /// its last bytes.
    fn narrow(addr: Addr) -> Self;
}

impl Address for [u8; 4] {
    const FAMILY: Family = Family::V4;
    const HAIRPIN: Self = super::HAIRPIN_V4;
    const ANY: Self = [0; 4];
    const LOOPBACK: Self = [127, 0, 0, 1];
    const PODS_UNKNOWN: super::NodeFlags = super::NodeFlags::PODS_UNKNOWN4;

    #[inline(always)]
    fn masquerade(node: &super::Node) -> Self {
        node.masquerade4
    }

    #[inline(always)]
    fn tunnel(node: &super::Node) -> Self {
        node.tunnel4
    }

    #[inline(always)]
    fn is_of_services(self, node: &super::Node) -> bool {
        let [first, this, last] =
            [node.first_service4, self, node.last_service4].map(u32::from_be_bytes);
        first <= this && this <= last
    }

    #[inline(always)]
    fn is_of_pods(self, node: &super::Node) -> bool {
        let [first, this, last] = [node.first_pod4, self, node.last_pod4].map(u32::from_be_bytes);
        first <= this && this <= last
    }

    #[inline(always)]
    fn is_loopback(self) -> bool {
        let [first, ..] = self;
        first == 127
    }

    #[inline(always)]
    fn widen(self) -> Addr {
        let [a, b, c, d] = self;
        Addr([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d])
    }

    #[inline(always)]
    fn narrow(addr: Addr) -> Self {
        let [.., a, b, c, d] = addr.0;
        [a, b, c, d]
    }
}

impl Address for [u8; 16] {
    const FAMILY: Family = Family::V6;
    const HAIRPIN: Self = super::HAIRPIN_V6;
    const ANY: Self = [0; 16];
    const LOOPBACK: Self = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    const PODS_UNKNOWN: super::NodeFlags = super::NodeFlags::PODS_UNKNOWN6;

    #[inline(always)]
    fn masquerade(node: &super::Node) -> Self {
        node.masquerade6
    }

    #[inline(always)]
    fn tunnel(node: &super::Node) -> Self {
        node.tunnel6
    }

    #[inline(always)]
    fn is_of_services(self, node: &super::Node) -> bool {
        let [first, this, last] =
            [node.first_service6, self, node.last_service6].map(u128::from_be_bytes);
        first <= this && this <= last
    }

    #[inline(always)]
    fn is_of_pods(self, node: &super::Node) -> bool {
        let [first, this, last] = [node.first_pod6, self, node.last_pod6].map(u128::from_be_bytes);
        first <= this && this <= last
    }

    #[inline(always)]
    fn is_loopback(self) -> bool {
        self == Self::LOOPBACK
    }

    #[inline(always)]
    fn widen(self) -> Addr {
        Addr(self)
    }

    #[inline(always)]
    fn narrow(addr: Addr) -> Self {
        addr.0
    }
}

impl Addr {
    /// The family: IPv4 where the address is IPv4-mapped.
    #[must_use]
    pub fn family(self) -> Family {
        match self.to_ip() {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }

    /// The address in the standard library's form.
    #[must_use]
    pub fn to_ip(self) -> IpAddr {
        Ipv6Addr::from(self.0).to_canonical()
    }
}

impl From<IpAddr> for Addr {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(v4) => v4.into(),
            IpAddr::V6(v6) => v6.into(),
        }
    }
}

impl From<Ipv4Addr> for Addr {
    fn from(ip: Ipv4Addr) -> Self {
        ip.octets().widen()
    }
}

impl From<Ipv6Addr> for Addr {
    fn from(ip: Ipv6Addr) -> Self {
        Self(ip.octets())
    }
}

/// A TCP or UDP port in network order.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Port(pub [u8; 2]);

impl Port {
    /// The port from its number.
    #[must_use]
    #[inline(always)]
    pub const fn new(number: u16) -> Self {
        Self(number.to_be_bytes())
    }

    /// The port's number.
    #[must_use]
    #[inline(always)]
    pub const fn number(self) -> u16 {
        u16::from_be_bytes(self.0)
    }
}

/// A transport protocol by its IANA number.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Proto(pub u8);

impl Proto {
    /// ICMP for IPv4.
    pub const ICMP: Self = Self(1);
    /// TCP.
    pub const TCP: Self = Self(6);
    /// UDP.
    pub const UDP: Self = Self(17);
    /// ICMP for IPv6.
    pub const ICMPV6: Self = Self(58);
    /// SCTP.
    pub const SCTP: Self = Self(132);

    /// Whether ports are never rewritten: SCTP's checksum is a CRC of the whole packet (RFC 9260,
    /// 6.8), which no difference updates. Addresses it does not cover.
    #[must_use]
    #[inline(always)]
    pub const fn keeps_ports(self) -> bool {
        self.0 == Self::SCTP.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_survive_the_shared_form() {
        for (text, family) in [("10.96.0.1", Family::V4), ("fd00::1", Family::V6)] {
            let ip: IpAddr = text.parse().unwrap();
            assert_eq!((Addr::from(ip).to_ip(), Addr::from(ip).family()), (ip, family));
        }
    }
}
