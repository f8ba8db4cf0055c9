//! Between the nodes and the world: the bridge, and who is beyond it.

use std::net::{Ipv4Addr, Ipv6Addr};

use anyhow::Result;

use super::{Attachment, Netns, NodeAddresses, Site, apart::MANAGEMENT};

/// The client outside.
pub const OUTSIDE: Attachment = Attachment {
    v4: Ipv4Addr::new(203, 0, 113, 9),
    v6: Ipv6Addr::new(0xfdcb, 0, 0, 0, 0, 0, 0, 9),
};

/// The router as nodes know it.
pub const INSIDE: Attachment = Attachment {
    v4: Ipv4Addr::new(192, 168, 77, 1),
    v6: Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 1),
};

/// Networks of addresses that are nobody's and are routed to the first node.
pub const VIRTUAL: [&str; 2] = ["198.51.100.0/24", "fdc6::/64"];

/// The namespace of the bridge, which routes, and the namespace of the client outside.
#[derive(Debug)]
pub(super) struct Router {
    wire: Netns,
    outside: Netns,
}

impl Router {
    /// Makes both, without any node.
    pub(super) fn create(prefix: &str) -> Result<Self> {
        let wire = Netns::create(&format!("{prefix}-net"))?;
        let name = format!("{prefix}-outside");
        let outside = Netns::create(&name)?;
        for netns in [&wire, &outside] {
            no_detection(netns)?;
        }
        for key in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
            wire.set_sysctl(key, "1")?;
        }
        wire.ip(&[
            "link add br0 type bridge".to_owned(),
            format!("address add {}/24 dev br0", INSIDE.v4),
            format!("address add {}/64 dev br0", INSIDE.v6),
            "link set br0 up".to_owned(),
            format!("link add wan type veth peer name eth0 netns {name}"),
            "address add 203.0.113.1/24 dev wan".to_owned(),
            "address add fdcb::1/64 dev wan".to_owned(),
            "link set wan up".to_owned(),
        ])?;
        outside.ip(&[
            format!("address add {}/24 dev eth0", OUTSIDE.v4),
            format!("address add {}/64 dev eth0", OUTSIDE.v6),
            "link set eth0 up".to_owned(),
            "route add default via 203.0.113.1".to_owned(),
            "route add default via fdcb::1".to_owned(),
        ])?;
        Ok(Self { wire, outside })
    }

    /// Where the bridge is.
    pub(super) fn wire(&self) -> &Netns {
        &self.wire
    }

    /// Where the client outside is.
    pub(super) fn outside(&self) -> &Netns {
        &self.outside
    }

    /// Makes a node's network namespace and its uplink to the bridge.
    pub(super) fn plug_in(&self, name: &str, port: char, to: NodeAddresses) -> Result<Netns> {
        let made = self.wired(name, port, to, INSIDE)?;
        self.wire.ip(&[format!("link set port-{port} master br0 up")])?;
        Ok(made)
    }

    /// Makes the network namespace of a node on a link of its own, whose other end is the router's.
    pub(super) fn plug_in_beyond(
        &self,
        name: &str,
        port: char,
        to: NodeAddresses,
    ) -> Result<Netns> {
        let ([a, b, c, _], mut v6) = (to.v4.octets(), to.v6.segments());
        v6[7] = 1;
        let own = Attachment { v4: Ipv4Addr::new(a, b, c, 1), v6: v6.into() };
        let made = self.wired(name, port, to, own)?;
        self.wire.ip(&[
            format!("address add {}/24 dev port-{port}", own.v4),
            format!("address add {}/64 dev port-{port} nodad", own.v6),
            format!("link set port-{port} up"),
        ])?;
        Ok(made)
    }

    /// A node's network namespace with its uplink, by which the router has these addresses.
    fn wired(
        &self,
        name: &str,
        port: char,
        to: NodeAddresses,
        router: Attachment,
    ) -> Result<Netns> {
        let netns = Netns::create(name)?;
        no_detection(&netns)?;
        self.wire.ip(&[format!("link add port-{port} type veth peer name eth0 netns {name}")])?;
        netns.ip(&[
            format!("address add {}/24 dev eth0", to.v4),
            format!("address add {}/64 dev eth0 nodad", to.v6),
            "link set eth0 up".to_owned(),
            format!("route add default via {}", router.v4),
            format!("route add default via {}", router.v6),
        ])?;
        for (key, value) in [("eth0/rp_filter", "1"), ("eth0/accept_local", "0")] {
            netns.set_sysctl(&format!("ipv4/conf/{key}"), value)?;
        }
        Ok(netns)
    }

    /// Makes the network namespace of a node apart with its link to the bridge, and the one where
    /// its uplink ends.
    pub(super) fn plug_in_apart(&self, full: &str, site: Site<'_>) -> Result<(Netns, Netns)> {
        let Site { name, number, .. } = site;
        let netns = Netns::create(full)?;
        no_detection(&netns)?;
        let beyond = format!("{full}-wire");
        let wire = Netns::create(&beyond)?;
        for scope in ["all", "default"] {
            wire.set_sysctl(&format!("ipv6/conf/{scope}/disable_ipv6"), "1")?;
        }
        netns.ip(&[
            format!("link add eth0 type veth peer name eth0 netns {beyond}"),
            "link set eth0 up".to_owned(),
        ])?;
        wire.ip(&["link set eth0 arp off up"])?;
        self.wire.ip(&[
            format!("link add port-{name} type veth peer name {MANAGEMENT} netns {full}"),
            format!("link set port-{name} master br0 up"),
        ])?;
        netns.set_sysctl(&format!("ipv6/conf/{MANAGEMENT}/disable_ipv6"), "1")?;
        netns.ip(&[
            format!("address add 192.168.77.{}/24 dev {MANAGEMENT}", 100 + u16::from(number)),
            format!("link set {MANAGEMENT} up"),
        ])?;
        Ok((netns, wire))
    }

    /// Sends what is for virtual addresses to a node.
    pub(super) fn route_virtual(&self, to: NodeAddresses) -> Result<()> {
        let [v4, v6] = VIRTUAL;
        self.wire.ip(&[
            format!("route replace {v4} via {}", to.v4),
            format!("route replace {v6} via {}", to.v6),
        ])
    }
}

/// Duplicate addresses cannot be; detection would make the first second deaf.
fn no_detection(netns: &Netns) -> Result<()> {
    ["all", "default"]
        .iter()
        .try_for_each(|scope| netns.set_sysctl(&format!("ipv6/conf/{scope}/accept_dad"), "0"))
}
