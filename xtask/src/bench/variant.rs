//! The ways from a client to its backend that are compared.

/// One way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Variant {
    /// Linux routes; nothing translates, and no netfilter rule is in the node's namespace.
    Plain,
    /// An nftables ruleset in kube-proxy's layout.
    Nft,
    /// Waggle, which delivers past the node's stack.
    Bypass,
    /// Waggle, which leaves delivery to the node's stack.
    Stack,
    /// Linux routes to a backend of another node.
    Routes,
    /// Linux routes through a VXLAN device to a backend of another node.
    Tunnel,
    /// Waggle with routes to a backend of another node.
    HostGw,
    /// Waggle with a tunnel to a backend of another node.
    Vxlan,
}

impl Variant {
    /// What it is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Nft => "nft",
            Self::Bypass => "waggle-bypass",
            Self::Stack => "waggle-stack",
            Self::Routes => "plain-routes",
            Self::Tunnel => "plain-vxlan",
            Self::HostGw => "waggle-host-gw",
            Self::Vxlan => "waggle-vxlan",
        }
    }

    /// Begins the names of what it makes on the machine; not longer, since devices are named so.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Nft => "nft",
            Self::Bypass => "bypass",
            Self::Stack => "stack",
            Self::Routes => "routes",
            Self::Tunnel => "tunnel",
            Self::HostGw => "hostgw",
            Self::Vxlan => "vxlan",
        }
    }

    /// How many nodes there are: the backend is on the last.
    pub(super) fn nodes(self) -> u8 {
        match self {
            Self::Plain | Self::Nft | Self::Bypass | Self::Stack => 1,
            Self::Routes | Self::Tunnel | Self::HostGw | Self::Vxlan => 2,
        }
    }

    /// Whether Services have addresses of their own.
    pub(super) fn has_services(self) -> bool {
        !matches!(self, Self::Plain | Self::Routes | Self::Tunnel)
    }
}
