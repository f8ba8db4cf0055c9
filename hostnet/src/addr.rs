//! Addresses of links.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressScope,
};

use crate::dump::dump;
use crate::error::{During as _, Result, unless_absent};
use crate::netlink::Netlink;

/// An address on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The link's index.
    pub link: u32,
    /// The address, with the length of the prefix that is on the link.
    pub network: IpNetwork,
    /// Where the address is valid.
    pub scope: Scope,
}

/// Where an address is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Anywhere.
    Global,
    /// On its link: not to be used as a source towards elsewhere.
    Link,
    /// On this host.
    Host,
}

/// Adds an address, or takes it as it is. IPv6 addresses are usable at once: no duplicate address
/// detection, since whoever calls this owns the address.
///
/// # Errors
/// The kernel's.
pub async fn ensure(netlink: &Netlink, address: Address) -> Result<()> {
    let Address { link, network, scope } = address;
    let mut request = netlink.0.address().add(link, network.ip(), network.prefix()).replace();
    let message = request.message_mut();
    message.header.scope = match scope {
        Scope::Global => AddressScope::Universe,
        Scope::Link => AddressScope::Link,
        Scope::Host => AddressScope::Host,
    };
    if network.is_ipv6() {
        message.header.flags |= AddressHeaderFlags::Nodad;
        message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
    }
    request.execute().await.during("add", format_args!("address {network} to link {link}"))
}

/// Removes an address; says whether it was there.
///
/// # Errors
/// The kernel's, unless it says that there is none.
pub async fn delete(netlink: &Netlink, address: Address) -> Result<bool> {
    let Address { link, network, scope: _ } = address;
    let message =
        netlink.0.address().add(link, network.ip(), network.prefix()).message_mut().clone();
    let answer = netlink.0.address().del(message).execute().await;
    unless_absent(answer.during("delete", format_args!("address {network} of link {link}")))
}

/// Every address of the namespace: in the kernel's order, but those last that it would not choose
/// as a source if it had another.
///
/// # Errors
/// The kernel's.
pub async fn list(netlink: &Netlink) -> Result<Vec<Address>> {
    let question = RouteNetlinkMessage::GetAddress(AddressMessage::default());
    let answers = dump(netlink, question).await.during("list", "addresses")?;
    let messages = answers.into_iter().filter_map(|answer| match answer {
        RouteNetlinkMessage::NewAddress(message) => Some(message),
        _ => None,
    });
    let mut messages: Vec<_> = messages.collect();
    messages.sort_by_key(is_second_choice);
    Ok(messages.iter().filter_map(Address::of).collect())
}

fn is_second_choice(message: &AddressMessage) -> bool {
    // Of IPv6, the flag of secondary addresses means temporary ones.
    message.header.flags.intersects(
        AddressHeaderFlags::Secondary
            | AddressHeaderFlags::Deprecated
            | AddressHeaderFlags::Tentative
            | AddressHeaderFlags::Dadfailed,
    )
}

impl Address {
    fn of(message: &AddressMessage) -> Option<Self> {
        let network = IpNetwork::new(local(message)?, message.header.prefix_len).ok()?;
        let scope = match message.header.scope {
            AddressScope::Link => Scope::Link,
            AddressScope::Host | AddressScope::Nowhere => Scope::Host,
            _ => Scope::Global,
        };
        Some(Self { link: message.header.index, network, scope })
    }
}

/// The address of this end: on point-to-point links, `Address` is the other end's.
fn local(message: &AddressMessage) -> Option<IpAddr> {
    let local = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Local(ip) => Some(*ip),
        _ => None,
    });
    local.or_else(|| {
        message.attributes.iter().find_map(|attribute| match attribute {
            AddressAttribute::Address(ip) => Some(*ip),
            _ => None,
        })
    })
}
