//! Whether named tables and chains of netfilter are there. Each is asked for by its name, which costs
//! the same however many others there are.

use std::fmt;
use std::net::IpAddr;

use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_NETFILTER;
use rtnetlink::packet_core::{
    NLM_F_ACK, NetlinkDeserializable, NetlinkHeader, NetlinkSerializable,
};

use crate::error::{Cause, During as _, Error, Result};
use crate::question::ask;

/// `NFNL_SUBSYS_NFTABLES` in the upper byte of a message's type.
const NFTABLES: u16 = 10 << 8;
const GET_TABLE: u16 = NFTABLES | 1;
const GET_CHAIN: u16 = NFTABLES | 4;

const TABLE_NAME: u16 = 1;
const CHAIN_TABLE: u16 = 1;
const CHAIN_NAME: u16 = 3;

/// The tables of nftables, and those of iptables that are kept there, in the network namespace in
/// which this was opened.
pub struct Netfilter(Socket);

/// What packets a table is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    Ip,
    /// IPv6.
    Ip6,
    /// Both.
    Inet,
}

impl Netfilter {
    /// Asks about the calling thread's namespace.
    ///
    /// # Errors
    /// Where the kernel has no netfilter, or for want of file descriptors.
    pub fn here() -> Result<Self> {
        Socket::new(NETLINK_NETFILTER).map(Self).during("open", "netfilter")
    }

    /// Whether there is a table of this name.
    ///
    /// # Errors
    /// The kernel's, for want of `CAP_NET_ADMIN`.
    pub fn has_table(&self, family: Family, table: &str) -> Result<bool> {
        let object = || format!("nft table {family} {table}");
        self.has(Question::new(GET_TABLE, family, &[(TABLE_NAME, table)]), object)
    }

    /// Whether there is a chain of this name in a table.
    ///
    /// # Errors
    /// As for [`Self::has_table`].
    pub fn has_chain(&self, family: Family, table: &str, chain: &str) -> Result<bool> {
        let object = || format!("chain {chain} of nft table {family} {table}");
        let names = [(CHAIN_TABLE, table), (CHAIN_NAME, chain)];
        self.has(Question::new(GET_CHAIN, family, &names), object)
    }

    fn has(&self, question: Question, object: impl FnOnce() -> String) -> Result<bool> {
        match ask(&self.0, question, NLM_F_ACK, |Nothing| {}) {
            Ok(()) => Ok(true),
            // There is none; or no nftables, or not for this family.
            Err(Cause::Errno(libc::ENOENT | libc::EINVAL | libc::EAFNOSUPPORT)) => Ok(false),
            Err(cause) => Err(Error { action: "look for", object: object(), cause }),
        }
    }
}

impl Family {
    /// The family of an address.
    #[must_use]
    pub fn of(ip: IpAddr) -> Self {
        if ip.is_ipv4() { Self::Ip } else { Self::Ip6 }
    }

    fn number(self) -> u8 {
        match self {
            Self::Ip => 2,
            Self::Ip6 => 10,
            Self::Inet => 1,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ip => "ip",
            Self::Ip6 => "ip6",
            Self::Inet => "inet",
        })
    }
}

impl fmt::Debug for Netfilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Netfilter")
    }
}

/// A message of `nfnetlink`: a family, version 0, no resource, and names.
struct Question {
    kind: u16,
    bytes: Vec<u8>,
}

impl Question {
    fn new(kind: u16, family: Family, names: &[(u16, &str)]) -> Self {
        let mut bytes = vec![family.number(), 0, 0, 0];
        for (attribute, name) in names {
            // Header and terminating zero.
            let length = u16::try_from(name.len() + 5).unwrap_or(u16::MAX);
            bytes.extend(length.to_ne_bytes());
            bytes.extend(attribute.to_ne_bytes());
            bytes.extend(name.as_bytes());
            bytes.resize((bytes.len() + 1).next_multiple_of(4), 0);
        }
        Self { kind, bytes }
    }
}

impl NetlinkSerializable for Question {
    fn message_type(&self) -> u16 {
        self.kind
    }

    fn buffer_len(&self) -> usize {
        self.bytes.len()
    }

    fn serialize(&self, buffer: &mut [u8]) {
        buffer.copy_from_slice(&self.bytes);
    }
}

/// An answer of which nothing matters but that there is one.
struct Nothing;

impl NetlinkDeserializable for Nothing {
    type Error = std::convert::Infallible;

    fn deserialize(_: &NetlinkHeader, _: &[u8]) -> std::result::Result<Self, Self::Error> {
        Ok(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_a_question_with_their_end_and_in_fours() {
        let question = Question::new(GET_CHAIN, Family::Ip6, &[(1, "nat"), (3, "KUBE")]);
        assert_eq!(question.kind, 0x0a04);
        let expected = [
            &[10, 0, 0, 0][..],
            &8_u16.to_ne_bytes(),
            &1_u16.to_ne_bytes(),
            b"nat\0",
            &9_u16.to_ne_bytes(),
            &3_u16.to_ne_bytes(),
            b"KUBE\0\0\0\0",
        ];
        assert_eq!(question.bytes, expected.concat());
    }
}
