//! What this node is and which networks there are: the array `node` and the trie `networks`.

use super::{Port, Proto};

/// The one element of the array `node`: what changes while the programs run.
///
/// An element of an array is not replaced atomically: each field is used by itself.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Node {
    /// Cookie of the network namespace whose processes are clients of Services (kernel 5.14 tells
    /// it, e8b9eab99232); 0 where it is not known.
    pub netns_cookie: u64,
    /// IPv6 source of masqueraded flows; all zero is none.
    pub masquerade6: [u8; 16],
    /// IPv4 source of masqueraded flows; all zero is none.
    pub masquerade4: [u8; 4],
    /// First source port that new masqueraded flows get, in the host's order.
    pub first_port: u16,
    /// Last source port that new masqueraded flows get.
    pub last_port: u16,
    /// First port that any masqueraded flow may have: those given out earlier are among them.
    pub first_known_port: u16,
    /// Last port that any masqueraded flow may have.
    pub last_known_port: u16,
    /// Lowest NodePort, in the host's order; above `last_node_port` where there is none.
    pub first_node_port: u16,
    /// Highest NodePort.
    pub last_node_port: u16,
    /// See [`NodeFlags`].
    pub flags: NodeFlags,
    /// Lowest IPv6 address that is or can be a cluster IP; above `last_service6` where there is none.
    pub first_service6: [u8; 16],
    /// Highest IPv6 address that is or can be a cluster IP.
    pub last_service6: [u8; 16],
    /// Lowest IPv4 address that is or can be a cluster IP; above `last_service4` where there is none.
    pub first_service4: [u8; 4],
    /// Highest IPv4 address that is or can be a cluster IP.
    pub last_service4: [u8; 4],
    /// Lowest IPv6 address that pods of this node have behind links of ours; above `last_pod6` where
    /// they may be elsewhere.
    pub first_pod6: [u8; 16],
    /// Highest IPv6 address that they have.
    pub last_pod6: [u8; 16],
    /// Lowest IPv4 address that pods of this node have behind links of ours; above `last_pod4` where
    /// they may be elsewhere.
    pub first_pod4: [u8; 4],
    /// Highest IPv4 address that they have.
    pub last_pod4: [u8; 4],
    /// IPv4 source of masqueraded flows to backends through a tunnel between nodes; all zero where
    /// none is reached so.
    pub tunnel4: [u8; 4],
    /// The same for IPv6.
    pub tunnel6: [u8; 16],
    /// UDP port at which this node takes frames of the tunnel; 0 where it takes none.
    pub tunnel_port: Port,
    /// Zero.
    pub reserved: [u8; 6],
}

const _: () = assert!(size_of::<Node>() == 152 && align_of::<Node>() == 8);

impl Node {
    /// Whether a new masqueraded flow may get a port.
    #[must_use]
    #[inline(always)]
    pub const fn gives(&self, port: Port) -> bool {
        self.first_port <= port.number() && port.number() <= self.last_port
    }

    /// Whether a masqueraded flow of a protocol may have a port.
    #[must_use]
    #[inline(always)]
    pub const fn knows(&self, port: Port, proto: Proto) -> bool {
        self.first_known_port <= port.number() && port.number() <= self.last_known_port
            || proto.keeps_ports()
    }
}

/// Switches of a [`Node`].
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NodeFlags(pub u32);

impl NodeFlags {
    /// The node's own sockets may get ports of masqueraded flows, so both sides look out.
    pub const SHARED_PORTS: Self = Self(1);
    /// Senders in networks with [`NetworkFlags::LOCAL_PODS`], and no others, count as pods of this
    /// node.
    pub const PODS_BY_NETWORK: Self = Self(2);
    /// Senders behind links of pods and behind links with [`super::LinkFlags::LOCAL_PODS`], and no
    /// others, count as pods of this node.
    pub const PODS_BY_DEVICE: Self = Self(4);
    /// In IPv4 nobody can tell who is a pod of this node, so nobody counts as one, and cluster IPs
    /// hide nobody.
    pub const PODS_UNKNOWN4: Self = Self(8);
    /// The same for IPv6.
    pub const PODS_UNKNOWN6: Self = Self(16);
    /// Cluster IPs hide every sender.
    pub const MASQUERADE_ALL: Self = Self(32);
    /// Another proxy's tables are still there and may know connections that we do not: what is in the
    /// middle of one passes to the stack.
    pub const ADOPTING: Self = Self(64);

    /// Whether all of `flags` are set.
    #[must_use]
    #[inline(always)]
    pub const fn has(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// Both sets joined.
    #[must_use]
    #[inline(always)]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Key of the trie `networks`: a prefix of addresses in the form of [`super::Addr`], so that an
/// IPv4 prefix is 96 bits longer than it is written.
pub const IPV4_PREFIX: u32 = 96;

/// Value of the trie `networks`: what a network of addresses is.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Network {
    /// A [`NetworkKind`] as its number.
    pub kind: u8,
    /// See [`NetworkFlags`].
    pub flags: NetworkFlags,
    /// Zero.
    pub reserved: [u8; 2],
}

const _: () = assert!(size_of::<Network>() == 4);

/// Whose a network is. The longest prefix decides, so a tunnel's own address inside a pod network
/// is a node's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NetworkKind {
    /// Nobody's of the cluster.
    Outside,
    /// An address of this node.
    OwnNode,
    /// An address of another node.
    OtherNode,
    /// Pods of this node.
    OwnPods,
    /// Pods of other nodes.
    OtherPods,
    /// Cluster IPs.
    Services,
}

impl NetworkKind {
    /// The number that stands in [`Network::kind`].
    #[must_use]
    #[inline(always)]
    pub const fn number(self) -> u8 {
        match self {
            Self::Outside => 0,
            Self::OwnNode => 1,
            Self::OtherNode => 2,
            Self::OwnPods => 3,
            Self::OtherPods => 4,
            Self::Services => 5,
        }
    }

    /// The kind of a number; one that is not known is outside.
    #[must_use]
    #[inline(always)]
    pub const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::OwnNode,
            2 => Self::OtherNode,
            3 => Self::OwnPods,
            4 => Self::OtherPods,
            5 => Self::Services,
            _ => Self::Outside,
        }
    }
}

/// Switches of a [`Network`].
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NetworkFlags(pub u8);

impl NetworkFlags {
    /// NodePorts are served at this address of the node.
    pub const NODE_PORTS: Self = Self(1);
    /// Where pods are told by their networks: senders in this one count as pods of this node.
    pub const LOCAL_PODS: Self = Self(2);
    /// It is reached through a tunnel between nodes, by which its answers come back.
    pub const TUNNEL: Self = Self(4);

    /// Whether all of `flags` are set.
    #[must_use]
    #[inline(always)]
    pub const fn has(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// Both sets joined.
    #[must_use]
    #[inline(always)]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
