//! Links: devices of a namespace, and veth pairs between two.

use std::os::fd::{AsFd as _, AsRawFd as _};

use futures_util::TryStreamExt as _;
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage,
};
use rtnetlink::{LinkMessageBuilder, LinkUnspec, LinkVeth};

use crate::dump::dump;
use crate::error::{During as _, Result, unless_absent};
use crate::mac::Mac;
use crate::netlink::Netlink;
use crate::netns::NetNs;
use crate::vxlan::Vxlan;

/// What the host's ends of links to pods are called, before [`POD_DIGITS`] hexadecimal digits.
pub const POD_PREFIX: &str = "wag";
/// How many digits the name of a link to a pod ends in.
pub const POD_DIGITS: usize = 11;

/// What packets of a device begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// An Ethernet header.
    Ethernet,
    /// Their IP header: tunnels, wireguard, tun, ppp.
    Ip,
    /// Something else, which is not ours to read.
    Other,
}

/// A device, as the kernel describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its driver, like `veth` or `bridge`; hardware and loopback have none.
    pub kind: Option<String>,
    /// What its packets begin with.
    pub layer: Layer,
    /// Its hardware address; devices without Ethernet header have none.
    pub mac: Option<Mac>,
    /// Its MTU in bytes.
    pub mtu: u32,
    /// Whether it was switched on.
    pub is_up: bool,
    /// Whether it is the loopback device.
    pub is_loopback: bool,
    /// Its alias: free text that says what it is for.
    pub alias: Option<String>,
    /// The index of the device it is a port of, like a bridge.
    pub controller: Option<u32>,
    /// For a veth, the index of its peer, in the peer's own namespace.
    pub peer: Option<u32>,
    /// For any other, the index of the device that its packets pass through, as for a VLAN.
    pub lower: Option<u32>,
    /// For one whose other part is in another namespace, the number that namespace has in this one.
    pub netns: Option<i32>,
    /// For a VXLAN device, what it was made as.
    pub vxlan: Option<Vxlan>,
}

/// A veth pair to be made, both ends at their places from the first moment.
#[derive(Clone, Copy, Debug)]
pub struct VethPair<'a> {
    /// Name of the host's end.
    pub host_name: &'a str,
    /// Hardware address of the host's end. Given, because udev replaces one that the kernel chose.
    pub host_mac: Mac,
    /// Alias of the host's end.
    pub alias: &'a str,
    /// Name of the pod's end.
    pub pod_name: &'a str,
    /// Hardware address of the pod's end.
    pub pod_mac: Mac,
    /// Where the pod's end is.
    pub namespace: &'a NetNs,
    /// MTU of both ends.
    pub mtu: u32,
}

impl VethPair<'_> {
    /// Makes the pair by one request and returns the host's end. Both ends are down, so that their
    /// sysctls can be set before they say a word. The alias follows by a second request, because the
    /// kernel takes none for a device in the making; until then the hardware address tells whose it
    /// is.
    ///
    /// # Errors
    /// [`crate::Error::is_taken`] when either name exists at its place.
    pub async fn create(&self, netlink: &Netlink) -> Result<Link> {
        let object = format_args!("veth pair {} and {}", self.host_name, self.pod_name);
        let message = LinkMessageBuilder::<LinkVeth>::new(self.host_name, self.pod_name)
            .address(self.host_mac.0.to_vec())
            .mtu(self.mtu)
            .set_info_data(InfoData::Veth(InfoVeth::Peer(self.peer())))
            .build();
        netlink.0.link().add(message).execute().await.during("create", object)?;
        let link = require(netlink, self.host_name).await?;
        let message = LinkUnspec::new_with_index(link.index).alias(self.alias).build();
        netlink.0.link().set(message).execute().await.during("name", object)?;
        Ok(Link { alias: Some(self.alias.to_owned()), ..link })
    }

    fn peer(&self) -> LinkMessage {
        LinkMessageBuilder::<LinkUnspec>::default()
            .name(self.pod_name)
            .address(self.pod_mac.0.to_vec())
            .mtu(self.mtu)
            .setns_by_fd(self.namespace.as_fd().as_raw_fd())
            .build()
    }
}

/// The device of a name, if there is one.
///
/// # Errors
/// The kernel's, unless it says that there is none.
pub async fn find(netlink: &Netlink, name: &str) -> Result<Option<Link>> {
    match require(netlink, name).await {
        Ok(link) => Ok(Some(link)),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The device of a name.
///
/// # Errors
/// [`crate::Error::is_absent`] when there is none.
pub async fn require(netlink: &Netlink, name: &str) -> Result<Link> {
    let answer = netlink.0.link().get().match_name(name).execute().try_next().await;
    let message = answer.during("find", format_args!("link {name}"))?;
    message.map(Link::from).ok_or(crate::Cause::Errno(libc::ENODEV)).during("find", name)
}

/// Every device of the namespace.
///
/// # Errors
/// The kernel's.
pub async fn list(netlink: &Netlink) -> Result<Vec<Link>> {
    let question = RouteNetlinkMessage::GetLink(LinkMessage::default());
    let answers = dump(netlink, question).await.during("list", "links")?;
    let links = answers.into_iter().filter_map(|answer| match answer {
        RouteNetlinkMessage::NewLink(message) => Some(Link::from(message)),
        _ => None,
    });
    Ok(links.collect())
}

/// Switches a device on.
///
/// # Errors
/// The kernel's.
pub async fn set_up(netlink: &Netlink, index: u32) -> Result<()> {
    let message = LinkUnspec::new_with_index(index).up().build();
    let answer = netlink.0.link().set(message).execute().await;
    answer.during("switch on", format_args!("link {index}"))
}

/// Gives a device another hardware address and MTU.
///
/// # Errors
/// The kernel's.
pub async fn change(netlink: &Netlink, index: u32, mac: Mac, mtu: u32) -> Result<()> {
    let message = LinkUnspec::new_with_index(index).address(mac.0.to_vec()).mtu(mtu).build();
    let answer = netlink.0.link().set(message).execute().await;
    answer.during("change", format_args!("link {index}"))
}

/// Deletes a device, and its peer if it is a veth; says whether it was there.
///
/// # Errors
/// The kernel's, unless it says that there is none.
pub async fn delete(netlink: &Netlink, name: &str) -> Result<bool> {
    let Some(link) = find(netlink, name).await? else { return Ok(false) };
    let answer = netlink.0.link().del(link.index).execute().await;
    unless_absent(answer.during("delete", format_args!("link {name}")))
}

impl From<LinkMessage> for Link {
    fn from(message: LinkMessage) -> Self {
        let flags = message.header.flags;
        let mut link = Self {
            index: message.header.index,
            name: String::new(),
            kind: None,
            layer: message.header.link_layer_type.into(),
            mac: None,
            mtu: 0,
            is_up: flags.contains(LinkFlags::Up),
            is_loopback: flags.contains(LinkFlags::Loopback),
            alias: None,
            controller: None,
            peer: None,
            lower: None,
            netns: None,
            vxlan: None,
        };
        message.attributes.into_iter().for_each(|attribute| link.take(attribute));
        if link.kind.as_deref() != Some("veth") {
            link.lower = link.peer.take();
        }
        link
    }
}

impl From<LinkLayerType> for Layer {
    fn from(kind: LinkLayerType) -> Self {
        match kind {
            LinkLayerType::Ether | LinkLayerType::Loopback => Self::Ethernet,
            LinkLayerType::None
            | LinkLayerType::Rawip
            | LinkLayerType::Ppp
            | LinkLayerType::Tunnel
            | LinkLayerType::Tunnel6
            | LinkLayerType::Sit
            | LinkLayerType::Ipgre
            | LinkLayerType::Ip6gre => Self::Ip,
            _ => Self::Other,
        }
    }
}

impl Link {
    /// Whether this is, by its name, the host's end of a link to a pod that the CNI plugin made.
    /// That is so from the device's first moment on.
    #[must_use]
    pub fn is_named_for_pod(&self) -> bool {
        let digits = self.name.strip_prefix(POD_PREFIX);
        let is_name = digits.is_some_and(|digits| {
            digits.len() == POD_DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
        is_name && self.kind.as_deref() == Some("veth")
    }

    fn take(&mut self, attribute: LinkAttribute) {
        match attribute {
            LinkAttribute::IfName(name) => self.name = name,
            LinkAttribute::Address(octets) => self.mac = Mac::from_slice(&octets),
            LinkAttribute::Mtu(mtu) => self.mtu = mtu,
            LinkAttribute::IfAlias(alias) => self.alias = Some(alias),
            LinkAttribute::Controller(index) => self.controller = Some(index),
            LinkAttribute::Link(index) => self.peer = Some(index),
            LinkAttribute::LinkNetNsId(number) => self.netns = Some(number),
            LinkAttribute::LinkInfo(infos) => {
                self.kind = infos.iter().find_map(kind);
                self.vxlan = Vxlan::of(&infos);
            }
            _ => {}
        }
    }
}

fn kind(info: &LinkInfo) -> Option<String> {
    match info {
        LinkInfo::Kind(InfoKind::Other(kind)) => Some(kind.clone()),
        LinkInfo::Kind(kind) => Some(kind.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(name: &str, kind: &str, layer: LinkLayerType) -> Link {
        let mut message = LinkMessage::default();
        message.header.link_layer_type = layer;
        message.attributes.push(LinkAttribute::IfName(name.to_owned()));
        let kind = InfoKind::Other(kind.to_owned());
        message.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind)]));
        message.into()
    }

    #[test]
    fn a_link_to_a_pod_is_known_by_name_and_kind() {
        for (name, kind, expected) in [
            ("wag00c0ffee123", "veth", true),
            ("wag00c0ffee123", "dummy", false),
            ("wag00c0ffee12", "veth", false),
            ("wag00c0ffee12g", "veth", false),
            ("veth0c0ffee123", "veth", false),
        ] {
            let link = link(name, kind, LinkLayerType::Ether);
            assert_eq!(link.is_named_for_pod(), expected, "{name} {kind}");
        }
    }

    #[test]
    fn the_type_of_a_device_tells_what_its_packets_begin_with() {
        for (kind, layer) in [
            (LinkLayerType::Ether, Layer::Ethernet),
            (LinkLayerType::None, Layer::Ip),
            (LinkLayerType::Ppp, Layer::Ip),
            (LinkLayerType::Tunnel, Layer::Ip),
            (LinkLayerType::Can, Layer::Other),
            (LinkLayerType::Infiniband, Layer::Other),
        ] {
            assert_eq!(link("x", "y", kind).layer, layer, "{kind:?}");
        }
    }
}
